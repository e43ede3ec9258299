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
    rpc_max_head_age_s: float = limit(60, "s", "own: five slots of 12 s; a node that is stuck says nothing")
    rpc_max_finalized_age_s: float = limit(1200, "s", "own: two epochs are 768 s, and some slack")
    rpc_max_head_delta_blocks: float = limit(
        5, "blocks", "own: nodes of two providers, asked one after another"
    )
    rpc_p95_s: float = limit(1.0, "s", "own: what a user waits for is made of several calls")
    rpc_calls: float = limit(20, "calls", "own: enough for a 95th percentile, no load")
    signer_runway_tx: float = limit(100, "transactions", "own: what the balance must pay for at least")
    signer_runway_days: float = limit(7, "days", "own: what the balance must pay for at the pace observed")
    signer_settle_s: float = limit(12, "s", "one slot: a pending transaction gets into a block, or is stuck")
