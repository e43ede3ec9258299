"""SARIF as real scanners write it here, as others document it, and with holes; what was looked at of a real tree."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck import envelope
from pytest_deploycheck.demo import history
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.sarif import covered, is_tool
from pytest_deploycheck.probes.sarif_files import Finding, SarifError, Scan, scans
from tests.probes.repositories import repository
from tests.probes.service import look

SAMPLES = Path(__file__).parent / "samples"
BAD = "import pickle\n\n\ndef load(data):\n    return pickle.loads(data)\n\n\nPASSWORD = 'hunter2hunter2'\neval(input())\n"


def one(run: dict[str, Any]) -> Scan:
    """Return the facts of a document with one run."""
    (found,) = scans({"version": "2.1.0", "runs": [run]})
    return found


def result(**keys: Any) -> Finding:
    """Return the finding of a run with this result, and with rules of each kind."""
    rules = [
        {"id": "low", "defaultConfiguration": {"level": "note"}},
        {
            "id": "grave",
            "defaultConfiguration": {"level": "error"},
            "properties": {"security-severity": "9.8"},
        },
        {"id": "odd", "properties": {"security-severity": "very"}},
    ]
    pack = [
        {
            "id": "js/xss",
            "defaultConfiguration": {"level": "warning"},
            "properties": {"security-severity": "7.8"},
        }
    ]
    tool = {
        "driver": {"name": "CodeQL", "rules": rules},
        "extensions": [{"name": "codeql/js", "rules": pack}],
    }
    (found,) = one({"tool": tool, "results": [keys]}).findings
    return found


@pytest.mark.parametrize(
    ("keys", "level", "severity"),
    [
        ({"ruleId": "low"}, "note", None),
        ({"ruleId": "low", "level": "error"}, "error", None),
        ({"ruleId": "grave"}, "error", 9.8),
        ({"ruleId": "grave", "level": "note"}, "note", 9.8),
        ({"ruleIndex": 1}, "error", 9.8),
        ({"rule": {"index": 0, "toolComponent": {"index": 0}}}, "warning", 7.8),
        ({"ruleId": "js/xss"}, "warning", 7.8),
        ({"ruleId": "js/xss/reflected"}, "warning", 7.8),
        ({"ruleId": "unknown"}, "warning", None),
        ({"ruleId": "low", "properties": {"security-severity": 8.1}}, "note", 8.1),
        ({"ruleId": "odd"}, "warning", 10.0),
        ({"ruleId": "low", "level": "terrible"}, "error", None),
        ({"ruleId": "low", "properties": {"security-severity": "nan"}}, "note", 10.0),
    ],
)
def test_severity_is_found_where_it_stands(keys: dict[str, Any], level: str, severity: float | None) -> None:
    """In the result, in its rule, in an extension's rule, by index or by id; what cannot be read is not harmless."""
    found = result(**keys)
    assert (found.level, found.severity) == (level, severity)


ACCEPTED = {"kind": "external", "justification": "test data; owner: ann; until: 2027-01-31"}


@pytest.mark.parametrize(
    ("suppressions", "expected"),
    [
        ([], (False, "", "", "")),
        ([{"kind": "inSource"}], (True, "", "", "")),
        ([ACCEPTED], (True, "test data", "ann", "2027-01-31T00:00:00+00:00")),
        ([{**ACCEPTED, "status": "rejected"}], (False, "", "", "")),
        ([{**ACCEPTED, "status": "underReview"}], (False, "", "", "")),
        ([ACCEPTED, {"kind": "inSource", "status": "rejected"}], (False, "", "", "")),
        (
            [{"justification": "x", "properties": {"owner": "bob", "expires": "2027-02-01T10:00:00Z"}}],
            (True, "x", "bob", "2027-02-01T10:00:00+00:00"),
        ),
        ([{"justification": "x until: someday"}], (True, "x until: someday", "", "")),
    ],
)
def test_suppressions_say_why_who_and_until_when(suppressions: list[Any], expected: tuple[Any, ...]) -> None:
    """A suppression counts when none is in doubt; owner and end are properties, or stand in the justification."""
    found = result(ruleId="grave", suppressions=suppressions)
    assert (found.suppressed, found.reason, found.owner, found.until) == expected


@pytest.mark.parametrize("keys", [{"kind": "pass"}, {"kind": "notApplicable"}, {"baselineState": "absent"}])
def test_what_is_no_finding_is_left_out(keys: dict[str, Any]) -> None:
    """A test that passed, and a result that is gone, are none."""
    assert one({"tool": {"driver": {"name": "x"}}, "results": [{"ruleId": "a", **keys}]}).findings == ()


@pytest.mark.parametrize(
    ("run", "succeeded"),
    [
        ({"results": []}, None),
        ({"results": [], "invocations": [{"executionSuccessful": True}]}, True),
        ({"results": [], "invocations": [{"executionSuccessful": False}]}, False),
        (
            {"results": [], "invocations": [{"executionSuccessful": True}, {"executionSuccessful": False}]},
            False,
        ),
        ({"results": [], "invocations": [{"executionSuccessful": "true"}]}, False),
        ({"results": None}, False),
        ({}, False),
    ],
)
def test_success_is_said_or_not(run: dict[str, Any], succeeded: bool | None) -> None:
    """A run without a list of results did not get as far as looking (3.14.23)."""
    assert one({"tool": {"driver": {"name": "x"}}, **run}).succeeded is succeeded


@pytest.mark.parametrize(
    "document", [None, [], {}, {"runs": {}}, {"version": "2.0.0", "runs": []}, {"runs": []}]
)
def test_other_documents_are_refused(document: Any) -> None:
    """Another version, or no list of runs, is no SARIF 2.1.0."""
    with pytest.raises(SarifError):
        scans(document)


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [[]], [{"a": []}]])
@pytest.mark.parametrize(
    "key", ["tool", "results", "invocations", "artifacts", "properties", "versionControlProvenance"]
)
def test_a_run_with_holes_breaks_nothing(key: str, value: Any) -> None:
    """What is missing or of another type is not there."""
    found = one({"tool": {"driver": {"name": "x"}}, "results": [{"ruleId": "a"}], key: value})
    assert found.commits == () and found.files in (None, 0)


def test_bandit_really_run(tmp_path: Path) -> None:
    """Bandit's own SARIF of bad code: it succeeded just now, lists each file, and finds what is there."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "bad.py").write_text(BAD)
    (tmp_path / "app" / "good.py").write_text("X = 1\n")
    command = [sys.executable, "-m", "bandit", "-q", "-r", "app", "-f", "sarif", "-o", "out.sarif"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    (found,) = scans(json.loads((tmp_path / "out.sarif").read_text()))
    assert (found.tool, found.succeeded, found.files) == ("Bandit", True, 2)
    assert covered(found.listed, ("app/bad.py", "app/good.py", "app/x.js")) == (1.0, ())
    assert {"B301", "B307"} <= {one.rule for one in found.findings} and found.ended_at


def test_ruff_really_run(tmp_path: Path) -> None:
    """Ruff's own SARIF: results and rules, and nothing of success, time or files."""
    (tmp_path / "bad.py").write_text(BAD)
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    assert ruff
    command = [ruff, "check", "--isolated", "--select", "S", "--output-format", "sarif", "bad.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    (found,) = scans(json.loads(done.stdout))
    assert (found.tool, found.succeeded, found.files, found.ended_at) == ("ruff", None, None, "")
    assert {"S301", "S307"} <= {one.rule for one in found.findings}


def test_semgreps_recorded_output() -> None:
    """Semgrep 1.182 keeps level and severity at the rule, and what `nosemgrep` hides without a reason."""
    (found,) = scans(json.loads((SAMPLES / "semgrep-1.182.sarif").read_text()))
    assert is_tool(found.tool, "semgrep") and found.succeeded is True and found.files is None
    hidden, shown = found.findings[:2]
    assert (shown.level, shown.severity, shown.suppressed) == ("error", 9.1, False)
    assert (hidden.suppressed, hidden.reason) == (True, "")


def codeql(extracted: list[str]) -> dict[str, Any]:
    """Return a run in CodeQL's shape: rules in an extension, files as notifications, artifacts of results only."""
    note = {"descriptor": {"id": "py/diagnostics/successfully-extracted-files"}, "message": {"text": ""}}
    return {
        "tool": {"driver": {"name": "CodeQL", "semanticVersion": "2.23.3", "rules": []}},
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {**note, "locations": [{"physicalLocation": {"artifactLocation": {"uri": path}}}]}
                    for path in extracted
                ],
            }
        ],
        "artifacts": [{"location": {"uri": "app/a.py", "uriBaseId": "%SRCROOT%"}}],
        "automationDetails": {"id": "/language:python/"},
        "versionControlProvenance": [
            {"repositoryUri": "https://x", "revisionId": "a" * 40, "branch": "main"}
        ],
        "results": [],
    }


def test_codeqls_shape() -> None:
    """What it extracted is what it looked at; artifacts are the places of results."""
    found = one(codeql(["app/a.py", "app/b.py"]))
    assert found.files == 2 and found.listed == ("app/a.py", "app/b.py")
    assert found.commits == ("a" * 40,) and found.category == "/language:python"
    assert one(codeql([])).listed == ()


def test_artifacts_that_are_targets_are_what_was_looked_at() -> None:
    """By their role (3.24.6)."""
    targets = [{"location": {"uri": name}, "roles": ["analysisTarget"]} for name in ("a.c", "b.c")]
    found = one(
        {"tool": {"driver": {"name": "x"}}, "results": [], "artifacts": [*targets, {"roles": ["resultFile"]}]}
    )
    assert (found.files, found.listed) == (2, ("a.c", "b.c"))


@pytest.mark.parametrize(
    ("listed", "coverage"),
    [
        (("file:///home/ci/shop/app/a.py", "file:///home/ci/shop/app/b.py"), 1.0),
        (("./app/a.py", "./app/b.py"), 1.0),
        (("C:\\ci\\app\\a.py", "C:\\ci\\app\\b.py"), 1.0),
        (("a.py", "b.py"), 1.0),  # run inside of app
        (("app/a.py",), 0.5),
        (("app/%61.py",), 0.5),
        (("lib/z.py",), 0.0),
        (("README",), None),
        ((), None),
    ],
)
def test_coverage_of_the_tree(listed: tuple[str, ...], coverage: float | None) -> None:
    """Absolute, relative and escaped addresses are held against the files of the same suffixes."""
    assert covered(listed, ("app/a.py", "app/b.py", "web/x.ts"))[0] == coverage


@pytest.mark.parametrize(
    ("name", "wanted", "same"),
    [
        ("Semgrep OSS", "semgrep", True),
        ("CodeQL", "codeql", True),
        ("CodeQL command-line toolchain", "codeql", True),
        ("gitleaks", "Gitleaks", True),
        ("semgreplike", "semgrep", False),
        ("", "semgrep", False),
        ("x", "", False),
    ],
)
def test_names_of_tools(name: str, wanted: str, same: bool) -> None:
    """By their first words, without regard to case."""
    assert is_tool(name, wanted) is same


def seen(folder: Path, runs: list[Any], commit: str, **said: Any) -> Observation:
    """Look at one file whose envelope says something."""
    path = folder / "scan.sarif"
    path.write_text(json.dumps({"version": "2.1.0", "runs": runs}))
    if said:
        made = envelope.values(path.read_bytes(), commit=commit, produced_at=datetime.now(UTC))
        envelope.path_of(path).write_text(json.dumps({**made, **said}))
    more = f'[release]\ncommit = "{commit}"\n[repo]\nclone = "code"\n[reports]\nsarif = "*.sarif"\n'
    return look(folder, "http://127.0.0.1:1", "sarif", more + '[scan]\nrequired_tools = ["bandit"]\n')


def test_the_probe_holds_a_scan_against_the_released_tree(tmp_path: Path) -> None:
    """Coverage is of the commit's files, whatever is checked out now; tests need not be scanned."""
    files = {"app/a.py": "", "app/b.py": "", "tests/test_a.py": "", "web/x.ts": ""}
    commit, _ = repository(tmp_path / "code", files, {"app/c.py": ""})
    run = codeql(["app/a.py"]) | {"versionControlProvenance": [{"revisionId": commit}]}
    (scan,) = seen(tmp_path, [run], commit).facts.scans
    assert (scan.coverage, scan.missed) == (0.5, ("app/b.py",))
    assert scan.origin.commit == commit and scan.files == 1


def test_the_worst_of_many_findings_are_kept(tmp_path: Path) -> None:
    """A severe one among five hundred notes is not cut off, nor is one that somebody accepted."""
    notes = [{"ruleId": f"n{number}", "level": "note"} for number in range(500)]
    grave = {"ruleId": "grave", "level": "note", "properties": {"security-severity": "9"}}
    (commit,) = repository(tmp_path / "code", {"a.py": ""})
    run = {
        "tool": {"driver": {"name": "x"}},
        "results": [*notes, {**grave, "suppressions": [ACCEPTED]}, grave],
    }
    (scan,) = seen(tmp_path, [run], commit, tool="x").facts.scans
    assert scan.results == 502 and len(scan.findings) == 200
    assert [(one.rule, one.suppressed) for one in scan.findings[:2]] == [("grave", False), ("grave", True)]


def test_the_demos_own_code_really_scanned(tmp_path: Path) -> None:
    """Bandit over the released files of the demo covers all of its Python, and finds nothing that is an error."""
    for name, content in history.files().items():
        path = tmp_path / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    command = [sys.executable, "-m", "bandit", "-q", "-r", ".", "-f", "sarif", "-o", "../scan.sarif"]
    subprocess.run(command, cwd=tmp_path / "code", capture_output=True, check=False)
    (found,) = scans(json.loads((tmp_path / "scan.sarif").read_text()))
    assert covered(found.listed, tuple(history.files()))[0] == 1.0
    assert found.files and not [one for one in found.findings if one.level == "error" and not one.suppressed]
