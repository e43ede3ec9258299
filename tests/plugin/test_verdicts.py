"""The differences of failed, error, unproven and blocked, from the probe to every output."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.plugin.conftest import EXPECTED, Verdicts, run


@pytest.mark.parametrize("more", [(), ("-q",), ("-v",), ("-n", "2"), ("--gather-jobs", "1")])
def test_every_verdict_reaches_the_evidence(
    project: pytest.Pytester, verdicts: Verdicts, more: tuple[str, ...]
) -> None:
    """Whatever the verbosity, workers or concurrency, each item has its verdict and the exit is red."""
    result = run(project, *more)
    assert verdicts() == EXPECTED
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*NO-GO*"])


def test_counts_agree_everywhere(project: pytest.Pytester, record: Any) -> None:
    """Terminal, JUnit, JSON and Markdown show the same counts."""
    result = run(project, "--junitxml", "j.xml")
    counts = record()["decision"]["counts"]
    assert counts == {"failed": 1, "error": 1, "unproven": 4, "blocked": 1, "passed": 1}
    properties = {
        found.get("name"): found.get("value")
        for found in ElementTree.parse(project.path / "j.xml").iter("property")  # noqa: S314 - made by us
        if found.get("name", "").startswith("deploycheck_") and found.get("value", "").isdigit()
    }
    assert properties == {f"deploycheck_{name}": str(n) for name, n in counts.items()}
    result.stdout.fnmatch_lines(["*= 1 failed, 1 passed, 1 error, 4 unproven, 1 blocked in*"])
    summary = (project.path / "ev" / "summary.md").read_text()
    assert "4 unproven" in summary and "NO-GO" in summary


def test_unproven_is_one_line_without_a_traceback(project: pytest.Pytester) -> None:
    """What could not be seen reads as one sentence in JUnit, and never as a traceback."""
    run(project, "--junitxml", "j.xml", "-k", "hidden")
    (error,) = ElementTree.parse(project.path / "j.xml").iter("error")  # noqa: S314 - made by us
    assert (error.text or "").strip() == "unproven(no_config): no [thing] in small.toml; add url"


def test_a_pass_shows_what_it_compared(project: pytest.Pytester, record: Any) -> None:
    """The evidence of a pass holds the comparison, the limit with its source, and the facts."""
    run(project, "-k", "right")
    (item,) = record()["items"]
    (outcome,) = item["outcomes"]
    assert outcome["comparisons"][0]["expression"] == "good_facts.value <= limits.health_samples"
    assert outcome["comparisons"][0]["values"] == "3 <= 5"
    assert (outcome["limits"][0]["name"], outcome["limits"][0]["origin"]) == ("health_samples", "default")
    assert record()["observations"][0]["facts"] == {"value": 3}


def test_one_green_item_is_go(project: pytest.Pytester, record: Any) -> None:
    """A selection that is proven is GO with exit status 0."""
    result = run(project, "-k", "right")
    assert result.ret == pytest.ExitCode.OK
    assert record()["decision"]["decision"] == "GO"


def test_allowing_lets_the_probe_look(project: pytest.Pytester, verdicts: Verdicts) -> None:
    """`--allow burst` turns not_allowed into a look."""
    run(project, "--allow", "burst", "-k", "bursting")
    assert verdicts() == {"ship.things.not_allowed": ("passed", "")}


@pytest.mark.parametrize("selection", [("-k", "nothing_like_it"), ("-m", "smokee")])
def test_selecting_nothing_is_not_green(project: pytest.Pytester, selection: tuple[str, str]) -> None:
    """A misspelt -k or -m selects nothing, and that is an error, not a success."""
    assert run(project, *selection).ret != pytest.ExitCode.OK


def test_skips_are_not_green(project: pytest.Pytester, verdicts: Verdicts) -> None:
    """A test that skips itself proves nothing."""
    (project.path / "suites" / "test_things.py").write_text(
        "import pytest\n@pytest.mark.checklist('ship.things.not_seen')\n"
        "def test_it(good_facts):\n    pytest.skip('not today')\n"
    )
    result = run(project)
    assert verdicts()["ship.things.not_seen"] == ("unproven", "no_evidence")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_plain_assertions_prove_nothing(project: pytest.Pytester, verdicts: Verdicts) -> None:
    """Under --assert=plain no comparison is seen, so no pass counts."""
    result = run(project, "--assert=plain", "-k", "right")
    assert verdicts() == {"ship.things.seen_and_right": ("unproven", "no_evidence")}
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_items_without_a_test_keep_a_whole_phase_from_go(
    project: pytest.Pytester, verdicts: Verdicts
) -> None:
    """Asking for a whole folder shows the items that nothing covers; asking for one file does not."""
    (project.path / "suites" / "test_things.py").write_text(
        "import pytest\n@pytest.mark.checklist('ship.things.seen_and_right')\n"
        "def test_it(good_facts):\n    assert good_facts.value == 3\n"
    )
    assert run(project).ret == pytest.ExitCode.TESTS_FAILED
    assert verdicts()["ship.things.refused"] == ("not_run", "")
    result = project.runpytest_subprocess("suites/test_things.py", "--target", "small", timeout=60)
    assert result.ret == pytest.ExitCode.OK


def test_the_worst_of_several_tests_counts(project: pytest.Pytester, verdicts: Verdicts) -> None:
    """An item with a passing and a failing test has failed."""
    (project.path / "suites" / "test_things.py").write_text(
        "import pytest\nmark = pytest.mark.checklist('ship.things.seen_and_right')\n"
        "@mark\ndef test_a(good_facts):\n    assert good_facts.value == 3\n"
        "@mark\ndef test_b(good_facts):\n    assert good_facts.value == 4\n"
    )
    run(project)
    assert verdicts()["ship.things.seen_and_right"] == ("failed", "")


def test_html_of_pytest_html_is_escaped(project: pytest.Pytester) -> None:
    """pytest-html shows the verdict in a column, and markup in it stays text."""
    run(project, "--html", "report.html", "--self-contained-html", "-k", "hidden")
    page = (project.path / "report.html").read_text()
    assert "unproven no_config" in page
    assert json.dumps("<td>unproven no_config</td>")[1:-1].replace('"', "&#34;") in page or "Verdict" in page
