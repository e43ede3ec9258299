"""Where the application counts requests, as its environment file says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import env as environment
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

SHARED = ("redis", "rediss", "valkey", "valkeys", "memcached", "postgres", "postgresql")


@dataclass(frozen=True)
class RateStoreFacts:
    """needed: the application enforces rows of the policy.  shared: all instances count in one store; why: what was seen."""

    needed: bool
    shared: bool
    why: str


@probe(facts=RateStoreFacts, deadline=10, needs=("ssh_gate",), uses={"host": "read"}, reads=environment.reads)
def rate_store(target: Target, connect: Connections) -> RateStoreFacts:
    """Read where the application's rate limiter counts, out of its environment file."""
    if not any(policy.by == "app" for policy in target.rate.policies):
        return RateStoreFacts(needed=False, shared=False, why="no row of rate.policies is the application's")
    key = target.rate.store_key
    if not key:
        file = target.path.name
        raise CannotLook(
            Reason.NO_CONFIG, f"no rate.store_key in {file}; name the key of the limiter's store"
        )
    value = environment.values(target, connect).get(key, "")
    if not value:
        return RateStoreFacts(needed=True, shared=False, why=f"{key} is not in the environment file")
    scheme = urlsplit(value).scheme.partition("+")[0].lower()
    return RateStoreFacts(
        needed=True, shared=scheme in SHARED, why=f"{key} names a store of kind {scheme or 'unknown'}"
    )
