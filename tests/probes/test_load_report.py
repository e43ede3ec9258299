"""Reading a load test's report set: as Locust 2.47 wrote it, and with parts missing or wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.load.report import read
from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.places import same_place
from pytest_deploycheck.verdict import Reason

COLUMNS = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,"
    "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%\r\n"
)
STATS = COLUMNS + (
    "GET,/a,149,0,3,4.31,1.45,41.6,2.0,50.38,0.0,3,4,4,5,6,9,13,30,42,42,42\r\n"
    "GET,/bad,13,13,4,4.63,1.47,9.09,2.0,4.4,4.4,4,5,6,7,7,9,9,9,9,9,9\r\n"
    ",Aggregated,162,13,3,4.34,1.45,41.6,2.0,54.78,4.4,3,4,4,5,6,9,11,30,42,42,42\r\n"
)
NO_REQUESTS = COLUMNS + ",Aggregated,0,0,0,0.0,0,0,0,0.0,0.0" + ",N/A" * 11 + "\r\n"
FAILURES = (
    "Method,Name,Error,Occurrences,First Seen,Last Seen\r\n"
    "GET,/bad,HTTPError('500 Server Error'),13,2026-11-24T01:54:39Z,2026-11-24T01:54:42Z\r\n"
)
EXCEPTIONS = 'Count,Message,Traceback,Nodes\r\n2,x,"  File ""task.py"", line 363\n    run()\n",local\r\n'
HISTORY = (
    "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,"
    "Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,"
    "Total Min Response Time,Total Max Response Time,Total Average Content Size\r\n"
    "1795485279,0,,Aggregated,0.0,0.0" + ",N/A" * 11 + ",0,0,0,0.0,0,0,0\r\n"
    "1795485280,3,GET,/a,47.0,0.0" + ",7" * 11 + ",47,0,4,5.37,1.58,41.6,2.0\r\n"
    "1795485280,3,,Aggregated,54.0,7.0" + ",8" * 11 + ",54,7,4,5.19,1.47,41.6,2.0\r\n"
)
ENTRIES = [
    {"name": "/a", "response_times": {"3": 100, "42": 49}},
    {"name": "/bad", "response_times": {"3": 13}},
]
MANIFEST = {
    "host": "https://staging.example",
    "users": 3,
    "rps": 50,
    "duration_s": 3,
    "started_at": "2026-11-24T01:54:39Z",
    "commit": "abc",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a complete report set."""
    for kind, text in (
        ("stats", STATS),
        ("failures", FAILURES),
        ("exceptions", EXCEPTIONS),
        ("stats_history", HISTORY),
    ):
        (tmp_path / f"x_{kind}.csv").write_text(text, newline="")
    (tmp_path / "x.json").write_text(json.dumps(ENTRIES))
    say(tmp_path)
    return tmp_path


def say(folder: Path, **changes: Any) -> None:
    """Write the manifest; a value of None leaves the key out."""
    values = {name: value for name, value in {**MANIFEST, **changes}.items() if value is not None}
    (folder / "manifest.json").write_text(json.dumps(values))


def test_everything_is_read(folder: Path) -> None:
    """Counts are counts, milliseconds become seconds, the history is the whole run's."""
    found = read(folder)
    assert (found.total.requests, found.total.failures, found.total.p95_s, found.total.max_s) == (
        162,
        13,
        0.009,
        0.042,
    )
    assert [(one.method, one.name, one.requests) for one in found.routes] == [
        ("GET", "/a", 149),
        ("GET", "/bad", 13),
    ]
    assert found.errors == (("/bad", "HTTPError('500 Server Error')", 13),)
    assert found.exceptions == (("x", 2),)
    assert [(moment.users, moment.p95_s) for moment in found.history] == [(0, None), (3, 0.008)]
    assert found.histogram == ((0.003, 113), (0.042, 49))
    assert found.altered == ()


def test_no_requests_have_no_times(folder: Path) -> None:
    """N/A is no time; zero requests are a fact to be judged."""
    (folder / "x_stats.csv").write_text(NO_REQUESTS, newline="")
    found = read(folder)
    assert (found.total.requests, found.total.p95_s, found.routes) == (0, None, ())


def test_the_json_file_is_not_needed(folder: Path) -> None:
    """Without it there is no distribution to draw, and all else is there."""
    (folder / "x.json").unlink()
    assert read(folder).histogram == ()


def test_digests_are_compared(folder: Path) -> None:
    """A file that is not the manifest's is named, as is one that is gone."""
    good = hashlib.sha256((folder / "x_stats.csv").read_bytes()).hexdigest()
    say(folder, sha256={"x_stats.csv": good, "x_failures.csv": "0" * 64, "gone.csv": good})
    assert read(folder).altered == ("x_failures.csv", "gone.csv")


def test_digests_do_not_lead_out_of_the_folder(folder: Path) -> None:
    """A path in the manifest means the file of that name beside it."""
    say(
        folder,
        sha256={"../../x_stats.csv": hashlib.sha256((folder / "x_stats.csv").read_bytes()).hexdigest()},
    )
    assert read(folder).altered == ()


@pytest.mark.parametrize("missing", sorted(MANIFEST))
def test_the_manifest_must_say_everything(folder: Path, missing: str) -> None:
    """What was tested is not guessed; the message shows a whole manifest."""
    say(folder, **{missing: None})
    with pytest.raises(CannotLook, match=f"lacks {missing}") as why:
        read(folder)
    assert why.value.reason is Reason.NO_EVIDENCE
    assert '"duration_s": 600' in why.value.message


@pytest.mark.parametrize("kind", ["stats", "failures", "exceptions", "stats_history"])
def test_each_file_is_needed(folder: Path, kind: str) -> None:
    """An absent list of failures is not an empty one."""
    (folder / f"x_{kind}.csv").unlink()
    with pytest.raises(CannotLook, match=kind) as why:
        read(folder)
    assert why.value.reason is Reason.NO_EVIDENCE


def test_two_reports_are_no_answer(folder: Path) -> None:
    """Which of two counts is not guessed either, unless the manifest says."""
    (folder / "y_stats.csv").write_text(STATS, newline="")
    with pytest.raises(CannotLook, match="holds 2 reports"):
        read(folder)
    say(folder, prefix="x")
    assert read(folder).total.requests == 162


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_broken_manifest_is_no_manifest(folder: Path, content: str) -> None:
    """It is unparseable, and nothing is assumed in its place."""
    (folder / "manifest.json").write_text(content)
    with pytest.raises(CannotLook) as why:
        read(folder)
    assert why.value.reason is Reason.UNPARSEABLE


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x_stats.csv", "nothing\r\n1\r\n"),
        ("x_stats.csv", COLUMNS),
        ("x_stats.csv", STATS.replace("162", "many")),
        ("x_stats_history.csv", HISTORY.replace("1795485280,3,,", "later,3,,")),
        ("x_failures.csv", "Method,Name\r\nGET,/a\r\n"),
        ("x_exceptions.csv", 'Count,Message\r\nx,"\r\n'),
        ("x.json", '[{"name": "/a"}]'),
        ("x.json", "<html>"),
    ],
)
def test_other_files_are_unparseable(folder: Path, name: str, content: str) -> None:
    """A file that is not Locust's is said to be so, not read as nothing."""
    (folder / name).write_text(content, newline="")
    with pytest.raises(CannotLook) as why:
        read(folder)
    assert why.value.reason is Reason.UNPARSEABLE


def test_times_need_a_zone(folder: Path) -> None:
    """A start without a time zone is no moment."""
    say(folder, started_at="2026-11-24T01:54:39")
    with pytest.raises(CannotLook, match="time zone"):
        read(folder)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example", "https://A.example/", True),
        ("https://a.example", "https://a.example:443", True),
        ("https://a.example", "a.example", True),
        ("https://a.example:8443", "a.example:8443", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example:8443", "https://a.example", False),
        ("https://a.example.evil", "https://a.example", False),
        ("https://a.example@evil", "https://a.example", False),
        ("https://[::1", "https://[::1", False),
        ("", "", False),
    ],
)
def test_places_are_compared_as_servers(one: str, other: str, same: bool) -> None:
    """Case, a slash and a default port make no difference; scheme, port and name do."""
    assert same_place(one, other) is same
    assert same_place(other, one) is same
