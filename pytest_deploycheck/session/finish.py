"""Finishing a run: outcomes into the record, the record into evidence, the decision into the exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_deploycheck import ledger
from pytest_deploycheck import record as records
from pytest_deploycheck.claims import carried
from pytest_deploycheck.record import Record, RecordError, compare

if TYPE_CHECKING:
    from pytest_deploycheck.session.state import State


def conclude(state: State) -> Record:
    """Return the record of this run, compared with its baseline, and write the evidence if asked for."""
    assert state.run is not None
    record = state.run.record(interrupted=state.interrupted)
    record = records.Record(**{**vars(record), "run": {**record.run, "gather_s": round(state.gather_s, 3)}})
    if state.baseline is not None:
        record = records.Record(**{**vars(record), "baseline": _baseline(record, state)})
    record = records.Record(**state.redactor.clean(record.to_json()))
    state.record = record
    if state.evidence is None:
        _enter(state, record, "")
        return record
    from pytest_deploycheck.reports import bundle

    try:
        state.written = bundle.write(
            state.evidence,
            record,
            state.run.checklist,
            lambda sha256: _people(state, record, sha256),
        )
    except bundle.BundleError as error:
        _not_written(state, str(error))
    if state.journal is not None:
        state.journal.close(done=bool(state.written))
    return record


def _people(state: State, record: Record, sha256: str) -> dict[str, bytes]:
    """Return what people said and the ledger, this run in it, as files of the bundle."""
    assert state.run is not None
    _enter(state, record, sha256)
    if state.run.replay is not None:
        return {}
    return carried.files(state.run.target)


def _enter(state: State, record: Record, sha256: str) -> None:
    """Append the run to the target's ledger; a run that cannot be is not green."""
    assert state.run is not None
    target = state.run.target
    if not target.ledger.path or state.run.replay is not None:
        return
    try:
        ledger.append(target.file(target.ledger.path), record, sha256)
    except ledger.LedgerError as error:
        _not_written(state, str(error))


def _not_written(state: State, why: str) -> None:
    state.unwritten = "; ".join(filter(None, (state.unwritten, why)))


def _baseline(record: Record, state: State) -> dict[str, Any]:
    """Compare with the earlier run, or say in words why that is impossible; the verdict does not change."""
    assert state.baseline is not None
    try:
        return compare(record, records.read(state.baseline))
    except RecordError as error:
        kind = "missing" if not state.baseline.exists() else "older" if "schema" in str(error) else "corrupt"
        return {"state": kind, "sentence": f"No comparison: {error}."}


def exit_status(state: State, status: int | pytest.ExitCode) -> int | pytest.ExitCode:
    """Return pytest's exit status, but never 0 unless the decision is GO or GO WITH WAIVERS."""
    if status != pytest.ExitCode.OK or not state.active:
        return status
    green = (
        not state.unwritten
        and state.record is not None
        and state.record.decision["decision"] in ("GO", "GO WITH WAIVERS")
    )
    return status if green else pytest.ExitCode.TESTS_FAILED


def decision_properties(record: Record) -> dict[str, str]:
    """Return the properties that a JUnit report of the whole run carries."""
    counts = {f"deploycheck_{name}": str(n) for name, n in record.decision["counts"].items()}
    return {"deploycheck_decision": str(record.decision["decision"]), **counts}
