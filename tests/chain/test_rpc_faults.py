"""Faults of nodes and their URLs, on two anvils and on small servers that answer as providers do."""

from __future__ import annotations

import time
from typing import Any

from pytest_deploycheck.verdict import Verdict
from tests.chain.pair import Pair, url
from tests.chain.provider import KEY, Change, provider
from tests.faults.harness import Judged
from tests.probes.service import Reply, serving

RPC = "pre_deploy.environment.rpc_url"


def judged(pair: Pair, application: str, fallback: str = "", **rpc: Any) -> Judged:
    """Judge the nodes; the second one is the fallback unless another is given; "-" leaves a node out."""
    urls = {"application": application, "fallback": fallback or url(pair.two)}
    for name, text in urls.items():
        (pair.folder / name).write_text(text)
    found = {name: {"file": name} for name, text in urls.items() if text != "-"}
    return pair.judge({}, RPC, rpc={"url": {"file": "one"}, **found, **rpc})


def fails(found: Judged, words: str) -> None:
    """Expect a failure in these words, without the key."""
    assert found.verdict is Verdict.FAILED, found
    assert words in found.message, found.message
    assert KEY not in found.message


def changed(method: str, value: Any) -> Change:
    """Answer a method with another result."""
    return lambda call, answer: {**answer, "result": value} if call["method"] == method else None


def test_healthy(pair: Pair) -> None:
    """A provider with a key, and a node of our own as its fallback."""
    pair.settle()
    with provider(pair) as there:
        found = judged(pair, there)
    assert found.verdict is Verdict.PASSED, found


def test_websocket(pair: Pair) -> None:
    """A WebSocket URL is judged, and its provider asked over HTTP at the same place."""
    pair.settle()
    with provider(pair) as there:
        found = judged(pair, there.replace("http://", "ws://").replace("/v3/", "/ws/v3/"))
    assert found.verdict is Verdict.PASSED, found


def test_head_stands_still(pair: Pair) -> None:
    """A node whose newest block is old, while it says that it is not syncing."""
    pair.settle()
    time.sleep(2.1)
    (pair.folder / "app").write_text(url(pair.one))
    (pair.folder / "fallback").write_text(url(pair.two))
    found = pair.judge(
        {},
        RPC,
        rpc={"application": {"file": "app"}, "fallback": {"file": "fallback"}},
        limits={"rpc_max_head_age_s": 1},
    )
    fails(found, "the newest block of the reference node at")


def test_finality_stands_still(pair: Pair) -> None:
    """A node whose head moves while nothing becomes final."""
    pair.settle()
    old = pair.one.call("eth_getBlockByNumber", "0x0", False)

    def change(call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any] | None:
        final = call["method"] == "eth_getBlockByNumber" and call["params"][0] == "finalized"
        return {**answer, "result": {**old, "timestamp": "0x5"}} if final else None

    with provider(pair, change) as there:
        fails(judged(pair, there), "the newest final block of the application node")


def test_wrong_chain(pair: Pair) -> None:
    """The URL of a test network."""
    pair.settle()
    with provider(pair, changed("eth_chainId", "0xaa36a7")) as there:
        fails(judged(pair, there), "is on chain 11155111, the contract on 31337")


def test_syncing(pair: Pair) -> None:
    """A node that says it is still syncing."""
    pair.settle()
    with provider(pair, changed("eth_syncing", {"currentBlock": "0x1", "highestBlock": "0x9"})) as there:
        fails(judged(pair, there), "still syncing")


def test_fork(pair: Pair) -> None:
    """Two nodes that are sure of different blocks."""
    pair.settle()
    for _ in range(4):
        pair.two.call("evm_increaseTime", 1)
        pair.two.call("evm_mine")
    pair.mine(4)
    with provider(pair) as there:
        fails(judged(pair, there), "the nodes are on different chains")


def test_behind(pair: Pair) -> None:
    """A fallback that is some blocks behind."""
    pair.settle()
    pair.mine(9)
    with provider(pair) as there:
        fails(judged(pair, there), "the nodes' heads are apart")


def test_rate_limited(pair: Pair) -> None:
    """A quota that is used up: by JSON-RPC code, and by HTTP status."""
    pair.settle()
    seen = {"calls": 0}

    def limited(call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any] | None:
        if call["method"] != "eth_blockNumber":
            return None
        seen["calls"] += 1
        error = {"code": -32005, "message": "daily request count exceeded, request rate limited"}
        return {"jsonrpc": "2.0", "id": call["id"], "error": error} if seen["calls"] > 4 else None

    with provider(pair, limited) as there:
        fails(judged(pair, there), "for being too many")


def test_wrong_key(pair: Pair) -> None:
    """A key that the provider does not know."""
    pair.settle()
    with provider(pair) as there:
        fails(judged(pair, there.replace("0123", "3210", 1)), "the application's node does not answer")


def test_no_key(pair: Pair) -> None:
    """A hosted provider's URL without a key, and one with the tutorial's."""
    pair.settle()
    hosts = {"own_hosts": ["nobody.example"], "allowed_hosts": ["127.0.0.1"]}
    with provider(pair) as there:
        fails(judged(pair, there.replace(KEY, ""), **hosts), "")
        for key in ("demo", "YOUR-PROJECT-ID", "your_api_key_goes_here_please"):
            fails(judged(pair, there.replace(KEY, key), **hosts), "")


def test_unknown_host(pair: Pair) -> None:
    """A host that nobody meant."""
    pair.settle()
    with provider(pair) as there:
        fails(judged(pair, there, own_hosts=["10.0.0.*"]), "neither rpc.allowed_hosts nor rpc.own_hosts")


def test_dead_fallback(pair: Pair) -> None:
    """A fallback that does not answer is no fallback."""
    pair.settle()
    with provider(pair) as there:
        fails(judged(pair, there, "http://127.0.0.1:9"), "the fallback does not answer")


def test_no_fallback(pair: Pair) -> None:
    """Without a fallback the item is not proven."""
    pair.settle()
    with provider(pair) as there:
        found = judged(pair, there, "-")
    assert found.verdict is Verdict.UNPROVEN, found
    assert "rpc.fallback" in found.message


def test_fallback_at_the_same_provider(pair: Pair) -> None:
    """Two URLs at one provider fail together."""
    pair.settle()
    with provider(pair) as there:
        fails(judged(pair, there, f"{there}?second=1"), "at the same provider")


def test_slow(pair: Pair) -> None:
    """A node that takes its time."""
    pair.settle()

    def slow(call: dict[str, Any], answer: dict[str, Any]) -> None:
        if call["method"] == "eth_blockNumber":
            time.sleep(0.15)

    with provider(pair, slow) as there:
        (pair.folder / "app").write_text(there)
        (pair.folder / "fallback").write_text(url(pair.two))
        rpc = {"application": {"file": "app"}, "fallback": {"file": "fallback"}}
        fails(pair.judge({}, RPC, rpc=rpc, limits={"rpc_p95_s": 0.1}), "s at the 95th percentile")


def test_application_unknown(pair: Pair) -> None:
    """Where neither the target file nor the environment tells the application's URL, nothing is proven."""
    pair.settle()
    found = judged(pair, "-")
    assert found.verdict is Verdict.UNPROVEN, found
    assert "rpc.application" in found.message, found


def test_the_reference_is_down(pair: Pair) -> None:
    """Behind a balancer without a node, the reference is dead, and this item carries that; a bad key is no access."""
    pair.settle()
    with serving(lambda asked: Reply(502, "<html>Bad Gateway</html>")) as there, provider(pair) as good:
        (pair.folder / "bad").write_text(there)
        fails(judged(pair, good, url={"file": "bad"}), "answers 502")
        (pair.folder / "bad").write_text(good.replace("0123", "3210", 1))
        found = judged(pair, good, url={"file": "bad"})
    assert found.verdict is Verdict.UNPROVEN, found
    assert "is its key right?" in found.message, found
