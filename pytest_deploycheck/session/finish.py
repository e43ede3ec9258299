"""Finishing a run: outcomes into the record, the record into evidence, the decision into the exit status."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_deploycheck import ledger
from pytest_deploycheck import record as records
from pytest_deploycheck.claims.envelope import sha256_of
from pytest_deploycheck.record import Record, RecordError, compare
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
    if state.evidence is not None:
        from pytest_deploycheck.reports import bundle

        try:
            state.written = bundle.write(state.evidence, record, state.run.checklist)
        except bundle.BundleError as error:
            state.unwritten = str(error)
        if state.journal is not None:
            state.journal.close(done=bool(state.written))
    _enter(state, record)
    return record


def _enter(state: State, record: Record) -> None:
    """Append the run to the target's ledger; a run that cannot be is not green."""
    assert state.run is not None
    target = state.run.target
    if not target.ledger.path or state.run.replay is not None:
        return
    written = (state.written or {}).get("evidence.json")
    try:
        ledger.append(target.file(target.ledger.path), record, sha256_of(written) if written else "")
    except ledger.LedgerError as error:
        state.unwritten = "; ".join(filter(None, (state.unwritten, str(error))))


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
