"""Limits of deploy: services."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class ServicesLimits(Numbers):
    """Limits of deploy: services."""

    services_check_age_factor: float = limit(
        2, "intervals", "own: a health check whose last result is older is not run any more"
    )
    services_restarts_max: int = limit(0, "restarts", "own: of a container since the deployment began")
    services_stable_s: float = limit(30, "s", "own: restart counts are read twice, this far apart")
    lb_connect_timeout_max_s: float = limit(15, "s", "own: for a backend that is away")
