"""The demo's drill: recorded on this same demo on another day, and put to this folder; labelled as a stand-in.

A drill takes half a minute and an outage, so that a fresh deployment does not run one by itself. What is signed here
was measured in a real one, whose record is `files/drill/recorded.json`; only names of places, digests and days are this
folder's. `pytest suites/rollback --drill --target DIR/target.toml` runs a real one, whose record then counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.claims import signatures
from pytest_deploycheck.demo import rollback
from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.people import release as release_of
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.drill.record import DrillRecord, parse

RECORDED = Path(__file__).parents[1] / "files" / "drill" / "recorded.json"
ITEM = "operations.maintenance.rollback"
_AGO = timedelta(days=1)
_WRITTEN = timedelta(hours=3)


def write(world: World, people: People) -> None:
    """Sign the drill, what a person saw in it, and its account."""
    if rollback.available() is not None:
        return
    record = recorded(world, people.now - _AGO)
    facts: dict[str, Any] = record.to_json()
    people.record(ITEM, "devops", "The rollback was rehearsed.", facts, ago=_AGO - timedelta(minutes=5))
    vouch(people, record, _AGO - _WRITTEN)


def vouch_for_the_newest(world: World) -> None:
    """Sign what people add to the drill that was done last: that they looked at its data, and its account."""
    people = People(world)
    newest = max(people.claims.glob(f"record-{ITEM.replace('.', '-')}-*.json"), key=lambda path: path.name)
    vouch(people, parse(json.loads(newest.read_text())["facts"]), timedelta())


def vouch(people: People, record: DrillRecord, ago: timedelta) -> None:
    """Sign a look at a drill's data and its account, which the lead of the drill signs as well."""
    people.record(
        "rollback.procedure.verify",
        "devops",
        "Restored data were looked at by a person.",
        {
            "drill": record.id,
            "looked_at": "the newest three purchases of the account traffic, with their transactions",
            "as_expected": True,
        },
        ago=ago,
    )
    path = people.record(
        "rollback.procedure.postmortem", "techlead", "What the drill taught us.", account(record), ago=ago
    )
    countersign(people, path, "operations")


def countersign(people: People, path: Path, role: str) -> None:
    """Sign a file as another role, too."""
    own = path.with_name(f"{path.name}.sig")
    before = own.read_bytes()
    signatures.sign(path, people.key(role))
    own.rename(path.with_name(f"{path.name}.{role}.sig"))
    own.write_bytes(before)


def account(record: DrillRecord) -> dict[str, Any]:
    """Return an account of a drill; who did what in it is invented, its times and numbers are the record's."""
    steps = [
        {"at": step.ended_at, "what": f"{step.name} was done"}
        for step in record.steps
        if step.state == "done"
    ]
    begun = {"at": record.steps[0].started_at, "what": "the drill began"}
    due = (record.ended_at + timedelta(days=20)).date().isoformat()
    return {
        "event": record.id,
        "trigger": "a planned drill",
        "timeline": [begun, *steps],
        "impact": {"outage_s": record.outage.outage_s, "rows_lost": sum(record.rows_lost.values())},
        "root_causes": [
            "nothing failed; the snapshot took longest, since both repositories are written in turn"
        ],
        "what_helped": ["each step is one command that may be run twice"],
        "decisions": [{"at": begun["at"], "who": "grace", "what": "the drill may begin"}],
        "actions": [
            {
                "what": "write both repositories of the snapshot side by side",
                "owner": "grace",
                "due": due,
                "tracker": "https://git.tokens.example/token-service/issues/41",
                "done": False,
            }
        ],
        "runbook_updates": ["docs/runbooks/backup.md"],
    }


def recorded(world: World, ended_at: datetime) -> DrillRecord:
    """Return the recorded drill as one of this folder, which ended at a time."""
    text = RECORDED.read_text()
    for name, value in _places(world).items():
        text = text.replace(f"@{name}@", value)
    values = json.loads(text)
    before = rollback.manifest(world)
    release = release_of(world)
    for step in values["steps"]:
        if step["name"] == "snapshot":
            step["after"]["items"]["images"] = release.images
    values["release"] |= {"images": release.images}
    values["previous"] |= {name: before[name] for name in ("images", "schema")}
    for step in values["steps"]:
        if step["name"] == "previous":
            step["after"]["images"] = before["images"]
    moved: dict[str, Any] = _moved(values, ended_at - datetime.fromisoformat(values["ended_at"]))
    return parse({**moved, "id": f"drill-{ended_at:%Y%m%dT%H%M%SZ}-recorded"})


def template(record: Mapping[str, Any], world: World) -> str:
    """Return a real drill's record as `recorded.json`: without what is this folder's."""
    text = json.dumps(record, indent=1)
    for name, value in sorted(_places(world).items(), key=lambda one: -len(one[1])):
        text = text.replace(value, f"@{name}@")
    return text + "\n"


def _places(world: World) -> dict[str, str]:
    before = rollback.manifest(world)
    return {
        "edge": world.url("edge"),
        "dir": str(world.dir),
        "python": sys.executable,
        "commit": world.release.commit,
        "previous": before["commit"],
        "config": before["config_sha256"],
        "contract": deploy.token_address(world),
    }


def _moved(value: Any, by: timedelta) -> Any:
    """Move every time in a record."""
    if isinstance(value, Mapping):
        return {key: _moved(entry, by) for key, entry in value.items()}
    if isinstance(value, list):
        return [_moved(entry, by) for entry in value]
    if isinstance(value, str) and len(value) >= 20 and value[4:5] == "-" and value[10:11] == "T":
        try:
            return (datetime.fromisoformat(value) + by).isoformat()
        except ValueError:
            return value
    return value
