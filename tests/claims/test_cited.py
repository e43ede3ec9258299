"""What `deploycheck attest --of` takes from a run's evidence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.claims.cited import NothingToCite, cited, sha256_of
from pytest_deploycheck.probes.sheets import sheet
from pytest_deploycheck.probes.week_sheets import WeekSheetsFacts
from pytest_deploycheck.record import Record, jsonable

PERF = "post_go_live.ongoing.perf_review"
LIVE = datetime(2026, 1, 5, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def evidence(folder: Path) -> Path:
    """Write the evidence of a run that saw two weeks."""
    sheets = tuple(sheet(PERF, LIVE + n * WEEK, LIVE + (n + 1) * WEEK, {"requests": 1.0}) for n in (0, 1))
    facts: Any = jsonable(WeekSheetsFacts(LIVE.isoformat(), 2, sheets))
    record = Record(
        tool={},
        run={"id": "r1"},
        target={},
        release={},
        checklist={},
        selection=(),
        decision={},
        items=(),
        observations=[{"probe": "week_sheets", "facts": facts}, {"probe": "tls", "facts": None}],
    )
    path = folder / "evidence.json"
    path.write_text(record.dumps())
    return path


def test_the_newest_sheet_is_cited(tmp_path: Path) -> None:
    """The digest is that of the newest period, which is cited with it; file and directory are the same."""
    path = evidence(tmp_path)
    newest = sheet(PERF, LIVE + WEEK, LIVE + 2 * WEEK, {"requests": 1.0})
    wanted = {
        "run": "r1",
        "facts_digest": newest.facts_digest,
        "period_start": newest.start,
        "period_end": newest.end,
    }
    assert cited(PERF, path) == cited(PERF, tmp_path) == wanted


def test_without_a_sheet_the_whole_evidence_is_cited(tmp_path: Path) -> None:
    """An item that has no periods of its own cites the run, by the digest that the ledger has."""
    path = evidence(tmp_path)
    found = cited("post_go_live.ongoing.sec_audit", path)
    assert found == {"run": "r1", "evidence": sha256_of(path), "facts_digest": sha256_of(path)}


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"schema": "other/1"}), None])
def test_what_is_no_evidence_is_refused(tmp_path: Path, text: str | None) -> None:
    """Another file, or none, is refused in words that name it."""
    path = tmp_path / "evidence.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NothingToCite, match=r"evidence\.json"):
        cited(PERF, path)


def test_equal_periods_have_equal_digests() -> None:
    """The same values give the same digest whenever they are collected, others give others."""
    one = sheet(PERF, LIVE, LIVE + WEEK, {"requests": 1234.5678, "p95_s": None})
    assert one == sheet(PERF, LIVE, LIVE + WEEK, {"requests": 1234.9, "p95_s": None})
    assert one.facts_digest != sheet(PERF, LIVE, LIVE + WEEK, {"requests": 1236, "p95_s": None}).facts_digest
    assert one.facts_digest != sheet(PERF, LIVE, LIVE + 2 * WEEK, {"requests": 1234.5678}).facts_digest
