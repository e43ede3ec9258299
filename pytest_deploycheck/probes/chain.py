"""The chain probe: what the application says of the chain, beside what a node of our own says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import evm, promql
from pytest_deploycheck.probes.fields import Fields, document, integer
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http
    from pytest_deploycheck.transports.rpc import Rpc

_BEHIND_S = 3.0
_SUPPLY = "totalSupply()"


@dataclass(frozen=True)
class ChainRead:
    """One value of the contract: as the API shows it, and as the reference node has it at `block`."""

    name: str
    path: str
    shown: int
    block: int
    held: int | None


@dataclass(frozen=True)
class ChainLook:
    """The application's view at one moment, None where it does not say.

    head, head_after: the reference node's newest block right before the question, and after it.
    queue: transactions that wait to be sent or confirmed.
    """

    status: int
    chain_id: int | None
    contract: str | None
    block: int | None
    head: int
    head_after: int
    indexer_block: int | None
    queue: int | None
    reads: tuple[ChainRead, ...]

    @property
    def lag(self) -> int | None:
        """Blocks by which the application is behind the reference node."""
        return None if self.block is None else self.head - self.block

    @property
    def indexer_lag(self) -> int | None:
        """Blocks by which its index is behind the reference node."""
        return None if self.indexer_block is None else self.head - self.indexer_block


@dataclass(frozen=True)
class ChainFacts:
    """Two looks some seconds apart.

    chain_id, contract: what the target file says; reference_chain_id: what the reference node says.
    indexed: whether the product keeps an index.  rpc_errors: the application's own count of failed calls
    to its node before and after the looks, each None when Prometheus is not configured or has no such metric.
    """

    path: str
    chain_id: int
    reference_chain_id: int
    contract: str
    indexed: bool
    looks: tuple[ChainLook, ...]
    rpc_errors: tuple[float | None, float | None]


@probe(
    facts=ChainFacts,
    deadline=50,
    needs=("api", "rpc_gate"),
    uses={"api": "GET", "rpc": "POST", "prometheus": "GET"},
)
def chain(target: Target, connect: Connections) -> ChainFacts:
    """Ask the API twice how it sees the chain and the contract, and the reference node the same."""
    section = target.api
    if not (section.chain_path or section.token_path):
        where = f"api.chain_path and api.token_path in {target.path.name} are empty"
        raise CannotLook(Reason.NO_CONFIG, f"{where}; name a route that reads the chain")
    http, rpc = connect.http("api"), connect.rpc()
    before = _errors(target, connect)
    first = _look(target, connect, http, rpc)
    connect.sleep(target.limits.chain_interval_s)
    second = _look(target, connect, http, rpc)
    return ChainFacts(
        path=section.chain_path or section.token_path,
        chain_id=target.contract.chain_id,
        reference_chain_id=rpc.number("eth_chainId"),
        contract=target.contract.address,
        indexed=target.contract.indexed,
        looks=(first, second),
        rpc_errors=(before, None if before is None else _errors_later(target, connect)),
    )


def _look(target: Target, connect: Connections, http: Http, rpc: Rpc) -> ChainLook:
    fields, section = Fields(target.api.fields), target.api
    head = rpc.number("eth_blockNumber")
    answers = [(path, http.get(path)) for path in (section.chain_path, section.token_path) if path]
    bodies = [(path, document(answer)) for path, answer in answers]
    numbers = [fields.integer(body, "block") for _, body in bodies]
    newest = rpc.number("eth_blockNumber")
    for number in numbers:
        newest = _await(connect, rpc, newest, number)
    reads = [
        read
        for (path, body), number in zip(bodies, numbers, strict=True)
        for read in _reads(target, rpc, fields, path, body, newest if number is None else min(number, newest))
    ]
    whole = dict(bodies)
    indexed = fields.integer(whole, "indexer_block")
    return ChainLook(
        status=next((answer.status for _, answer in answers if answer.status != 200), 200),
        chain_id=fields.integer(whole, "chain_id"),
        contract=_contract(fields, bodies),
        block=next((number for number in numbers if number is not None), None),
        head=head,
        head_after=newest,
        indexer_block=_metric(target, connect) if indexed is None else indexed,
        queue=fields.integer(whole, "queue_depth"),
        reads=tuple(reads),
    )


def _await(connect: Connections, rpc: Rpc, newest: int, number: int | None) -> int:
    """Give a reference node that is a little behind the time to catch up with a block."""
    waited = 0.0
    while number is not None and newest < number and waited < _BEHIND_S:
        connect.sleep(0.2)
        waited += 0.2
        newest = rpc.number("eth_blockNumber")
    return newest


def _reads(target: Target, rpc: Rpc, fields: Fields, path: str, body: Any, block: int) -> list[ChainRead]:
    """Return the contract's values that an answer shows, with the reference node's at the same block."""
    contract = target.contract
    functions = {"total_supply": _SUPPLY, "price": contract.price, "paused": contract.paused}
    found = []
    for name, function in functions.items():
        value = fields.get(body, name)
        shown = int(value) if isinstance(value, bool) else integer(value)
        if shown is not None and contract.address:
            held = evm.read(rpc, contract.address, function, block=hex(block))
            found.append(ChainRead(name, path, shown, block, held))
    return found


def _contract(fields: Fields, bodies: list[tuple[str, Any]]) -> str | None:
    for _, body in bodies:
        found = fields.text(body, "contract_address") or ""
        if evm.ADDRESS.fullmatch(found):
            return found
    return None


def _metric(target: Target, connect: Connections) -> int | None:
    """Return the indexer's block by its metric."""
    value = _ask(target, connect, f"max({target.prometheus.indexer_metric})" if target.prometheus else "")
    return None if value is None else int(value)


def _errors(target: Target, connect: Connections) -> float | None:
    return _ask(target, connect, f"sum({target.prometheus.rpc_errors_metric})" if target.prometheus else "")


def _errors_later(target: Target, connect: Connections) -> float | None:
    """Return the count once every instance was scraped after the looks; None if that takes too long."""
    assert target.prometheus is not None
    metric = target.prometheus.rpc_errors_metric
    looked = _ask(target, connect, "time()")
    for _ in range(int(target.limits.chain_scrape_wait_s / 0.25)):
        scraped = _ask(target, connect, f"min(timestamp({metric}))")
        if looked is not None and scraped is not None and scraped > looked:
            return _errors(target, connect)
        connect.sleep(0.25)
    return None


def _ask(target: Target, connect: Connections, query: str) -> float | None:
    """Return a query's value; a Prometheus that is away is another item's failure."""
    if not query:
        return None
    try:
        return promql.client(target, connect).value(query)
    except (Dead, CannotLook):
        return None
