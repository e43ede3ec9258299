"""JUnit XML of many test runners, of hostile authors, and of a real run of pytest."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_deploycheck import envelope
from pytest_deploycheck.demo import code_reports
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.junit_files import JUnit, JUnitError, parse
from tests.probes.service import look

SHA = "0123456789abcdef0123456789abcdef01234567"

SUREFIRE = f"""<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.0.2" name="shop.OrderTest" time="1,204.5"
 tests="3" errors="0" skipped="1" failures="0" flakes="1">
 <properties><property name="java.version" value="21"/><property name="env.GIT_COMMIT" value="{SHA}"/></properties>
 <testcase name="buys" classname="shop.OrderTest" time="0.01"/>
 <testcase name="redeems" classname="shop.OrderTest" time="0.02"><flakyFailure message="once">at x</flakyFailure></testcase>
 <testcase name="refunds" classname="shop.OrderTest" time="0"><skipped message="later"/></testcase>
</testsuite>"""
JEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="3" failures="1" errors="0" time="2.5">
 <testsuite name="cart" errors="0" failures="1" skipped="0" timestamp="2026-11-24T08:00:00" time="2.1" tests="2">
  <testcase classname="cart adds" name="cart adds" time="0.5"/>
  <testcase classname="cart removes" name="cart removes" time="0.5"><failure>Error: x</failure></testcase>
 </testsuite>
 <testsuite name="page" errors="0" failures="0" skipped="0" timestamp="2026-11-24T08:00:02" time="0.2" tests="1">
  <testcase classname="page" name="page" time="0.1"/>
 </testsuite>
</testsuites>"""
GO = """<testsuites tests="2" failures="0">
 <testsuite name="example.com/shop" tests="2" failures="0" errors="0" id="0" hostname="ci" time="0.009"
  timestamp="2026-11-24T08:00:00Z">
  <properties><property name="go.version" value="go1.25 linux/amd64"></property></properties>
  <testcase name="TestBuy" classname="example.com/shop" time="0.000"></testcase>
  <testcase name="TestSell" classname="example.com/shop" time="0.000"><skipped message="x"></skipped></testcase>
 </testsuite>
</testsuites>"""
GTEST = """<testsuites tests="2" failures="0" disabled="1" errors="0" timestamp="2026-11-24T08:00:00.123" time="0.01">
 <testsuite name="Math" tests="2" failures="0" disabled="1" skipped="0" errors="0" time="0.01">
  <testcase name="Adds" status="run" result="completed" time="0." classname="Math" />
  <testcase name="DISABLED_Divides" status="notrun" result="suppressed" time="0." classname="Math" />
 </testsuite>
</testsuites>"""
NESTED = """<testsuites>
 <testsuite name="all" tests="2" failures="0" errors="0" time="3">
  <testsuite name="a" tests="1" failures="0" errors="0" time="1"><testcase name="x" time="1"/></testsuite>
  <testsuite name="b" tests="1" failures="0" errors="0" time="2"><testcase name="y" time="2"/></testsuite>
 </testsuite>
</testsuites>"""


def counts(found: JUnit) -> tuple[int, int, int, int]:
    """Return tests, failures, errors, skipped."""
    return found.tests, found.failures, found.errors, found.skipped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SUREFIRE, (3, 0, 0, 1)),
        (JEST, (3, 1, 0, 0)),
        (GO, (2, 0, 0, 1)),
        (GTEST, (2, 0, 0, 1)),
        (NESTED, (2, 0, 0, 0)),
    ],
    ids=["surefire", "jest", "go", "gtest", "nested"],
)
def test_each_runner_is_counted(text: str, expected: tuple[int, int, int, int]) -> None:
    """Tests, failures, errors and skips are counted in each dialect, outcomes of a retry left out."""
    assert counts(parse(text.encode())) == expected


def test_what_else_a_file_says() -> None:
    """The commit out of the properties, times with and without a zone, durations with a thousands' comma."""
    maven, jest, go = (parse(text.encode()) for text in (SUREFIRE, JEST, GO))
    assert maven.commits == [SHA] and maven.started_at == "" and maven.duration_s == 1204.5
    assert jest.started_at == "2026-11-24T08:00:00+00:00" and not jest.zoned
    assert jest.bad == ["cart removes.cart removes"] and jest.duration_s == pytest.approx(2.3)
    assert go.zoned and go.commits == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<testsuite tests="9" failures="0"/>', (0, 0, 0, 0)),
        ('<testsuite tests="1" failures="2" errors="1"><testcase name="a"/></testsuite>', (1, 2, 1, 0)),
        (
            '<testsuites failures="0"><testsuite><testcase><failure/></testcase></testsuite></testsuites>',
            (1, 1, 0, 0),
        ),
        ('<testsuite failures="many"><testcase><error/><failure/></testcase></testsuite>', (1, 1, 1, 0)),
        ("<testsuites/>", (0, 0, 0, 0)),
        (
            "<testsuite><failure/><testcase/><system-out>&lt;failure/&gt;</system-out></testsuite>",
            (1, 0, 0, 0),
        ),
    ],
)
def test_attributes_count_only_where_they_are_worse(text: str, expected: tuple[int, int, int, int]) -> None:
    """Nine tests that are nowhere are none; two declared failures are two, whatever the tests say."""
    assert counts(parse(text.encode())) == expected


BOMB = (
    "<!DOCTYPE x ["
    + "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9)).replace("&e0;", "x")
    + "]><testsuites>&e9;</testsuites>"
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (BOMB.encode(), "document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuites/>', "document type"),
        (b"<html><body/></html>", "its root is <html>"),
        (b"<testsuites><testsuite>", "not XML"),
        (b"", "not XML"),
        (b"{}", "not XML"),
        (b"<testsuites>" + b"<testsuite>" * 500_000, "nested more than"),
        (b"\xff\xfe\x00\x00", "not XML"),
    ],
    ids=["bomb", "external", "html", "cut", "empty", "json", "deep", "bytes"],
)
def test_hostile_files_are_refused(data: bytes, words: str) -> None:
    """Entities, other documents and endless nesting end with a reason, at once."""
    with pytest.raises(JUnitError, match=words):
        parse(data)


def seen(folder: Path, name: str, text: str, **said: object) -> Observation:
    """Look at one file, with an envelope when something is said in it."""
    path = folder / name
    path.write_text(text)
    if said:
        made = envelope.values(path.read_bytes(), commit=SHA, produced_at=datetime.now(UTC))
        envelope.path_of(path).write_text(json.dumps({**made, **said}))
    more = f'[release]\ncommit = "{SHA}"\n[reports]\njunit = "*.xml"\n[ci]\nmin_tests = 2\n'
    return look(folder, "http://127.0.0.1:1", "junit", more)


def test_a_real_run_of_pytest_is_read(tmp_path: Path) -> None:
    """What pytest writes here is counted as it ran, and is about the commit that a property names."""
    (tmp_path / "test_x.py").write_text(
        "import pytest\n"
        f"@pytest.fixture(scope='session', autouse=True)\ndef _c(record_testsuite_property): "
        f"record_testsuite_property('commit', '{SHA}')\n"
        "def test_a(): pass\ndef test_b(): assert 0\n@pytest.mark.skip\ndef test_c(): pass\n"
        "@pytest.fixture\ndef broken(): raise OSError\ndef test_d(broken): pass\n"
    )
    run = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:deploycheck",
        "--junitxml",
        "junit.xml",
        "test_x.py",
    ]
    subprocess.run(run, cwd=tmp_path, capture_output=True, check=False)
    facts = seen(tmp_path, "junit.xml", (tmp_path / "junit.xml").read_text()).facts
    result = facts.files[0]
    assert (result.tests, result.failures, result.errors, result.skipped) == (4, 1, 1, 1)
    assert result.origin.commit == SHA and result.bad == ("test_x.test_b", "test_x.test_d")
    assert abs(result.origin.age_s(datetime.now(UTC)) or 99) < 60


def test_the_demo_has_results_in_pytests_shape() -> None:
    """What stands in for a run of tests in the demo is read as such."""
    found = parse(code_reports.junit(datetime.now(UTC)).encode())
    assert counts(found) == (140, 0, 0, 0)


@pytest.mark.parametrize("hours", [-11, 0, 13])
def test_local_time_without_a_zone_accuses_nobody(tmp_path: Path, hours: int) -> None:
    """Tests that ran a minute ago by a clock on any wall ended now, and did not start before that minute."""
    now = datetime.now(UTC)
    wall = (now + timedelta(hours=hours, minutes=-1)).replace(tzinfo=None).isoformat(timespec="seconds")
    text = JEST.replace("2026-11-24T08:00:00", wall).replace("2026-11-24T08:00:02", wall)
    found = seen(tmp_path, "a.xml", text, commit=SHA).facts.files[0].origin
    assert found.age_s(now) == pytest.approx(0, abs=5)
    assert datetime.fromisoformat(found.started_at) >= now - timedelta(minutes=2)


def test_zoned_times_are_taken_at_their_word(tmp_path: Path) -> None:
    """Where the zone is said, the start is that moment."""
    found = seen(tmp_path, "a.xml", GO, commit=SHA).facts.files[0].origin
    assert found.started_at == "2026-11-24T08:00:00+00:00"


def test_monorepos_have_many_files(tmp_path: Path) -> None:
    """Every file is read, each with its own origin; envelopes are no results."""
    (tmp_path / "b.xml").write_text(SUREFIRE)
    facts = seen(tmp_path, "a.xml", GO, commit=SHA).facts
    assert [one.origin.file for one in facts.files] == ["a.xml", "b.xml"]
    assert [one.origin.commit for one in facts.files] == [SHA, SHA]
    assert facts.files[0].origin.intact is True and facts.files[1].origin.intact is None


@pytest.mark.parametrize(
    ("text", "said", "reason"),
    [("<html/>", {}, "unparseable"), (GO, {"schema": "other"}, "unparseable")],
)
def test_other_files_are_unparseable(tmp_path: Path, text: str, said: dict[str, str], reason: str) -> None:
    """A file that is none, or an envelope that is none, is named, and nothing is made up."""
    found = seen(tmp_path, "a.xml", text, **said)
    assert (found.state, found.reason) == ("unseen", reason) and "a.xml" in found.detail


def test_no_file_is_no_evidence(tmp_path: Path) -> None:
    """A glob that matches nothing has not proven that nothing failed."""
    more = f'[release]\ncommit = "{SHA}"\n[reports]\njunit = "*.xml"\n'
    found = look(tmp_path, "http://127.0.0.1:1", "junit", more)
    assert (found.state, found.reason) == ("unseen", "no_evidence")
