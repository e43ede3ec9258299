"""Limits of pre_deploy: security."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class HardeningLimits(Numbers):
    """Limits of pre_deploy: security."""

    alert_failed_ratio_max: float = limit(0.05, "ratio", "own: of notifications")
    alert_delivered_max_age_s: float = limit(7 * 86400, "s", "own: a notification was delivered within this")
    rate_login_per_min_max: float = limit(10, "per minute", "own, OWASP ASVS 5.0 6.3.1: logins of one client")
    rate_general_per_min_max: float = limit(100, "per minute", "own: requests of one client to other routes")
