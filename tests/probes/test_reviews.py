"""What is looked up for reviews: commits of records, days of a log backend, stretches of alerts, missing runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_deploycheck import ledger
from pytest_deploycheck.claims.signed import SignedFile
from pytest_deploycheck.probes.loki import Loki
from pytest_deploycheck.probes.promql import Line
from pytest_deploycheck.probes.review_files import committed
from pytest_deploycheck.probes.security_logs import PATTERNS, DayCount
from pytest_deploycheck.probes.upkeep import firing, missing
from pytest_deploycheck.record import Record
from pytest_deploycheck.target.monitoring import LogsSection
from pytest_deploycheck.transports.git import Git
from tests.probes.canned import Canned, client_of, serving
from tests.probes.targets import gather

DAY = 86_400
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def commit(folder: Path, name: str, written: datetime, when: datetime) -> None:
    """Commit a file, with an author's time and a committer's."""
    (folder / name).write_text(f"{written}")
    times = {"GIT_AUTHOR_DATE": written.isoformat(), "GIT_COMMITTER_DATE": when.isoformat()}
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
    for arguments in (["add", name], [*who, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True, env={**os.environ, **times})


def test_a_record_is_from_its_first_commit(tmp_path: Path) -> None:
    """By its author's clock, whatever was rebased since, and from before anybody touched it again."""
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    first, later = NOW - timedelta(days=20), NOW - timedelta(days=1)
    commit(tmp_path, "a.json", first, NOW)
    commit(tmp_path, "a.json", later, NOW)
    files = [SignedFile("a.json", ""), SignedFile("never-committed.json", ""), SignedFile(":(top)*", "")]
    git = Git(enter=lambda action: None, remaining=lambda: 20.0)
    assert dict(committed(git, tmp_path, files)) == {
        "a.json": first.isoformat(),
        "never-committed.json": "",
        ":(top)*": "",
    }


def test_without_a_repository_no_commit_is_known(tmp_path: Path) -> None:
    """A folder of claims that is in no repository has no commit times."""
    git = Git(enter=lambda action: None, remaining=lambda: 20.0)
    assert list(committed(git, tmp_path, [SignedFile("a.json", "")])) == []


@pytest.mark.parametrize("shift", [0, -40_000])
def test_days_without_lines_are_zero(shift: int) -> None:
    """Steps that the backend leaves out, or moved to whole days of its own, are counted in their place."""
    first = 1_700_000_000.0

    def answer(path: str, query: dict[str, list[str]]) -> Canned:
        assert query["step"] == [str(DAY)]
        values = [[first + shift, "5"], [first + shift + 2 * DAY, "7"], [first + shift + 9 * DAY, "1"]]
        data = {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
        return Canned(json.dumps({"status": "success", "data": data}))

    with serving(answer) as base:
        client = Loki(client_of(base), LogsSection(url=base, services=["app"]))
        assert client.totals(client.among(["app", "a.b"]), first, 5, DAY) == [5, 0, 7, 0, 0]


def test_selectors_name_services_literally() -> None:
    """A dot in a service's name is a dot, and nothing in it ends the selector."""
    client = Loki(client_of("http://127.0.0.1:1"), LogsSection(url="http://127.0.0.1:1", services=["a"]))
    assert client.among(["a.b", "c`d"]) == r"{service=~`a\.b|cd`}"


@pytest.mark.parametrize(
    ("days", "unusual"),
    [
        ((12, 12, 90, 12, 12), (3,)),
        ((0, 0, 25, 0, 0), (3,)),
        ((0, 0, 19, 0, 0), ()),
        ((500, 510, 490, 700, 505), ()),
        ((), ()),
    ],
)
def test_unusual_days(days: tuple[int, ...], unusual: tuple[int, ...]) -> None:
    """A day stands out over the median one, and only where it is of some size."""
    assert DayCount("x", "", days).outliers(7, 20, 3) == unusual


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"path": "/me", "status": 401}', "refused requests"),
        ('1.2.3.4 - - [24/Nov/2026] "GET /me HTTP/1.1" 403 12', "refused requests"),
        ("level=info method=GET status=401 path=/me", "refused requests"),
        ('{"status":"429"}', "limited requests"),
        ("sshd[1]: Failed password for invalid user admin from 1.2.3.4", "failed logins"),
        ('FATAL:  password authentication failed for user "x"', "failed logins"),
        ("sudo: ada : TTY=pts/0 ; COMMAND=/bin/sh", "privileged actions"),
        ('GET /?f=../../etc/passwd HTTP/1.1" 404', "attack strings"),
        ('GET /?q=%3Cscript%3E HTTP/1.1" 200', "attack strings"),
    ],
)
def test_what_security_looks_for(line: str, kind: str) -> None:
    """Lines of usual servers are found by the usual patterns."""
    assert kind in [name for name, pattern in PATTERNS.items() if re.search(pattern, line)]


@pytest.mark.parametrize(
    "line", ['{"path": "/me", "status": 200, "ms": 401}', "user logged in", "took 403 ms"]
)
def test_ordinary_lines_are_none(line: str) -> None:
    """Numbers that only look like a status are not counted."""
    assert not [name for name, pattern in PATTERNS.items() if re.search(pattern, line)]


def stretches(*spans: tuple[float, float]) -> Line:
    """Return an alert's looks of five minutes over some spans of hours."""
    points = [(start * 3600 + n * 300, 1.0) for start, end in spans for n in range(int((end - start) * 12))]
    return Line((("alertname", "A"),), tuple(points))


def test_the_longest_stretch_of_an_alert() -> None:
    """A pause ends a stretch; what lasts until now is said to."""
    found = firing(stretches((0, 2), (3, 3 + 240)), 300.0, 243 * 3600)
    assert (found.longest_s, found.now, found.starts_per_day) == (240 * 3600, True, 2)


def test_an_alert_that_flaps() -> None:
    """Starts are counted within any day, wherever that begins."""
    spans = [(20 + hour, 20.5 + hour) for hour in range(8)]
    found = firing(stretches((0, 1), *spans), 300.0, 100 * 3600)
    assert (found.starts_per_day, found.now) == (8, False)


def test_missing_runs_are_counted_by_the_schedule() -> None:
    """A run a little late is not missing; two days without one miss one; more runs than due make up for none."""
    start = NOW - timedelta(days=10)
    times = [start + timedelta(days=n, hours=n / 5) for n in range(11)]
    assert missing(times, DAY)[0] == 0
    assert missing(times[:4] + times[5:], DAY)[0] == 1
    often = [start + timedelta(hours=n) for n in range(24 * 10) if not 48 <= n < 48 + 73]
    assert missing(often, DAY)[0] == 2


def entered(folder: Path, item: str, at: datetime, verdict: str, **release: str) -> None:
    """Enter a run that judged one item in the ledger of a folder."""
    made = Record(
        tool={"name": "x", "version": "1"},
        run={"id": f"{verdict}-{at:%d}", "finished_at": at.isoformat()},
        target={"name": "t", "environment": "staging", "config_digest": ""},
        release={"version": "1", "commit": "", "images": {}, "contract": "", **release},
        checklist={"digest": ""},
        selection=(),
        decision={"decision": "GO"},
        items=[{"item": item, "verdict": verdict}],
    )
    ledger.append(folder / "ledger.jsonl", made)


def test_what_was_found_good_once_it_was_due_stays(tmp_path: Path) -> None:
    """Only a pass of this release, after the review was due, ends the looking."""
    live = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
    item = "post_go_live.first_week.tuning"
    text = (
        '[target]\nname = "t"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
        f'[release]\nversion = "1"\ngo_live_at = {live.isoformat()}\n[ledger]\npath = "ledger.jsonl"\n'
    )

    def found() -> str:
        return str(gather(tmp_path, text, "review_files")["review_files"].facts.tuned_in)

    assert found() == ""
    entered(tmp_path, item, live + timedelta(days=10), "passed")
    entered(tmp_path, item, live + timedelta(days=15), "failed")
    entered(tmp_path, item, live + timedelta(days=16), "passed", version="2")
    assert found() == ""
    entered(tmp_path, item, live + timedelta(days=17), "passed")
    entered(tmp_path, item, live + timedelta(days=18), "failed")
    assert found() == f"passed-{live + timedelta(days=17):%d}"
