"""Limits of pre_deploy: security."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class HardeningLimits(Numbers):
    """Limits of pre_deploy: security."""

    alert_delivered_max_age_s: float = limit(7 * 86400, "s", "own: a notification was delivered within this")
