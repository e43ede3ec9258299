"""The RPC probe: every node that the product uses, beside our own: its URL, its head, its finality, its speed."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import env, nodes
from pytest_deploycheck.probes.chain_reader import moment
from pytest_deploycheck.probes.nodes import Address
from pytest_deploycheck.redact import url_parts
from pytest_deploycheck.transports.rpc import Rpc, RpcError

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

LIMITED = frozenset({-32005, -32029, -32097, 429})
"""JSON-RPC codes for "too many requests" (EIP-1474's limit exceeded; Infura, Alchemy, QuickNode)."""
_SCRIPTS = re.compile(r"""(?i)<script[^>]+src=["']?([^"' >]+)""")
_SCRIPTS_MAX = 8


@dataclass(frozen=True)
class NodeFacts:
    """One node; what it did not tell is None, and `why` says why it told nothing at all.

    same_as: our word for another node with the very same URL.  head_age_s, finalized_age_s: seconds from the
    block's own time to now.  head: its newest block when all nodes were asked one after another.
    common_hash: of the newest block that is final for every node.  calls, latencies_s: single calls and how
    long each took.  limited: calls refused for being too many.  refused: other refusals, (what, how often).
    """

    name: str
    address: Address
    same_as: str = ""
    why: str = ""
    chain_id: int | None = None
    client: str = ""
    syncing: bool | None = None
    head: int | None = None
    head_age_s: float | None = None
    finalized: int | None = None
    finalized_age_s: float | None = None
    common_hash: str = ""
    calls: int = 0
    latencies_s: tuple[float, ...] = ()
    limited: int = 0
    refused: tuple[tuple[str, int], ...] = ()

    @property
    def p95_s(self) -> float | None:
        """The 95th percentile of the calls' times, in seconds."""
        ordered = sorted(self.latencies_s)
        return ordered[max(0, -(-len(ordered) * 95 // 100) - 1)] if ordered else None


@dataclass(frozen=True)
class RpcFacts:
    """All nodes.

    chain_id: the target file's.  missing: (our word for a node, why there is none).  common_block: the newest
    block that is final for all.  key_served: paths of the public site that hold a node's key, of
    `pages_looked` that were looked at.
    """

    chain_id: int
    nodes: tuple[NodeFacts, ...]
    missing: tuple[tuple[str, str], ...]
    common_block: int | None
    key_served: tuple[str, ...]
    pages_looked: int

    def node(self, name: str) -> NodeFacts | None:
        """Return a node by our word for it."""
        return next((one for one in self.nodes if one.name == name), None)

    @property
    def distinct(self) -> tuple[NodeFacts, ...]:
        """The nodes that answered, each URL once."""
        return tuple(one for one in self.nodes if not one.same_as and not one.why)


@probe(
    facts=RpcFacts,
    deadline=45,
    needs=("rpc_gate",),
    after=("ssh_gate",),
    uses={"rpc": "POST", "rpc_application": "POST", "rpc_fallback": "POST", "host": "read", "api": "GET"},
    reads=env.reads,
)
def rpc(target: Target, connect: Connections) -> RpcFacts:
    """Ask every node for its chain, head and finality, compare them, and time single calls."""
    urls, missing = nodes.addresses(target, connect)
    found: dict[str, NodeFacts] = {}
    clients: dict[str, Rpc] = {}
    for name, url in urls.items():
        same = next((one for one in found if nodes.identity(urls[one]) == nodes.identity(url)), "")
        found[name] = NodeFacts(name, nodes.address(target, url), same_as=same)
        if not same:
            try:
                client = nodes.client(connect, name, url)
                found[name] = _look(connect, client, found[name])
                clients[name] = client
            except (CannotLook, Dead, RpcError) as why:
                found[name] = replace(found[name], why=_words(why))
    heads = {name: _number(client) for name, client in clients.items()}
    common = min((one.finalized for one in found.values() if one.finalized is not None), default=None)
    used = {found[name].same_as or name for name in ("application", "fallback") if name in found}
    for name, client in clients.items():
        found[name] = replace(found[name], head=heads[name], common_hash=_hash(client, common))
        if name in used:
            found[name] = _timed(connect, client, found[name])
    for name, one in found.items():
        if one.same_as:
            found[name] = replace(found[one.same_as], name=name, same_as=one.same_as)
    served, looked = _served(connect, urls)
    return RpcFacts(
        chain_id=target.contract.chain_id,
        nodes=tuple(found.values()),
        missing=tuple(missing.items()),
        common_block=common,
        key_served=served,
        pages_looked=looked,
    )


def _look(connect: Connections, rpc: Rpc, made: NodeFacts) -> NodeFacts:
    """Ask a node what it is and how far it is."""
    chain = rpc.number("eth_chainId")
    client, syncing, latest, final = rpc.batch(
        [
            ("web3_clientVersion",),
            ("eth_syncing",),
            ("eth_getBlockByNumber", "latest", False),
            ("eth_getBlockByNumber", "finalized", False),
        ]
    )
    now = connect.now().timestamp()
    head, head_at = moment(latest)
    finalized, final_at = moment(final)
    return replace(
        made,
        chain_id=chain,
        client=client[:80] if isinstance(client, str) else "",
        syncing=None if isinstance(syncing, RpcError) else syncing is not False,
        head=head,
        head_age_s=None if head_at is None else round(now - head_at, 1),
        finalized=finalized,
        finalized_age_s=None if final_at is None else round(now - final_at, 1),
    )


def _timed(connect: Connections, rpc: Rpc, made: NodeFacts) -> NodeFacts:
    """Time single calls, as an application makes them; a refusal counts as one."""
    took: list[float] = []
    refused: Counter[str] = Counter()
    limited = calls = 0
    for number in range(int(connect.limits.rpc_calls)):
        # What cannot be answered from the node's memory of the last second, beside what can.
        call = ("eth_blockNumber",) if number % 2 else ("eth_getBlockByNumber", "latest", False)
        calls += 1
        began = time.monotonic()
        try:
            rpc.call(*call)
            took.append(round(time.monotonic() - began, 4))
        except RpcError as error:
            if error.code in LIMITED or rpc.status == 429:
                limited += 1
            else:
                refused[f"{error.code} {error.message}"[:80]] += 1
        except (CannotLook, Dead) as why:
            if rpc.status == 429:
                limited += 1
            else:
                refused[_words(why)[:80]] += 1
            if connect.remaining() < 5:
                break
    return replace(
        made,
        calls=calls,
        latencies_s=tuple(took),
        limited=limited,
        refused=tuple(sorted(refused.items())),
    )


def _number(rpc: Rpc) -> int | None:
    try:
        return rpc.number("eth_blockNumber")
    except (RpcError, CannotLook, Dead):
        return None


def _hash(rpc: Rpc, number: int | None) -> str:
    if number is None:
        return ""
    try:
        block = rpc.call("eth_getBlockByNumber", hex(number), False)
    except (RpcError, CannotLook, Dead):
        return ""
    return str(block.get("hash", "")) if isinstance(block, dict) else ""


def _served(connect: Connections, urls: Mapping[str, str]) -> tuple[tuple[str, ...], int]:
    """Look for the nodes' keys in the site's first page and its own scripts."""
    keys = {part for url in urls.values() for part in url_parts(url)}
    if not keys:
        return (), 0
    http = connect.http("api")
    found: list[str] = []
    looked, todo = 0, ["/"]
    while todo and looked <= _SCRIPTS_MAX:
        path = todo.pop(0)
        try:
            answer = http.get(path)
        except (CannotLook, Dead):
            break
        if answer.status != 200:
            continue
        looked += 1
        if any(key in answer.text for key in keys):
            found.append(path)
        if path == "/" and "html" in (answer.header("content-type") or ""):
            base = http.base + "/"
            scripts = (urljoin(base, source) for source in _SCRIPTS.findall(answer.text))
            todo += [urlsplit(one).path for one in scripts if urlsplit(one).netloc == urlsplit(base).netloc]
    return tuple(found), looked


def _words(error: Exception) -> str:
    if isinstance(error, CannotLook | Dead):
        return error.message
    return str(error)
