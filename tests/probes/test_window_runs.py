"""Scheduled runs by their gaps: a timer that is a little late is on time, a night without runs is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck import ledger
from pytest_deploycheck.checklist import default
from pytest_deploycheck.probes.window_runs import TRENDS, Watched, watched
from pytest_deploycheck.record import Record
from tests.probes.targets import gather

START = datetime(2026, 11, 1, 12, 0, 10, tzinfo=UTC)
DAY = timedelta(days=1)
ITEM = "post_go_live.first_day.errors"


def entry(at: datetime, verdict: str = "passed", config: str = "c", **more: Any) -> ledger.Entry:
    """Return a run that looked at the item."""
    values: dict[str, Any] = dict.fromkeys(("prev", "target", "environment", "release", "checklist"), "")
    values |= {"n": 1, "run": f"run-{at:%d%H%M}", "time": at.isoformat(), "config": config, "decision": "GO"}
    values |= {"items": {ITEM: verdict}, "evidence": "", "tool": "", "interrupted": False, "hash": ""}
    return ledger.Entry(**(values | more))


def seen(entries: list[ledger.Entry], now: datetime = START + 2 * DAY) -> Watched:
    """Return what is known of the first day, a run being due each five minutes."""
    return watched(entries, ITEM, START, START + DAY, now, 300.0, "c")


def each(minutes: float, count: int, first: float = 5.0, shake: float = 0.0) -> list[ledger.Entry]:
    """Return runs this far apart, every other one later by `shake` seconds."""
    return [
        entry(START + timedelta(minutes=first + n * minutes, seconds=shake * (n % 2))) for n in range(count)
    ]


@pytest.mark.parametrize("shake", [0.0, 40.0, 140.0])
@pytest.mark.parametrize("first", [0.05, 2.5, 4.9])
def test_a_regular_timer_misses_nothing(first: float, shake: float) -> None:
    """Runs each five minutes fill a day whatever their phase, and though each takes another time."""
    found = seen(each(5, 288, first, shake))
    assert (found.missed, found.share) == (0, 1.0)


def test_half_of_the_runs_is_half() -> None:
    """A run each ten minutes where one is due each five leaves every second slot empty."""
    found = seen(each(10, 144))
    assert 0.49 < found.share < 0.51


def test_a_gap_is_told_with_its_beginning() -> None:
    """Two hours without a run are 23 missed ones, and the day is not watched."""
    runs = [one for one in each(5, 287) if not 3 < (one.at - START) / timedelta(hours=1) <= 5]
    found = seen(runs)
    assert found.missed == 24
    assert found.longest_gap_s == 7500.0
    assert found.gap_at == (START + timedelta(hours=3)).isoformat(timespec="seconds")
    assert found.share < 0.95


def test_the_beginning_and_the_end_count() -> None:
    """Runs that began in the afternoon, or stopped before midnight, have not watched the day."""
    assert seen(each(5, 144, first=725)).missed == 144
    assert seen(each(5, 144)).missed == 143


def test_no_run_at_all_is_no_share() -> None:
    """Where nobody ever looked, nothing was watched."""
    found = seen([])
    assert (found.runs, found.missed, found.due) == (0, 287, 288)
    assert found.share < 0.01


def test_more_runs_than_are_due_do_not_hide_a_gap() -> None:
    """Where a run is due each hour, many in the first one say nothing of the hours without any."""
    runs = each(1, 60)
    found = watched(runs, ITEM, START, START + DAY, START + timedelta(hours=10), 3600.0, "c")
    assert (found.due, found.missed) == (10, 8)
    assert found.share < 0.25


def test_an_open_window_counts_until_now() -> None:
    """In the middle of the day, only the runs that were due by then can be missing."""
    found = seen(each(5, 12), now=START + timedelta(minutes=62))
    assert (found.runs, found.missed) == (12, 0)
    assert seen([], now=START + timedelta(minutes=4)).missed == 0
    assert seen([], now=START - DAY).missed == 0


def test_the_first_verdict_after_the_close_is_final() -> None:
    """Later ones do not change it, unproven ones are none, and those of other settings are told apart."""
    after = START + DAY
    runs = [
        entry(START + timedelta(hours=23), "failed"),
        entry(after + timedelta(minutes=1), "unproven"),
        entry(after + timedelta(minutes=6), "passed"),
        entry(after + timedelta(minutes=11), "failed"),
    ]
    found = seen(runs)
    assert (found.final, found.final_run, found.same_config) == ("passed", runs[2].run, True)
    assert not seen([entry(after, "passed", config="other")]).same_config
    assert seen(runs[:2]).final == ""


def test_what_may_still_change_after_the_close_is_not_final() -> None:
    """With a grace the first verdict after it counts, and the runs that were due are those of the day all the same."""
    runs = [
        *each(5, 288),
        entry(START + DAY + timedelta(hours=1)),
        entry(START + DAY + timedelta(hours=5), "failed"),
    ]
    now = START + 2 * DAY
    found = watched(runs, ITEM, START, START + DAY, now, 300.0, "c", timedelta(hours=4))
    assert (found.final, found.due) == ("failed", 288)
    assert watched(runs, ITEM, START, START + DAY, now, 300.0, "c").final == "passed"


def test_runs_that_did_not_look_do_not_count() -> None:
    """A run of another suite has the item as not run."""
    assert seen([entry(START + timedelta(minutes=5), "not_run")]).runs == 0


def target_file(folder: Path, *runs: ledger.Entry, release: str = "1") -> str:
    """Write a ledger of these runs, and return a target file that names it."""
    items = [{"item": ITEM, "verdict": "passed"}]
    records = [
        (
            Record(
                tool={"name": "t", "version": "1"},
                run={"id": one.run, "finished_at": one.time, "interrupted": one.interrupted},
                target={"name": "shop", "environment": "staging", "config_digest": "c"},
                release={"version": release, "commit": "", "images": {}, "contract": ""},
                checklist={"digest": default().digest},
                selection=(),
                decision={"decision": "GO"},
                items=items,
            ),
            "ab" * 32,
        )
        for one in runs
    ]
    (folder / "ledger.jsonl").write_bytes(b"".join(ledger.chained(records)))
    return (
        '[target]\nname = "shop"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
        f'[release]\nversion = "1"\ngo_live_at = {START.isoformat()}\n[ledger]\npath = "ledger.jsonl"\n'
    )


def test_the_ledger_is_read_as_it_is(tmp_path: Path) -> None:
    """Runs of this release count; interrupted ones and those of another release do not; torn lines are no break."""
    runs = [*each(5, 3), entry(START + timedelta(minutes=30), interrupted=True)]
    text = target_file(tmp_path, *runs)
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(b'{"n": 5, "prev": "torn by a kil')
    facts = gather(tmp_path, text, "window_runs")["window_runs"].facts
    assert (facts.of(ITEM).runs, facts.broken) == (3, "")
    assert facts.evidence == ()  # none in the time of the first week's review
    other = gather(tmp_path, target_file(tmp_path, *runs, release="0"), "window_runs")["window_runs"].facts
    assert other.of(ITEM).runs == 0


def test_evidence_of_the_reviews_time(tmp_path: Path) -> None:
    """Runs that wrote evidence from the fifth to the tenth day can be cited by a review."""
    runs = [entry(START + timedelta(days=days)) for days in (2, 6, 11)]
    facts = gather(tmp_path, target_file(tmp_path, *runs), "window_runs")["window_runs"].facts
    assert [(run, digest) for run, _, digest in facts.evidence] == [(runs[1].run, "ab" * 32)]
    assert facts.of(TRENDS).runs == 0


def test_without_a_ledger_nothing_is_remembered(tmp_path: Path) -> None:
    """Neither a target without a ledger nor one without a go-live can be watched."""
    head = '[target]\nname = "shop"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
    assert "ledger.path" in gather(tmp_path, head, "window_runs")["window_runs"].detail
    more = head + '[ledger]\npath = "l.jsonl"\n'
    assert "go_live_at" in gather(tmp_path, more, "window_runs")["window_runs"].detail
