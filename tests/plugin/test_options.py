"""The options: what each does, and what each says when it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.claims import accounts
from pytest_deploycheck.session import chosen
from tests.plugin.conftest import EXPECTED, Verdicts, run


def test_without_a_target_nothing_passes(project: pytest.Pytester) -> None:
    """No --target: everything is unproven, and the message says what to type."""
    result = project.runpytest_subprocess("suites", timeout=60)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*no --target given; name one, e.g. --target prod*"])
    assert "passed" not in result.parseoutcomes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--target", "smal"), "*did you mean 'small'*"),
        (("--target", "small", "--allow", "brust"), "*--allow brust: unknown; choose from burst, load*"),
        (("--target", "small", "--as-of", "yesterday"), "*no ISO 8601 time*"),
        (("--target", "small", "--replay", "none.json"), "*none.json: cannot be read*"),
        (("--target", "demo"), "*deploycheck demo up*"),
    ],
)
def test_bad_options_stop_before_any_contact(
    project: pytest.Pytester, arguments: tuple[str, ...], words: str
) -> None:
    """A wrong value is a usage error that names it and the next step."""
    result = project.runpytest_subprocess("suites", *arguments, timeout=60)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([words])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "@pytest.mark.checklist('ship.things.seen_and_rigth')",
            "*did you mean 'ship.things.seen_and_right'*",
        ),
        ("", "*a test in suites/ names the item it proves*"),
        ("@pytest.mark.checklist()", "*needs one item id or more*"),
    ],
)
def test_wrong_markers_are_collection_errors(project: pytest.Pytester, line: str, words: str) -> None:
    """An unknown id, a suite test without an item and an empty marker are named."""
    (project.path / "suites" / "test_things.py").write_text(
        f"import pytest\n{line}\ndef test_it(good_facts):\n    assert good_facts.value == 3\n"
    )
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([words])


def test_plan_touches_nothing_and_names_everything(project: pytest.Pytester) -> None:
    """`--plan` lists probes with their safety class, and neither looks nor writes."""
    result = run(project, "--plan")
    result.stdout.fnmatch_lines(["S2*bursting*not without --allow burst*", "*nothing was touched*"])
    assert not (project.path / "ev").exists()


def test_replay_judges_alike_without_looking(
    project: pytest.Pytester, verdicts: Verdicts, record: Any
) -> None:
    """A recorded run gives the same verdicts again, though its probes can no longer see anything."""
    run(project)
    first = record()
    conftest = project.path / "suites" / "conftest.py"
    conftest.write_text(conftest.read_text().replace("return Number(3)", "raise SystemExit('it looked')"))
    (project.path / "ev").rename(project.path / "old")
    result = run(project, "--replay", "old/evidence.json")
    assert verdicts() == EXPECTED
    assert record()["run"]["replayed_from"] == first["run"]["id"]
    result.stdout.fnmatch_lines(["*nothing is touched*"])


def test_baseline_says_what_changed(project: pytest.Pytester, record: Any) -> None:
    """A run compared with an earlier one names what fails newly; a broken baseline is said in words."""
    run(project, "-k", "right")
    (project.path / "ev" / "evidence.json").rename(project.path / "old.json")
    suite = project.path / "suites" / "test_things.py"
    suite.write_text(suite.read_text().replace("<= limits.health_samples", ">= limits.health_samples"))
    run(project, "-k", "right", "--baseline", "old.json")
    assert record()["baseline"]["newly_failing"] == ["ship.things.seen_and_right"]
    (project.path / "old.json").write_text("{")
    assert run(project, "-k", "hidden", "--baseline", "old.json").ret == pytest.ExitCode.TESTS_FAILED
    assert record()["baseline"]["state"] == "corrupt"
    run(project, "-k", "hidden", "--baseline", "gone.json")
    assert record()["baseline"]["state"] == "missing"


def test_as_of_is_refused_on_live_production(project: pytest.Pytester) -> None:
    """Time cannot be bent for a live production run."""
    target = project.path / "targets" / "small.toml"
    target.write_text(target.read_text().replace("staging", "production"))
    result = run(project, "--as-of", "2026-11-24T09:30:00Z")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_drift_is_shown(project: pytest.Pytester, record: Any) -> None:
    """An item whose wording changed since its test was written is listed."""
    (project.path / "suites" / "test_things.py").write_text(
        "import pytest\n@pytest.mark.checklist('ship.things.seen_and_right', text='Seen and left')\n"
        "def test_it(good_facts):\n    assert good_facts.value == 3\n"
    )
    run(project)
    (drift,) = record()["coverage"]["drift"]
    assert (drift["written_for"], drift["reads_now"]) == ("Seen and left", "Seen and right")


def test_a_plain_project_sees_nothing_of_us(pytester: pytest.Pytester) -> None:
    """Tests without items and facts run as if the plugin were not there."""
    pytester.makepyfile("def test_it():\n    pass\n")
    result = pytester.runpytest_subprocess(timeout=60)
    assert result.ret == pytest.ExitCode.OK
    assert "checklist" not in result.stdout.str()


def test_importing_the_plugin_imports_no_client_library(pytester: pytest.Pytester) -> None:
    """Client libraries, and what reads target files, are loaded when there is something to look at, not before."""
    heavy = ["web3", "sslyze", "psycopg", "redis", "locust", "testinfra", "gevent", "requests", "pydantic"]
    code = "import json, sys, pytest_deploycheck.plugin; print(json.dumps(sorted(sys.modules)))"
    pytester.makepyfile(probe=code)
    result = pytester.runpython("probe.py")
    loaded = set(json.loads(result.stdout.str().strip()))
    assert "pytest_deploycheck.session.state" in loaded
    assert not loaded & set(heavy)


def test_listing_the_suites_reads_neither_targets_nor_answers() -> None:
    """`--collect-only` needs the checks and the names they use; it must stay about as quick as pytest itself."""
    listing = "pytest.main(['--collect-only', '-q', 'suites'])"
    code = f"import sys, pytest; {listing}; print(*(name for name in sys.modules if name))"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "suites.sign_off.test_business" in loaded, done.stdout[-500:] + done.stderr[-500:]
    heavy = {"requests", "pydantic", "pytest_deploycheck.probes.every", "pytest_deploycheck.target"}
    assert not loaded & heavy


def test_a_folder_that_cannot_be_written_is_named(project: pytest.Pytester) -> None:
    """An evidence folder behind a file is one clear error before any contact, and nothing is green."""
    (project.path / "ev").write_text("in the way")
    result = run(project, "-k", "right")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--evidence*give a directory that can be written*"])


def test_evidence_that_gets_lost_at_the_end_is_not_green(project: pytest.Pytester) -> None:
    """When a report cannot be put into its place, the run says so and is red."""
    (project.path / "ev" / "report.html" / "in the way").mkdir(parents=True)
    result = run(project, "-k", "right")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*ERROR: evidence cannot be written to*"])
    assert (project.path / "ev" / "journal.jsonl").exists()


def test_the_whole_look_may_end(
    project: pytest.Pytester, verdicts: Verdicts, record: Callable[[], dict[str, Any]]
) -> None:
    """--within: what was seen by then counts, the rest is unproven in time."""
    suites = project.path / "suites"
    conftest = suites / "conftest.py"
    conftest.write_text(conftest.read_text().replace("deadline=0.4", "deadline=60"))
    result = run(project, "--within", "1.5")
    assert result.duration < 50
    assert verdicts()["ship.things.too_slow"] == ("unproven", "timeout")
    assert verdicts()["ship.things.seen_and_right"] == ("passed", "")
    late = next(one for one in record()["observations"] if one["probe"] == "slow")
    assert "whole look" in late["detail"]


@pytest.mark.parametrize("given", ["0", "-1", "soon", "nan"])
def test_an_end_that_is_no_time_is_refused(project: pytest.Pytester, given: str) -> None:
    """The message names the value and what to write."""
    result = run(project, "--within", given)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--within*{given}*is no number of seconds; write e.g. 55*"])


def test_the_smoke_stage_has_an_end() -> None:
    """`-m smoke` and nothing else sets one; a choice of it and more does not."""
    assert chosen.within("smoke", None) == chosen.SMOKE_S < 60
    assert chosen.within("smoke and not slow", None) is None
    assert chosen.within("smoke", 20.0) == 20.0
    assert chosen.within("", None) is None


def test_comparisons_that_checks_share_are_evidence() -> None:
    """The judges of people's word are rewritten like test modules, also where the package is installed editable."""
    assert type(accounts.__loader__).__name__ == "AssertionRewritingHook"
