"""The admin events probe: what administrators did to the contract since the release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import evm
from pytest_deploycheck.probes.chain_reader import moment
from pytest_deploycheck.probes.logs_range import logs
from pytest_deploycheck.transports.rpc import Rpc, RpcError
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

STEPS_MAX = 64


@dataclass(frozen=True)
class AdminEvent:
    """One event: expected where its transaction is declared, or is the deployment itself."""

    name: str
    transaction: str
    block: int
    expected: bool


@dataclass(frozen=True)
class AdminEventsFacts:
    """Events of the contract from the release's first block to the newest.

    enabled: the product has a contract; without one nothing is asked.  events: None where the node does not give all logs of that range.  paused: what the contract says now, None
    without such a function.  since: the release's time, ISO 8601, empty where the target file does not say it;
    then first_block is that of the contract's deployment.  watched: the signatures looked for.  chain_id: of the
    node, beside `expected_chain_id`.
    """

    enabled: bool
    address: str
    first_block: int | None
    last_block: int
    since: str
    watched: tuple[str, ...]
    events: tuple[AdminEvent, ...] | None
    paused: bool | None
    chain_id: int
    expected_chain_id: int


@probe(facts=AdminEventsFacts, deadline=60, after=("contract_gate",), uses={"rpc": "POST"})
def admin_events(target: Target, connect: Connections) -> AdminEventsFacts:
    """Read the contract's administrative events since the release, in as many requests as the node demands."""
    contract, watched = target.contract, tuple(target.triggers.admin_events)
    if not contract.enabled:
        return AdminEventsFacts(
            False, contract.address, None, 0, "", watched, None, None, 0, contract.chain_id
        )
    if not contract.address:
        raise CannotLook(Reason.NO_CONFIG, f"no contract.address in {target.path.name}; add it")
    rpc = connect.rpc()
    head = rpc.number("eth_blockNumber")
    deployed = target.release.deployed_at
    created = _created(rpc, contract.deploy_tx)
    first = _first_after(rpc, deployed.timestamp(), head) if deployed else created
    paused = evm.read(rpc, contract.address, contract.paused) if contract.paused else None
    return AdminEventsFacts(
        enabled=True,
        address=contract.address,
        first_block=first,
        last_block=head,
        since=deployed.isoformat() if deployed else "",
        watched=watched,
        events=_events(target, rpc, first, head) if first is not None else None,
        paused=None if paused is None else bool(paused),
        chain_id=rpc.number("eth_chainId"),
        expected_chain_id=contract.chain_id,
    )


def _created(rpc: Rpc, transaction: str) -> int | None:
    """Return the block that the contract came with."""
    if not transaction:
        return None
    try:
        receipt = rpc.call("eth_getTransactionReceipt", transaction)
    except RpcError:
        return None
    return evm.quantity(receipt.get("blockNumber")) if isinstance(receipt, dict) else None


def _first_after(rpc: Rpc, at: float, head: int) -> int | None:
    """Return the first block not older than a Unix time, by halving; None where blocks cannot be read."""
    low, high = 0, head + 1
    for _ in range(STEPS_MAX):
        if low >= high:
            break
        middle = (low + high) // 2
        try:
            _, when = moment(rpc.call("eth_getBlockByNumber", hex(middle), False))
        except RpcError:
            when = None
        if when is None:
            return None
        low, high = (low, middle) if when >= at else (middle + 1, high)
    return min(low, head)


def _events(target: Target, rpc: Rpc, first: int, last: int) -> tuple[AdminEvent, ...] | None:
    contract, names = target.contract, target.triggers.admin_events
    topics = {evm.topic(name): name for name in names}
    # A beacon and an administrator's contract rule the proxy, and say so at their own addresses.
    places = list(dict.fromkeys(filter(None, (contract.address, contract.beacon, contract.proxy_admin))))
    found = []
    for place in places:
        some = logs(rpc, place, [list(topics)], first, last)
        if some is None:
            return None
        found += some
    planned = {one.lower() for one in (*target.triggers.expected_transactions, contract.deploy_tx) if one}
    events = []
    for log in found:
        name = topics.get(str((log.get("topics") or [""])[0]).lower())
        if name is not None and str(log.get("address", "")).lower() in {one.lower() for one in places}:
            transaction = str(log.get("transactionHash", "")).lower()
            block = evm.quantity(log.get("blockNumber")) or 0
            events.append(AdminEvent(name, transaction, block, transaction in planned))
    return tuple(sorted(events, key=lambda one: (one.block, one.transaction)))
