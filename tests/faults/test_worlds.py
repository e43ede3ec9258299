"""No item passes in an empty world, and each is blocked behind every prerequisite of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.decision import DeadGate, decide
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.gates import GATES
from pytest_deploycheck.gather import closure, inherited
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes import registry
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.verdict import ItemVerdict, Verdict
from tests.faults.harness import Judged, all_probes, checks, judge_all, look
from tests.faults.tools import stopped

ITEMS = sorted({item for check in checks() for item in check.items})
EMPTY = '[target]\nname = "empty"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
CLOSED = EMPTY + Path(__file__).with_name("closed.toml").read_text()


@pytest.fixture(scope="module", params=["empty target", "closed ports and empty files"])
def nothing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Judged]:
    """Judge everything in a world without anything."""
    folder = tmp_path_factory.mktemp("nothing")
    closed = request.param != "empty target"
    for name, text in (
        ("secret", "not-a-secret-1"),
        ("dsn", "postgresql://127.0.0.1:1/x"),
        ("rpc", "http://127.0.0.1:1"),
        ("redis", "redis://:not-a-secret-1@127.0.0.1:1/0"),
    ):
        (folder / name).write_text(text)
    for name in ("load", "scans"):
        (folder / name).mkdir()
    (folder / "scans" / "a.json").write_text("{}")
    for name in ("stats", "failures", "exceptions", "stats_history"):
        (folder / "load" / f"load_{name}.csv").write_text("")
    (folder / "target.toml").write_text(CLOSED if closed else EMPTY)
    return judge_all(*look(load(folder / "target.toml"), all_probes()))


@pytest.mark.parametrize("item", ITEMS)
def test_nothing_passes_in_an_empty_world(item: str, nothing: dict[str, Judged]) -> None:
    """Where there is nothing to see, the item is unproven, blocked or failed, and its check has no bug."""
    assert nothing[item].verdict in (Verdict.UNPROVEN, Verdict.BLOCKED, Verdict.FAILED), nothing[item]


def gates_of(item: str) -> Iterator[str]:
    """Yield the gate probes that an item's own probes wait for."""
    probes = [name for check in checks() if item in check.items for name in check.probes]
    wanted = closure(probes, registry(), after=False)
    yield from (name for name in wanted if name in ("api", "acct") or name.endswith("_gate"))


def with_dead(gate_probe: str, seen: dict[str, Observation]) -> dict[str, Observation]:
    """Return observations in which a gate refused, and everything behind it inherited that."""
    names = {"api": "api", "acct": "acct"}
    gate = names.get(gate_probe) or gate_probe.removesuffix("_gate")
    world = {**seen, gate_probe: Observation(gate_probe, "dead", gate=gate, detail="refused")}
    for name in closure(list(seen), registry()):
        if name != gate_probe and (cause := inherited(registry()[name], world)):
            world[name] = cause
    return world


PAIRS = [(item, gate) for item in ITEMS for gate in gates_of(item)]


@pytest.mark.parametrize(("item", "gate"), PAIRS)
def test_dead_gates_block(item: str, gate: str, healthy: tuple[Run, dict[str, Observation]]) -> None:
    """Behind a dead prerequisite an item is blocked; the one that owns the prerequisite has failed."""
    run, seen = healthy
    judged = judge_all(run, with_dead(gate, seen))[item]
    known = GATES[gate.removesuffix("_gate")]
    owners = Verdict.FAILED if known.unseen is None else Verdict.UNPROVEN
    assert judged.verdict is (owners if known.owner == item else Verdict.BLOCKED), judged


def test_every_item_waits_for_a_gate_or_says_why_not() -> None:
    """Only items that read files, or that ask several systems each of which may be missing, have no gate."""
    free = {item for item in ITEMS if not any(True for _ in gates_of(item))}
    # What people signed is read from files and from the ledger.
    recorded = ("sign_off.", "go_live.communication.", "rollback.procedure.", "go_live.mobile.")
    signed = {item for item in ITEMS if item.startswith(recorded)}
    assert free <= signed | {
        # A record of a drill, a manifest and a registry; the server is looked at where there is one.
        "operations.maintenance.rollback",
        # Records of exercises, and the files that go with them.
        "operations.backup.recovery",
        "post_go_live.ongoing.dr_test",
        # The guide is read out of the code, or beside the target file.
        "operations.documentation.deploy",
        "deploy.code.scan",
        "go_live.final.scans",
        "post_go_live.ongoing.deps",
        "post_go_live.ongoing.sec_audit",
        "deploy.code.deps",
        "deploy.code.build",
        "post_deploy.security.vulns",
        "post_deploy.security.cert",
        "post_deploy.functional.health",
        "post_deploy.monitoring.errors",
        "post_deploy.monitoring.uptime",
        "post_deploy.performance.load",
    }


@pytest.mark.parametrize(
    ("server", "gate", "owner"),
    [
        ("prometheus", "prom", "post_deploy.monitoring.prometheus"),
        ("nginx", "net", ""),
        ("postgres", "db", "post_deploy.functional.health"),
        ("rpc", "rpc", "pre_deploy.environment.rpc_url"),
    ],
)
def test_stopped_servers(demo: Deployment, server: str, gate: str, owner: str, tmp_path: Path) -> None:
    """With a server really stopped, its gate is dead, its owner carries the failure, and it is NO-GO."""
    quick = [name for name in all_probes() if not registry()[name].exclusive]
    with stopped(demo, server):
        run, seen = look(load(demo.target), quick)
    exclusive = {n: Observation(n, "unseen", reason="not_allowed") for n in all_probes() if n not in seen}
    judged = judge_all(run, {**seen, **exclusive})
    dead = {entry.gate for entry in seen.values() if entry.state == "dead"}
    assert gate in dead
    if owner:
        assert judged[owner].verdict is Verdict.FAILED
    behind = [item for item in ITEMS if judged[item].verdict is Verdict.BLOCKED]
    assert behind
    verdicts = [ItemVerdict(item, found.verdict) for item, found in judged.items()]
    assert decide(verdicts, dead_gates=[DeadGate(name, "", "") for name in dead]).decision == "NO-GO"
    assert not [item for item, found in judged.items() if found.verdict is Verdict.ERROR], judged
