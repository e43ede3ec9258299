"""The drill itself: one step after the other, each written down; what a killed drill left is taken up again."""

from __future__ import annotations

import getpass
import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_deploycheck.drill import STEPS as ORDER
from pytest_deploycheck.drill import journal as journals
from pytest_deploycheck.drill import verify
from pytest_deploycheck.drill.commands import Commands, Permit, Refused, start_of
from pytest_deploycheck.drill.ending import bring_back, conclude
from pytest_deploycheck.drill.journal import SUFFIX, Journal
from pytest_deploycheck.drill.look import Look
from pytest_deploycheck.drill.manifest import manifest, present
from pytest_deploycheck.drill.outage import Prober
from pytest_deploycheck.drill.record import DrillRecord, Manifest
from pytest_deploycheck.drill.state import Drill, Facts, StepFailed
from pytest_deploycheck.drill.steps import STEPS, Seen
from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.record import digest

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Wire

NEEDED = ("maintenance_on", "maintenance_off", "snapshot_cmd", "previous_cmd", "manifest")


def plan(target: Target) -> list[tuple[str, str]]:
    """Return the commands that a drill would run, by step, in order."""
    section = target.rollback
    return [
        ("maintenance", section.maintenance_on),
        ("snapshot", section.snapshot_cmd),
        ("previous", section.previous_cmd),
        *([("restore_db", section.restore_cmd)] if target.release.db_rollback != "none" else []),
        ("resume", section.maintenance_off),
        *([("canary", section.canary_cmd)] if section.canary_cmd else []),
        *([("forward", section.forward_cmd)] if section.forward_cmd else []),
    ]


def problems(target: Target) -> list[str]:
    """Say what a drill of this target lacks."""
    section, file = target.rollback, target.path.name
    found = [f"no rollback.{name} in {file}; add it" for name in NEEDED if not getattr(section, name)]
    if not target.release.db_rollback:
        found.append(f"no release.db_rollback in {file}; say none, downgrade or restore")
    elif target.release.db_rollback != "none" and not section.restore_cmd:
        found.append(
            f"release.db_rollback is {target.release.db_rollback} and there is no rollback.restore_cmd in {file}"
        )
    if section.manifest:
        try:
            before = manifest(target)
        except ValueError as error:
            return [*found, str(error)]
        if not before.commit:
            found.append(f"{section.manifest} names no commit")
        elif before.commit == target.release.commit:
            found.append(f"{section.manifest} is of the release that runs")
    return found


def drill(
    target: Target,
    allowed: Permit,
    wire: Wire,
    *,
    verified: Callable[[Drill], Facts] = verify.run,
    say: Callable[[str], None] = print,
    root: Path = Path(),
    suites: str = "suites",
    tool: str = "",
) -> DrillRecord:
    """Run a drill to its end, or take up one that was killed; Refused where it lacks something.

    root: the folder that pytest is started in, and suites: the folder below it, for the fifth step.
    """
    found = problems(target)
    if found:
        raise Refused("a drill is not possible: " + "; ".join(found))
    folder = target.file(target.rollback.dir)
    with journals.alone(folder):
        left = journals.unfinished(folder)
        journal = Journal(left[-1] if left else folder / f"{_id()}{SUFFIX}")
        for older in left[:-1]:
            Journal(older).write("ended", aborted="a later drill was begun")
        look = Look(wire)
        try:
            state = Drill(
                target=target,
                look=look,
                commands=Commands(allowed, target, wire.redactor.clean),
                journal=journal,
                prober=Prober(folder, journal.id),
                release=present(target),
                previous=manifest(target),
                operator=_operator(),
                verify=verified,
                say=say,
                root=root,
                suites=suites,
            )
            return _go(state, tool)
        except KeyboardInterrupt:
            step = journal.last("step") or {"step": "nothing yet"}
            say(
                f"interrupted in {step['step']}: the door may be closed, and users are away; the same command goes on "
                f"there, or run: {target.rollback.maintenance_off}"
            )
            raise
        finally:
            look.close()


def _go(state: Drill, tool: str) -> DrillRecord:
    same = _begin(state)
    _probe(state)
    aborted = "" if same else "the target file, its release or the commands changed while it was interrupted"
    failed = ""
    if same:
        for number, name in enumerate(ORDER, 1):
            if name in state.seen:
                continue
            failed = _step(state, name, number)
            if failed:
                break
    left = bring_back(state) if failed or aborted else ""
    return conclude(state, left=left, aborted=aborted, tool=tool)


def _begin(state: Drill) -> bool:
    """Write the beginning, or take over what an earlier process wrote; whether that was about the same."""
    journal, bound = state.journal, _bound(state.target)
    begun = journal.last("begun")
    if begun is None:
        journal.write("begun", bound=bound, release=state.release.model_dump(), operator=state.operator)
        state.say(
            f"drill {state.id} of {state.target.name}: {state.release.version} -> {state.previous.version}"
        )
        return True
    state.remember()
    state.release = Manifest.model_validate(begun["release"])
    journal.write("resumed", operator=state.operator)
    state.say(
        f"drill {state.id} was killed; it goes on"
        if begun["bound"] == bound
        else f"drill {state.id} is given up"
    )
    return bool(begun["bound"] == bound)


def _bound(target: Target) -> str:
    """Return what stands for all that a drill does to a target."""
    return digest(
        {
            "commands": plan(target),
            "base": target.target.base_url,
            "release": target.release.model_dump(mode="json"),
            "manifest": target.rollback.manifest,
        }
    )


def _probe(state: Drill) -> None:
    """Have a prober; one that outlived a killed drill goes on."""
    known = state.journal.last("prober")
    if known is not None and start_of(int(known["pid"])) == known["start"] != "":
        return
    ca = state.target.target.ca_file
    pid, start = state.prober.start(
        state.look.public(),
        str(state.target.file(ca)) if ca else "",
        state.limits.drill_probe_s,
        state.look.addresses(),
    )
    state.journal.write("prober", pid=pid, start=start)


def _step(state: Drill, name: str, number: int) -> str:
    """Take one step; why it failed, or nothing."""
    move, journal = STEPS[name], state.journal
    state.say(f"  {number} {name} …")
    begun = time.monotonic()
    journal.write("step", step=name)
    try:
        if name not in state.before:
            state.before[name] = move.before(state)
            journal.write("before", step=name, facts=state.before[name])
        facts = move.act(state)
    except Exception as error:
        known = isinstance(error, StepFailed | CannotLook | Dead | Refused)
        words = getattr(error, "message", "") or str(error)
        why = state.commands.shown(
            words if known else f"the drill has a bug: {type(error).__name__}: {words}"
        )
        facts = error.facts if isinstance(error, Seen) else {}
        journal.write("failed", step=name, why=why, facts=facts)
        state.say(f"  {number} {name} FAILED: {why}")
        return why or "failed"
    state.seen[name] = facts
    journal.write("done", step=name, facts=facts)
    state.say(f"  {number} {name} done in {time.monotonic() - begun:.1f} s")
    return ""


def _id() -> str:
    return f"drill-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def records(folder: Path) -> list[Path]:
    """Return the records of drills in a folder, oldest first."""
    return sorted(folder.glob("drill-*.json")) if folder.is_dir() else []
