"""Limits of deploy: contract."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class ContractLimits(Numbers):
    """Limits of deploy: contract."""

    gas_drift_max: float = limit(0.25, "ratio", "own: how far a fresh estimate may exceed the stored one")
    gas_report_max_age_days: float = limit(14, "days", "own: base fees and code move on")
    gas_transaction_max: float = limit(16_777_216, "gas", "EIP-7825: cap of one transaction")
    contract_runtime_max_bytes: float = limit(24_576, "bytes", "EIP-170: size of deployed code")
    contract_initcode_max_bytes: float = limit(49_152, "bytes", "EIP-3860: size of creation code")
    testnet_report_max_age_days: float = limit(30, "days", "own: an older run tried another product")
    testnet_max_head_age_s: float = limit(300, "s", "own: a test network that stands still is dead")
    explorer_interval_s: float = limit(0.35, "s", "Etherscan: three calls a second on the free tier")
