"""Limits of pre_deploy: environment."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class EnvironmentLimits(Numbers):
    """Limits of pre_deploy: environment."""

    secret_min_bits: float = limit(112, "bits", "OWASP ASVS 5.0 6.5.2, borrowed for machine passwords")
