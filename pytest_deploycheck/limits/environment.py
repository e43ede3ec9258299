"""Limits of pre_deploy: environment."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class EnvironmentLimits(Numbers):
    """Limits of pre_deploy: environment."""

    secret_min_bits: float = limit(112, "bits", "OWASP ASVS 5.0 6.5.2, borrowed for machine passwords")
    secret_min_score: int = limit(4, "of 4", "own: zxcvbn's best score")
    env_mode_max: int = limit(0o640, "mode", "own: the owner writes, a named group reads")
    jwt_secret_min_bits: float = limit(128, "bits", "OWASP ASVS 5.0 11.5.1")
    jwt_rsa_bits_min: int = limit(2048, "bits", "RFC 7518, 3.3")
    jwt_ec_bits_min: int = limit(256, "bits", "RFC 7518, 3.4: P-256")
