"""The end of a drill: the service brought back or its state said plainly, and the record written and signed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pytest_deploycheck.drill import STEPS
from pytest_deploycheck.drill.journal import sync_folder
from pytest_deploycheck.drill.look import closed
from pytest_deploycheck.drill.outage import measured
from pytest_deploycheck.drill.record import Command, DrillRecord, Step, Where
from pytest_deploycheck.drill.state import Drill, StepFailed, wait

_SERVING = "the service serves release {version}, and its public routes are open"


def bring_back(state: Drill) -> str:
    """Bring the service back after a failed step; return what state it is left in, in words."""
    look, section = state.look, state.target.rollback
    back = look.version()["commit"] == state.release.commit and look.healthy()
    if not back and section.forward_cmd:
        _try(state, "forward", section.forward_cmd)
    if wait(look.healthy, 5.0) is None:
        return (
            f"the service is not healthy behind its door, which stays closed; it tells {look.version()}; "
            "mend it, then run rollback.maintenance_off"
        )
    _try(state, "bring_back", section.maintenance_off)
    routes = [look.route(url) for url in look.public()]
    shut = [one["url"] for one in routes if closed(one) or one["status"] == 0]
    version = look.version()["version"]
    if shut:
        return f"release {version} is healthy, and {len(shut)} public routes are still closed: {', '.join(shut[:3])}"
    return _SERVING.format(version=version)


def _try(state: Drill, name: str, command: str) -> bool:
    try:
        state.run(name, command)
    except StepFailed as error:
        state.journal.write("note", text=str(error)[:300])
        state.say(f"  {error}")
        return False
    return True


def conclude(state: Drill, *, left: str, aborted: str, tool: str) -> DrillRecord:
    """End the drill: bring the release of before back, stop the prober, write the record, end the journal."""
    forward = None
    done = set(state.seen) >= set(STEPS)
    if done and state.target.rollback.forward_cmd:
        forward = _try(state, "forward", state.target.rollback.forward_cmd) and _runs(
            state, state.release.commit
        )
    prober = state.journal.last("prober")
    ended_at = time.time()
    if prober is not None:
        state.prober.stop(int(prober["pid"]), str(prober["start"]))
    if not left:
        left = _SERVING.format(version=state.look.version()["version"])
    steps = [_step(state, name) for name in STEPS]
    resume = state.seen.get("resume", {})
    # What comes after the users are back is no part of the rollback's own outage.
    until = _seconds(resume.get("open_at", "")) or ended_at
    samples = [one for one in state.prober.samples() if one.at <= until + 1]
    record = DrillRecord(
        id=state.id,
        target=Where(name=state.target.name, environment=state.target.target.environment),
        started_at=datetime.fromisoformat(str(state.journal.entries[0]["at"])),
        ended_at=datetime.now(UTC).replace(microsecond=0),
        tool=tool,
        operator=state.operator,
        release=state.release,
        previous=state.previous,
        db_rollback=state.target.release.db_rollback or "none",
        migrations=state.target.migrations.tool or "",
        steps=steps,
        outage=measured(samples, state.limits.drill_probe_s, until),
        rows_lost=_rows_lost(state),
        rpo_s=_rpo(state),
        rto_s=_rto(state),
        aborted=aborted,
        left=left,
        forward=forward,
    )
    path = state.folder / f"{state.id}.json"
    scratch = path.with_suffix(".new")
    with scratch.open("w", encoding="utf-8") as file:
        json.dump(record.to_json(), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    sync_folder(path.parent)
    state.journal.write("ended", aborted=aborted, record=path.name)
    state.say(f"drill {state.id}: {left}")
    return record


def _runs(state: Drill, commit: str) -> bool:
    return (
        wait(lambda: state.look.version()["commit"] == commit, state.limits.drill_previous_max_s) is not None
    )


def _step(state: Drill, name: str) -> Step:
    entries = [entry for entry in state.journal.entries if entry.get("step") == name]
    begun = [entry for entry in entries if entry["what"] == "step"]
    end = next((entry for entry in reversed(entries) if entry["what"] in ("done", "failed")), None)
    if not begun or end is None:
        return Step(name=name, state="blocked")  # type: ignore[arg-type]
    command = next((entry["command"] for entry in reversed(entries) if entry["what"] == "ran"), None)
    return Step(
        name=name,  # type: ignore[arg-type]
        state="done" if end["what"] == "done" else "failed",
        started_at=str(begun[0]["at"]),
        ended_at=str(end["at"]),
        why=str(end.get("why", "")),
        interrupted=len(begun) - 1,
        command=Command.model_validate(command) if command else None,
        before=state.before.get(name, {}),
        after=dict(end.get("facts", {})),
    )


def _seconds(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _rows_lost(state: Drill) -> dict[str, int]:
    """Return by how many rows each business table is smaller than when the door was closed."""
    closed_with: Mapping[str, int] = state.seen.get("maintenance", {}).get("rows_later") or {}
    restored: Mapping[str, int] = state.seen.get("restore_db", {}).get("rows") or {}
    return {name: max(0, int(n) - int(restored[name])) for name, n in closed_with.items() if name in restored}


def _rpo(state: Drill) -> float | None:
    """Return the seconds of business data that are lost: from the restored point to when the door was closed."""
    facts = state.seen.get("restore_db")
    if facts is None:
        return None
    if facts["mode"] != "restore":
        return 0.0 if not any(_rows_lost(state).values()) else None
    point = _seconds(facts.get("point_at", ""))
    done = next(
        (e for e in state.journal.entries if e["what"] == "done" and e.get("step") == "maintenance"), None
    )
    shut = _seconds(done["at"]) if done else None
    return round(max(0.0, shut - point), 3) if point is not None and shut is not None else None


def _rto(state: Drill) -> float | None:
    """Return the seconds from the first switch until users were back."""
    begun = next(
        (e for e in state.journal.entries if e["what"] == "command" and e["step"] == "maintenance"), None
    )
    back = _seconds(state.seen.get("resume", {}).get("open_at", ""))
    start = _seconds(begun["at"]) if begun else None
    return round(back - start, 3) if start is not None and back is not None else None
