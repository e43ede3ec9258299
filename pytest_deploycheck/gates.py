"""Gates: prerequisites that many items share, each owned by one item; what an observation means for one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.verdict import Reason, Verdict

if TYPE_CHECKING:
    from pytest_deploycheck.observe import Observation


@dataclass(frozen=True)
class Gate:
    """A prerequisite shared by many items: `owner` is the one item that carries its failure.

    unseen: what a refusal means for the owner where it says nothing about the quality: the reason of unproven.
    """

    name: str
    owner: str
    means: str
    unseen: Reason | None = None


GATES: dict[str, Gate] = {
    gate.name: gate
    for gate in (
        Gate("ssh", "pre_deploy.infrastructure.capacity", "the server runs a command", Reason.NO_ACCESS),
        Gate("docker", "pre_deploy.infrastructure.docker", "the container engine answers"),
        Gate("net", "deploy.services.tls", "TCP connects to the public address"),
        Gate("tls", "deploy.services.tls", "a TLS handshake completes"),
        Gate("api", "post_deploy.functional.health", "the health path answers below 500"),
        Gate("acct", "post_deploy.functional.auth", "the test account logs in"),
        Gate("db", "deploy.database.connection", "a read-only connection opens"),
        Gate("redis", "pre_deploy.security.redis_auth", "the cache answers"),
        Gate("rpc", "pre_deploy.environment.rpc_url", "eth_chainId answers"),
        Gate("contract", "deploy.contract.mainnet", "there is code at the contract's address"),
        Gate("prom", "post_deploy.monitoring.prometheus", "Prometheus answers a query"),
        Gate("am", "pre_deploy.security.alerting", "Alertmanager answers"),
        Gate("grafana", "post_deploy.monitoring.grafana", "Grafana's health answers"),
        Gate("logs", "post_deploy.monitoring.logs", "the log backend answers"),
        Gate("backup", "pre_deploy.infrastructure.backup_storage", "the catalogue of backups is readable"),
        Gate("ci", "deploy.code.tests", "the CI's results are readable", Reason.NO_ACCESS),
    )
}


@dataclass(frozen=True)
class Standing:
    """Why a check cannot run: the verdict that follows, its reason, and one sentence."""

    verdict: Verdict
    reason: str
    message: str


def standing(seen: Observation, items: Collection[str]) -> Standing | None:
    """Return what an observation without facts means for a test of these items; None when there are facts.

    A refused prerequisite fails its owner and blocks everybody else; what could not be seen is unproven;
    a probe with a bug is an error.
    """
    if seen.state == "seen":
        return None
    if seen.state == "broken":
        return Standing(Verdict.ERROR, "", f"probe {seen.probe} has a bug: {seen.detail}")
    if seen.state == "dead":
        gate = GATES.get(seen.gate)
        if gate is not None and gate.owner in items:
            if gate.unseen is not None:
                return Standing(Verdict.UNPROVEN, gate.unseen, seen.detail)
            return Standing(Verdict.FAILED, "", f"not so: {gate.means}; {seen.detail}")
        owner = f" (owner: {gate.owner})" if gate else ""
        return Standing(Verdict.BLOCKED, seen.gate, f"blocked by {seen.gate}: {seen.detail}{owner}")
    return Standing(Verdict.UNPROVEN, seen.reason or Reason.NO_EVIDENCE, seen.detail)
