"""Limits of deploy: code."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class CodeLimits(Numbers):
    """Limits of deploy: code."""

    tests_max_skip_ratio: float = limit(0.1, "ratio", "own: of the tests of a run")
    tests_max_age_s: float = limit(7 * 86400, "s", "own: results of tests")
    code_scan_block_severity: float = limit(7.0, "CVSS", "SARIF security-severity; high begins there in CVSS")
    code_scan_max_age_s: float = limit(7 * 86400, "s", "own: scans of the code")
    code_scan_min_coverage: float = limit(
        0.9, "ratio", "own: files of the scanned languages that were looked at"
    )
    audit_max_age_s: float = limit(86400, "s", "own: audits of dependencies, at deployment")
    deps_max_major_lag: int = limit(2, "major versions", "own: direct dependencies behind their newest")
    evidence_future_max_s: float = limit(
        300, "s", "own: how far the clocks of a CI and of committers may be ahead"
    )
