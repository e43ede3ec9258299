"""The terminal's lines."""

from __future__ import annotations

import re

import pytest

from pytest_deploycheck.reports.terminal import lines
from pytest_deploycheck.reports.view import view
from pytest_deploycheck.verdict import Verdict

from .factory import OVERRIDES, record
from .hostile import CORPUS, poisoned

SGR = re.compile(r"\x1b\[[\d;]*m")


def said(verbosity: int = 0, width: int = 100, colour: bool = False, **given: object) -> list[str]:
    """Return the lines of a record."""
    return lines(record(**given), verbosity=verbosity, width=width, colour=colour)  # type: ignore[arg-type]


@pytest.mark.parametrize("verbosity", [-2, -1, 0, 1, 2])
def test_failures_and_the_decision_are_always_said(verbosity: int) -> None:
    """However quiet, each failed item has its line and the decision with all counts comes last (-q is honest)."""
    text = said(verbosity)
    assert any(
        line.startswith("FAILED") and "54. Rate limiting working: GET /api/v1/tokens" in line for line in text
    )
    assert any(line.startswith("ERROR") and "71. Disaster recovery plan" in line for line in text)
    last = " ".join(" ".join(text[-2:]).split())
    assert "NO-GO token-service 1.4.2 on prod: 125 items: 89 passed" in last
    assert last.endswith("2 failed. Decided by: an item failed.")


def test_one_cause_is_said_once() -> None:
    """Six items unproven for one reason are one line, with the items named below it unless quiet."""
    sentence = "no [prometheus] in targets/prod.toml; add url"
    names = [item.id for item in view(record()).items if item.id.startswith("go_live.final")] + [
        "post_deploy.monitoring.prometheus"
    ]
    overrides = OVERRIDES | dict.fromkeys(names, (Verdict.UNPROVEN, "no_config", sentence))
    text = said(overrides=overrides)
    assert [line for line in text if sentence in line] == [f"6 items unproven (no_config): {sentence}"]
    place = text.index(f"6 items unproven (no_config): {sentence}")
    assert [line.split()[0] for line in text[place + 1 : place + 7]] == ["UNPROVEN"] * 6
    quiet = said(-1, overrides=overrides)
    assert f"6 items unproven (no_config): {sentence}" in quiet
    assert not any(line.startswith("  UNPROVEN") for line in quiet)


def test_green_items_are_counted_not_listed_unless_asked_for() -> None:
    """Passed items have no line of their own at normal verbosity, and all have one with -v."""
    assert not any(line.startswith("passed") for line in said(0))
    assert sum(bool(re.match(r"\s*[A-Za-z ]{14} \d+\. ", line)) for line in said(1)) == 125


def test_sections_are_counted_where_not_all_is_green() -> None:
    """Each phase has its counts, and its sections where they differ."""
    text = said()
    assert "Pre-Deployment Checklist: 21 passed" in text
    assert "Post-Deployment Verification: 18 passed, 1 blocked, 3 unproven, 1 failed" in text
    assert "  Monitoring Setup: 3 passed, 3 unproven" in text


def test_gates_claims_standins_and_changes_are_said() -> None:
    """A dead gate, a waiver that does not count, stand-ins and the comparison each have words."""
    text = " ".join(" ".join(said()).split())
    assert "gate explorer is dead: api.etherscan.example refused the key: 403" in text
    assert "waiver for post_deploy.security.rate_limit does not count: expired on 2026-11-21" in text
    assert "stand-ins, not the real systems: explorer" in text
    assert "since the baseline run: 2 newly failing, 2 fixed, 5 with other evidence" in text


def test_a_baseline_that_cannot_be_read_is_said_in_words() -> None:
    """The reason for no comparison is a line of its own; no baseline at all needs none (R17)."""
    bad = {"state": "older", "sentence": "No comparison: schema 'deploycheck/0' is not 'deploycheck/1'."}
    assert "baseline: No comparison: schema 'deploycheck/0' is not 'deploycheck/1'." in said(baseline=bad)
    assert not any("baseline" in line for line in said(baseline={"state": "none", "sentence": "none"}))


@pytest.mark.parametrize("width", [10, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Visible text keeps to the width, or to 40 columns where a terminal claims to be narrower."""
    for line in lines(poisoned(record()), verbosity=1, width=width, colour=True):
        assert len(SGR.sub("", line)) <= max(width, 40)


def test_colour_adds_nothing_but_colour() -> None:
    """With the colour taken out, the lines are those without colour, and each colour is switched off."""
    coloured = said(1, colour=True)
    assert [SGR.sub("", line) for line in coloured] == said(1)
    assert sum("\x1b[" in line for line in coloured) > 100
    assert all(SGR.findall(line)[1::2] == ["\x1b[0m"] * (len(SGR.findall(line)) // 2) for line in coloured)


@pytest.mark.parametrize("start", range(0, len(CORPUS), 5))
@pytest.mark.parametrize("verbosity", [-1, 1])
def test_hostile_strings_cannot_steer_the_terminal(start: int, verbosity: int) -> None:
    """No control character, direction override or line break of a target reaches the terminal (R8)."""
    for line in lines(poisoned(record(), start), verbosity=verbosity, width=120, colour=False):
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", line)


def test_a_green_run_is_short() -> None:
    """GO says its counts and nothing that looks like trouble."""
    text = said(-1, green=True)
    assert text[-1].startswith("GO token-service") or text[-2].startswith("GO token-service")
    assert not any(re.match(r"[A-Z]{5,} ", line) for line in text)
