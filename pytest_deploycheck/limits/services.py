"""Limits of deploy: services."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class ServicesLimits(Numbers):
    """Limits of deploy: services."""

    services_stable_s: float = limit(30, "s", "own: restart counts are read twice, this far apart")
    lb_connect_timeout_max_s: float = limit(15, "s", "own: for a backend that is away")
