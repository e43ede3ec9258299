"""Looking with the probes that the selected tests need, before the first of them runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_deploycheck.gather import closure
from pytest_deploycheck.journal import Journal
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.session import workers
from pytest_deploycheck.session.progress import GatherProgress

if TYPE_CHECKING:
    from pytest_deploycheck.session.state import State


def begin_journal(state: State) -> None:
    """Keep what is found in a file, where evidence is wanted, so that a killed run leaves something."""
    assert state.run is not None
    if state.evidence is None:
        return
    try:
        state.journal = Journal(state.evidence)
    except OSError as error:
        raise pytest.UsageError(
            f"--evidence {state.evidence}: {error.strerror}; give a directory that can be written"
        ) from None
    state.journal.write("header", {**state.run.seen.header, "claims": state.run.seen.claims})


def gather(config: pytest.Config, state: State) -> None:
    """Look, keeping each observation in the journal as it comes."""
    assert state.run is not None
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    total = len(closure(state.collected.probes, state.probes))
    progress = GatherProgress(reporter, total)
    journal = state.journal

    def note(event: str, out: Any, fresh: list[Observation]) -> None:
        for seen in fresh if journal else ():
            journal.write("observation", seen.to_json())  # type: ignore[union-attr]
        progress(event, out, fresh)

    began = time.monotonic()
    try:
        state.run.gather(state.collected.probes, state.probes, note)
    finally:
        state.gather_s = time.monotonic() - began
        progress.finish()
        if journal:
            journal.write("requests", state.run.seen.requests)


def gather_among_workers(config: pytest.Config, state: State) -> None:
    """Gather in one worker only; the others read what it saw."""
    if state.run is None:
        return
    shared = workers.Shared(config)
    if shared.first():
        gather(config, state)
        state.gathered = True
        shared.publish({name: seen.to_json() for name, seen in state.run.observations.items()})
    else:
        state.run.learn_secrets()
        for name, values in (shared.wait() or {}).items():
            state.run.observations[name] = Observation.from_json(values, state.probes)
