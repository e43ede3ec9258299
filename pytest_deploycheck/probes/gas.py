"""The gas probe: the stored estimates beside fresh ones, and the code's sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import artifacts, estimates
from pytest_deploycheck.probes.estimates import Estimate, Fee
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.rpc import Rpc

DEPLOY = "deploy"
_NOBODY = "0x000000000000000000000000000000000000dEaD"


@dataclass(frozen=True)
class Report:
    """The stored estimates: function -> gas, for one build, made at a time, assuming a fee.

    why: why there are none.  made_at: UTC, ISO 8601, empty where the report does not say.
    """

    path: str
    artifact_sha256: str = ""
    made_at: str = ""
    max_fee_wei: int | None = None
    estimates: tuple[tuple[str, int], ...] = ()
    why: str = ""

    def gas(self, function: str) -> int | None:
        """Return the stored estimate of a function."""
        return dict(self.estimates).get(function)


@dataclass(frozen=True)
class GasFacts:
    """Fresh estimates of the deployment and of every call, beside the stored ones.

    deploy: None when the creation code cannot be completed, which `undeployable` tells.  artifact_sha256: names
    the build.  runtime_bytes, initcode_bytes: sizes of the deployed code and of what creates it, arguments
    included.  budget_wei: 0 when the target file names none.
    """

    report: Report
    fee: Fee
    calls: tuple[Estimate, ...]
    deploy: Estimate | None
    undeployable: str
    artifact_sha256: str
    runtime_bytes: int
    initcode_bytes: int
    budget_wei: int

    @property
    def cost_wei(self) -> int:
        """What the deployment and one of each call cost together, at the fee to offer."""
        known = [one.gas for one in (*self.calls, *([self.deploy] if self.deploy else []))]
        return sum(gas for gas in known if gas is not None) * self.fee.max_fee_wei


@probe(facts=GasFacts, deadline=30, needs=("rpc_gate",), uses={"rpc": "POST", "files": "read"})
def gas(target: Target, connect: Connections) -> GasFacts:
    """Estimate the deployment and every call of the product afresh, and read the stored estimates."""
    rpc, made = connect.rpc(), artifacts.own(target)
    contract = target.contract
    data = artifacts.creation(made, dict(contract.libraries), contract.constructor_args)
    deploy, why = None, "contract.constructor_args or contract.libraries is not given"
    if data is not None:
        payer = contract.deployer or _sender(rpc, contract.deploy_tx) or target.signer.address or _NOBODY
        deploy, why = estimates.estimate(rpc, DEPLOY, {"from": payer, "data": "0x" + data.hex()}), ""
    return GasFacts(
        report=_report(target),
        fee=estimates.fee(rpc),
        calls=estimates.calls(target, rpc, target.signer.address or _NOBODY),
        deploy=deploy,
        undeployable=why,
        artifact_sha256=made.creation_sha256,
        runtime_bytes=len(made.runtime) + made.appended,
        initcode_bytes=len(data if data is not None else made.creation),
        budget_wei=target.gas.budget_wei,
    )


def _sender(rpc: Rpc, transaction: str) -> str:
    found = rpc.batch([("eth_getTransactionReceipt", transaction)])[0] if transaction else None
    return str(found.get("from", "")) if isinstance(found, dict) else ""


def _report(target: Target) -> Report:
    """Read the stored estimates; a report of another shape says so."""
    name = target.gas.report
    if not name:
        return Report("", why=f"no gas.report in {target.path.name}; keep the estimates of the release there")
    path = target.file(name)
    try:
        document = safe_json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return Report(name, why=f"{path} cannot be read: {error.strerror}")
    except ValueError:
        return Report(name, why=f"{path.name} is not JSON")
    try:
        return _parsed(name, document)
    except (TypeError, KeyError, ValueError, AttributeError):
        raise CannotLook(
            Reason.UNPARSEABLE,
            f"{path.name} holds no estimates: artifact_sha256, made_at, estimates {{function: gas}}",
        ) from None


def _parsed(name: str, document: Any) -> Report:
    fee = document.get("max_fee_wei")
    return Report(
        path=name,
        artifact_sha256=str(document["artifact_sha256"]).removeprefix("0x").lower(),
        made_at=str(document["made_at"]),
        max_fee_wei=None if fee is None else int(fee),
        estimates=tuple(sorted((str(key), int(value)) for key, value in document["estimates"].items())),
    )
