"""Limits of deploy: contract."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class ContractLimits(Numbers):
    """Limits of deploy: contract."""

    gas_drift_max: float = limit(0.25, "ratio", "own: fresh estimate over the stored one")
