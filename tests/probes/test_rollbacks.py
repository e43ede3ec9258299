"""What is a rollback in the ledger, and what only looks like one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck import ledger
from pytest_deploycheck.drill.journal import SUFFIX
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.record import Record
from tests.probes.targets import gather

NOW = datetime.now(UTC).replace(microsecond=0)
TARGET = """\
[target]
name = "shop"
environment = "production"
base_url = "http://127.0.0.1:1"
[release]
version = "1"
commit = "aaaaaaa"
[ledger]
path = "ledger.jsonl"
"""
Seen = tuple[str, float]


def run(release: str, minute: float, **changes: Any) -> Record:
    """Return a run of a release at a minute before now; `-` is a release without a name."""
    named = {} if release == "-" else {"version": release, "commit": "aaaaaaa"}
    values: dict[str, Any] = {
        "tool": {"name": "pytest-deploycheck", "version": "0"},
        "run": {"id": f"{release}@{minute:g}", "finished_at": (NOW - timedelta(minutes=minute)).isoformat()},
        "target": {"name": "shop", "environment": "production", "config_digest": "c"},
        "release": {"version": "", "commit": "", "images": {}, "contract": "", **named},
        "checklist": {"digest": "d"},
        "selection": (),
        "decision": {"decision": "GO"},
        "items": [{"item": "post_deploy.functional.health", "verdict": "passed"}],
    }
    return Record(**(values | changes))


def look(folder: Path, records: Sequence[Record]) -> Observation:
    """Look at a ledger of these runs."""
    (folder / "ledger.jsonl").write_bytes(b"".join(ledger.chained((one, "") for one in records)))
    return gather(folder, TARGET, "rollbacks")["rollbacks"]


def back(folder: Path, *seen: Seen) -> list[str]:
    """Return the runs in which a release was back."""
    return [one.run for one in look(folder, [run(*one) for one in seen]).facts.found]


@pytest.mark.parametrize(
    ("seen", "runs"),
    [
        ([("A", 90), ("B", 60), ("A", 50), ("A", 40)], ["A@50"]),
        ([("A", 90), ("B", 60), ("C", 50), ("A", 40)], ["A@40"]),
        ([("A", 900), ("B", 61), ("A", 60), ("C", 20)], ["A@60"]),
        ([("A", 9000), ("B", 6000), ("A", 4000), ("B", 2000), ("A", 1000)], ["A@4000", "A@1000"]),
    ],
    ids=["back", "two back", "a minute after", "twice"],
)
def test_a_release_that_is_back(tmp_path: Path, seen: list[Seen], runs: list[str]) -> None:
    """The first run of a return to an older release is the event, however quick it was and whatever came after."""
    assert back(tmp_path, *seen) == runs


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [("A", 90), ("B", 60), ("C", 40)],
        [("A", 90), ("A", 60), ("A", 40)],
        [("A", 90), ("-", 60), ("A", 40)],
        [("A", 90), ("B", 60), ("A", 50), ("B", 45)],
        [("A", 90), ("B", 60), ("A", 5)],
        [(name, 600 - 5 * n) for n, name in enumerate("AB" * 50)],
        [(name, 600 - 25 * n) for n, name in enumerate("BABABABABA")][1:],
    ],
    ids=["none", "forward", "redeployed", "unnamed", "undone", "just now", "each five minutes", "stages"],
)
def test_what_is_no_rollback(tmp_path: Path, seen: list[Seen]) -> None:
    """New releases, redeploys, a file without a release, and two stages that are judged in turn are none."""
    assert back(tmp_path, *seen) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"target": {"name": "shop", "environment": "staging", "config_digest": "c"}},
        {"target": {"name": "stage", "environment": "production", "config_digest": "c"}},
        {"items": [{"item": "pre_deploy.security.ports", "verdict": "passed"}]},
        {"items": [{"item": "post_deploy.functional.health", "verdict": "unproven"}]},
        {"run": {"id": "x", "finished_at": (NOW - timedelta(minutes=60)).isoformat(), "interrupted": True}},
    ],
    ids=["environment", "target", "before its deployment", "nothing seen", "interrupted"],
)
def test_runs_that_do_not_say_what_runs(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A newer release somewhere else, not deployed yet or not seen, is none that was left."""
    facts = look(tmp_path, [run("A", 90), run("B", 60, **changes), run("A", 40)]).facts
    assert (facts.found, facts.runs, facts.releases) == ((), 2, 1)


def test_a_drill_is_no_rollback(tmp_path: Path) -> None:
    """What a drill judged while the release before was back is the drill's own event."""
    seen = [("A", 90), ("B", 60), ("A", 40), ("B", 20)]
    assert back(tmp_path, *seen) == ["A@40"]
    lines = [
        {"at": (NOW - timedelta(minutes=minute)).isoformat(), "what": what}
        for minute, what in ((45, "begun"), (35, "ended"))
    ]
    (tmp_path / "drills").mkdir()
    path = tmp_path / "drills" / f"drill-1{SUFFIX}"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert back(tmp_path, *seen) == []


def test_a_ledger_that_is_broken_or_not_named(tmp_path: Path) -> None:
    """Where the chain does not hold it is said; without a ledger nothing was looked at."""
    look(tmp_path, [run("A", 90), run("B", 60), run("A", 40)])
    path = tmp_path / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    assert gather(tmp_path, TARGET, "rollbacks")["rollbacks"].facts.broken.startswith("line 2")
    found = gather(tmp_path, TARGET.partition("[ledger]")[0], "rollbacks")["rollbacks"]
    assert (found.state, found.reason) == ("unseen", "no_config")
