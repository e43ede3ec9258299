"""Limits of deploy: code."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class CodeLimits(Numbers):
    """Limits of deploy: code."""

    tests_max_skip_ratio: float = limit(0.1, "ratio", "own: of the tests of a run")
