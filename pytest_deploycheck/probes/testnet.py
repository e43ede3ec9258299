"""The testnet probe: the same build on a test network, and whether every function was used there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import abi_values, artifacts, evm, junit_files
from pytest_deploycheck.probes.chain_reader import moment
from pytest_deploycheck.probes.contract_deploy import Deployment, deployment
from pytest_deploycheck.probes.logs_range import logs
from pytest_deploycheck.rules.bytecode import Comparison, compare
from pytest_deploycheck.transports.rpc import Rpc, RpcError
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.chain import TestnetSection
    from pytest_deploycheck.transports import Connections

_NEWEST = 150
"""Transactions that are looked at, newest first."""


@dataclass(frozen=True)
class Used:
    """A function, how many successful calls of it were found, and one of them."""

    function: str
    calls: int
    example: str


@dataclass(frozen=True)
class Rehearsal:
    """The test run on the test network, as JUnit tells; `why` says why there is none.

    commits, address, chain_id: its properties, empty where it has none.  started_at: UTC, ISO 8601.
    """

    path: str
    tests: int = 0
    bad: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    address: str = ""
    chain_id: str = ""
    started_at: str = ""
    why: str = ""


@dataclass(frozen=True)
class TestnetFacts:
    """The test network and the deployment there.

    allowed_chains: where a deployment counts.  production_chain_id: what the reference node says of itself.
    head_age_s: of its newest block.  comparison: None when there is no code.  looked: transactions that were
    looked at.  complete: the node gave all logs.  commit: the released one, empty when the target file names none.
    """

    __test__ = False  # not a class of tests

    place: str
    chain_id: int
    allowed_chains: tuple[int, ...]
    reported_chain_id: int
    production_chain_id: int
    head_age_s: float
    address: str
    comparison: Comparison | None
    varying: tuple[str, ...]
    deployment: Deployment
    used: tuple[Used, ...]
    looked: int
    complete: bool
    rehearsal: Rehearsal
    commit: str


@probe(
    facts=TestnetFacts,
    deadline=45,
    needs=("rpc_gate",),
    uses={"rpc": "POST", "testnet": "POST", "files": "read"},
)
def testnet(target: Target, connect: Connections) -> TestnetFacts:
    """Compare the code on the test network with the build, and look for successful calls of each function."""
    section = target.testnet
    if section is None or not section.address:
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no testnet.address in {target.path.name}; add testnet.rpc_url and where the contract is there",
        )
    made = artifacts.own(target)
    rpc = connect.rpc("testnet")
    try:
        block = rpc.call("eth_getBlockByNumber", "latest", False)
        reported = rpc.number("eth_chainId")
        code = evm.raw(rpc.call("eth_getCode", section.address, "latest"))
        deployed = deployment(rpc, section.deploy_tx, section.address, made, section.constructor_args)
    except (RpcError, Dead) as why:
        raise CannotLook(Reason.NO_ACCESS, f"the test network does not answer: {why}") from None
    head, at = moment(block)
    if head is None or at is None or code is None:
        raise CannotLook(Reason.UNPARSEABLE, f"{rpc.place} gives no newest block, or no code")
    expected = artifacts.expected(
        made,
        {},
        artifacts.creation(made, dict(section.libraries), section.constructor_args),
        rpc,
        address=section.address,
        deployer=deployed.sender,
        nonce=deployed.nonce if deployed.created else None,
        value=deployed.value,
        block=head,
    )
    used, looked, complete = _used(rpc, section, deployed.block or 0, head)
    return TestnetFacts(
        place=rpc.place,
        chain_id=section.chain_id,
        allowed_chains=tuple(section.allowed_chains),
        reported_chain_id=reported,
        production_chain_id=connect.rpc().number("eth_chainId"),
        head_age_s=round(connect.now().timestamp() - at, 1),
        address=section.address,
        comparison=compare(
            made, code, immutables=expected.values, libraries=section.libraries, address=section.address
        )
        if code
        else None,
        varying=expected.varying,
        deployment=deployed,
        used=used,
        looked=looked,
        complete=complete,
        rehearsal=_rehearsal(target, section.report),
        commit=target.release.commit.lower(),
    )


def _used(rpc: Rpc, section: TestnetSection, first: int, last: int) -> tuple[tuple[Used, ...], int, bool]:
    """Look for calls in the transactions that made the contract log something, and in those that are named."""
    found = logs(rpc, section.address, [], first, last)
    hashes = [str(log.get("transactionHash", "")) for log in reversed(found or ())]
    looked = list(dict.fromkeys([*section.transactions, *hashes]))[:_NEWEST]
    sent = rpc.batch([("eth_getTransactionByHash", one) for one in looked]) if looked else []
    receipts = rpc.batch([("eth_getTransactionReceipt", one) for one in looked]) if looked else []
    used = []
    for function in section.required_functions:
        selector = evm.keccak(abi_values.bare(function).encode())[:4].hex()
        calls = [
            name
            for name, transaction, receipt in zip(looked, sent, receipts, strict=True)
            if _calls(transaction, receipt, selector, section.address)
        ]
        used.append(Used(function, len(calls), calls[0] if calls else ""))
    return tuple(used), len(looked), found is not None


def _calls(transaction: Any, receipt: Any, selector: str, address: str) -> bool:
    """Whether a transaction succeeded in calling a function: directly, or through a contract that passes it on."""
    if not isinstance(transaction, dict) or not isinstance(receipt, dict) or receipt.get("status") != "0x1":
        return False
    data = str(transaction.get("input") or transaction.get("data") or "0x")[2:].lower()
    if str(transaction.get("to") or "").lower() == address.lower():
        return data.startswith(selector)
    logged = any(str(log.get("address", "")).lower() == address.lower() for log in receipt.get("logs") or ())
    return logged and bool(transaction.get("to")) and selector in data


def _rehearsal(target: Target, name: str) -> Rehearsal:
    if not name:
        return Rehearsal("", why=f"no testnet.report in {target.path.name}; keep the JUnit of that run there")
    path = target.file(name)
    try:
        read = junit_files.parse(path.read_bytes())
    except OSError as error:
        return Rehearsal(name, why=f"{path} cannot be read: {error.strerror}")
    except junit_files.JUnitError as error:
        raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: {error}") from None
    return Rehearsal(
        path=name,
        tests=read.tests,
        bad=read.failures + read.errors,
        skipped=read.skipped,
        failed=tuple(read.bad),
        commits=tuple(read.commits),
        address=read.properties.get("address", ""),
        chain_id=read.properties.get("chain_id", ""),
        started_at=read.started_at,
    )
