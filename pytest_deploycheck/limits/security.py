"""Limits of post_deploy: security."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class SecurityLimits(Numbers):
    """Limits of post_deploy: security."""

    cert_remaining_min: float = limit(0.25, "ratio", "own: of the certificate's lifetime")
    cert_lifetime_max_d: float = limit(200, "days", "CA/Browser Forum SC-081v3, from 2026-03-15")
    cert_rsa_bits_min: int = limit(2048, "bits", "CA/Browser Forum Baseline Requirements 6.1.5")
    cert_ec_bits_min: int = limit(256, "bits", "CA/Browser Forum Baseline Requirements 6.1.5: P-256")
    cert_scts_min: int = limit(2, "SCTs", "browser Certificate Transparency policies; public CAs only")
    clock_skew_max_s: float = limit(60, "s", "own: beyond it times are not comparable")
    hsts_min_age_s: float = limit(31_536_000, "s", "OWASP ASVS 5.0 3.4.1: one year")
    burst_max_requests: int = limit(300, "requests", "own: per policy row")
    burst_max_rps: float = limit(
        20, "requests/s", "own; raised to what reaching the limit in its window takes"
    )
    burst_below_share: float = limit(0.8, "ratio", "own: this share of a limit must pass")
    burst_above_share: float = limit(1.2, "ratio", "own: refused by this share of a limit")
    authz_routes_max: int = limit(200, "operations", "own")
    authz_max_rps: float = limit(50, "requests/s", "own: some hundred small requests, spread")
    logs_lookback_s: float = limit(86400, "s", "own")
    logs_lines_max: int = limit(20_000, "lines", "own: newest lines scanned of each service")
    logs_min_lines: int = limit(1, "lines", "own: no lines is not clean")
    scan_max_age_s: float = limit(7 * 86400, "s", "own: image scans")
    web_scan_max_age_s: float = limit(30 * 86400, "s", "own")
    scan_db_max_age_s: float = limit(86400, "s", "own: vulnerability database at the time of the scan")
