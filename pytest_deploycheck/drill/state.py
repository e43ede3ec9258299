"""What a drill knows while it goes on: the target, its eyes and hands, its journal, and what steps told so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.drill.commands import Commands, Ran, end_leftover
from pytest_deploycheck.drill.journal import Journal
from pytest_deploycheck.drill.look import Look
from pytest_deploycheck.drill.outage import Prober
from pytest_deploycheck.drill.record import Command, Manifest
from pytest_deploycheck.target import Target

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits

Facts = dict[str, Any]


class StepFailed(Exception):
    """A step did not do what it is for; the message says what was seen."""


@dataclass
class Drill:
    """One drill that goes on.

    seen: facts after each finished step, by its name.  operator: who runs it.  root, suites: where the suites are.
    """

    target: Target
    look: Look
    commands: Commands
    journal: Journal
    prober: Prober
    release: Manifest
    previous: Manifest
    operator: str
    verify: Callable[[Drill], Facts]
    say: Callable[[str], None] = print
    root: Path = Path()
    suites: str = "suites"
    seen: dict[str, Facts] = field(default_factory=dict)
    before: dict[str, Facts] = field(default_factory=dict)
    ran: dict[str, Command] = field(default_factory=dict)
    said: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The drill's id."""
        return self.journal.id

    @property
    def limits(self) -> Limits:
        """The target's limits."""
        return self.target.limits

    @property
    def folder(self) -> Path:
        """Where journals and records are kept."""
        return self.journal.path.parent

    def given(self) -> dict[str, str]:
        """Return the variables that commands are given."""
        snapshot = self.said.get("snapshot", {})
        return {
            "DEPLOYCHECK_DRILL": self.id,
            "DEPLOYCHECK_SNAPSHOT": str(snapshot.get("id", "")),
            "DEPLOYCHECK_DB_ROLLBACK": self.target.release.db_rollback,
            "DEPLOYCHECK_RELEASE": self.release.version,
            "DEPLOYCHECK_PREVIOUS": self.previous.version,
        }

    def run(self, step: str, command: str) -> Ran:
        """Run a step's command, written down before and after; StepFailed where it does not end well."""
        if not command:
            raise StepFailed(f"no command for {step} in [rollback] of {self.target.path.name}")
        self.journal.write("command", step=step, shown=self.commands.shown(command))
        ran = self.commands.run(
            command,
            timeout=self.limits.drill_command_max_s,
            given=self.given(),
            started=lambda pid, start: self.journal.write("process", step=step, pid=pid, start=start),
        )
        made = Command(
            shown=self.commands.shown(command),
            status=ran.status,
            took_s=ran.took_s,
            output_sha256=ran.output_sha256,
        )
        self.journal.write("ran", step=step, command=made.model_dump(), said=dict(ran.said))
        self.ran[step], self.said[step] = made, ran.said
        if ran.status != 0:
            why = "took too long" if ran.status == 124 else f"ended with status {ran.status}"
            raise StepFailed(f"the command of {step} {why}: {' '.join(ran.tail.split())[-240:]}")
        return ran

    def remember(self) -> None:
        """Take over what an earlier process wrote down, and end the command that it left running."""
        for entry in self.journal.entries:
            step = str(entry.get("step", ""))
            if entry["what"] == "before":
                self.before.setdefault(step, entry["facts"])
            elif entry["what"] == "ran":
                self.ran[step] = Command.model_validate(entry["command"])
                self.said[step] = entry["said"]
            elif entry["what"] == "done":
                self.seen[step] = entry["facts"]
        process = self.journal.last("process")
        if process is not None and end_leftover(int(process["pid"]), str(process["start"])):
            self.journal.write("note", text=f"the command of {process['step']} still ran, and was ended")


def wait(until: Callable[[], bool], seconds: float, every_s: float = 0.2) -> float | None:
    """Ask until the answer is yes; return the seconds that it took, None when it never was."""
    begun = time.monotonic()
    while True:
        if until():
            return round(time.monotonic() - begun, 3)
        if time.monotonic() - begun > seconds:
            return None
        time.sleep(every_s)
