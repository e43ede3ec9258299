"""Limits of pre_deploy: security."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class HardeningLimits(Numbers):
    """Limits of pre_deploy: security."""

    alert_failed_ratio_max: float = limit(0.05, "ratio", "own: of notifications")
    alert_delivered_max_age_s: float = limit(7 * 86400, "s", "own: a notification was delivered within this")
    rate_login_per_min_max: float = limit(10, "per minute", "own, OWASP ASVS 5.0 6.3.1: logins of one client")
    rate_general_per_min_max: float = limit(100, "per minute", "own: requests of one client to other routes")
    password_min_length: int = limit(15, "characters", "NIST SP 800-63B-4 3.1.1.2: the only factor")
    password_min_length_mfa: int = limit(8, "characters", "NIST SP 800-63B-4 3.1.1.2: one factor of two")
    password_max_length_min: int = limit(
        64, "characters", "NIST SP 800-63B-4 3.1.1.2: at least so many are allowed"
    )
    password_bcrypt_cost_min: int = limit(10, "log2 rounds", "OWASP Password Storage Cheat Sheet")
    password_pbkdf2_min: int = limit(
        600_000, "iterations", "OWASP Password Storage Cheat Sheet: PBKDF2-HMAC-SHA256"
    )
    password_pbkdf2_sha512_min: int = limit(
        210_000, "iterations", "OWASP Password Storage Cheat Sheet: PBKDF2-HMAC-SHA512"
    )
