"""Limits of deploy: database."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class DatabaseLimits(Numbers):
    """Limits of deploy: database."""

    db_connect_p95_s: float = limit(0.05, "s", "own: SELECT 1 from the runner")
