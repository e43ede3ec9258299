"""The plugin's state in one pytest process."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_deploycheck.observe import Observation, Probe
from pytest_deploycheck.redact import Redactor
from pytest_deploycheck.session.collection import Collected
from pytest_deploycheck.session.evidence import KEY
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.checklist import Checklist
    from pytest_deploycheck.journal import Journal
    from pytest_deploycheck.record import Record
    from pytest_deploycheck.run import Run


@dataclass(eq=False)  # pytest keeps plugins in sets
class State:
    """What the hooks share. `run` is None when no target was given; the facts are unproven then."""

    run: Run | None
    checklist: Checklist
    probes: dict[str, Probe]
    evidence: Path | None = None
    baseline: Path | None = None
    active: bool = False
    planning: bool = False
    gathered: bool = False
    interrupted: bool = False
    gather_s: float = 0.0
    journal: Journal | None = None
    record: Record | None = None
    written: dict[str, Path] = field(default_factory=dict)
    unwritten: str = ""
    deselected: list[Any] = field(default_factory=list)
    collected: Collected = field(default_factory=Collected)
    attempts: dict[str, list[str]] = field(default_factory=dict)
    no_target: str = "no --target given; name one, e.g. --target prod for targets/prod.toml"
    _redactor: Redactor = field(default_factory=Redactor)

    @property
    def redactor(self) -> Redactor:
        """The run's redactor."""
        return self.run.wire.redactor if self.run else self._redactor

    @property
    def now(self) -> datetime:
        """The time to judge at, in UTC."""
        return self.run.now if self.run else datetime.now(UTC)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the outcome that a report carries, also from another process; every retry is kept."""
        values = getattr(report, KEY, None)
        if values is None or self.run is None:
            return
        if getattr(report, "outcome", "") == "rerun":
            self.attempts.setdefault(report.nodeid, []).append(f"{values['verdict']}: {values['message']}")
            return
        from pytest_deploycheck.assemble import outcome_from_json

        outcome = outcome_from_json({**values, "attempts": self.attempts.get(report.nodeid, [])})
        self.run.seen.outcomes.append(outcome)
        if self.journal is not None:
            self.journal.write("outcome", outcome)

    def observation(self, name: str) -> Observation:
        """Return what a probe saw, or why there is nothing."""
        if self.run is None:
            return Observation(name, "unseen", reason=Reason.NO_CONFIG.value, detail=self.no_target)
        seen = self.run.observations.get(name)
        if seen is None:
            why = "the run was interrupted before this probe had looked"
            return Observation(name, "unseen", reason=Reason.NO_EVIDENCE.value, detail=why)
        return seen
