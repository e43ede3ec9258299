"""A small project with a checklist, a target and probes of its own, in which every verdict occurs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHECKLIST = """# Small

## Ship

### Things
- [ ] Seen and right
- [ ] Seen and wrong
- [ ] Not seen
- [ ] Refused
- [ ] Broken probe
- [ ] Too slow
- [ ] Compares nothing
- [ ] Not allowed
"""

TARGET = """
[target]
name = "small"
environment = "staging"
base_url = "https://api.example.test"
"""

PROBES = '''
import time
from dataclasses import dataclass
from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.verdict import Reason

@dataclass(frozen=True)
class Number:
    """A number that was seen."""
    value: int

@probe(facts=Number, deadline=5)
def good(target):
    """See a number."""
    return Number(3)

@probe(facts=Number, deadline=5)
def hidden(target):
    """See nothing."""
    raise CannotLook(Reason.NO_CONFIG, "no [thing] in small.toml; add url")

@probe(facts=Number, deadline=5)
def refused(target):
    """Be refused."""
    raise Dead("db", "connection refused at nowhere")

@probe(facts=Number, deadline=5)
def broken(target):
    """Have a bug."""
    return 1 / 0

@probe(facts=Number, deadline=0.4)
def slow(target):
    """Hang."""
    time.sleep(30)

@probe(facts=Number, deadline=5, allow="burst", safety="S2")
def bursting(target):
    """Wait for a permission."""
    return Number(1)
'''

TESTS = """
import pytest

@pytest.mark.checklist("ship.things.seen_and_right")
def test_right(good_facts, limits):
    assert good_facts.value <= limits.health_samples

@pytest.mark.checklist("ship.things.seen_and_wrong")
def test_wrong(good_facts):
    assert good_facts.value == 4, f"the number is {good_facts.value}"

@pytest.mark.checklist("ship.things.not_seen")
def test_hidden(hidden_facts):
    assert hidden_facts.value

@pytest.mark.checklist("ship.things.refused")
def test_refused(refused_facts):
    assert refused_facts.value

@pytest.mark.checklist("ship.things.broken_probe")
def test_broken(broken_facts):
    assert broken_facts.value

@pytest.mark.checklist("ship.things.too_slow")
def test_slow(slow_facts):
    assert slow_facts.value

@pytest.mark.checklist("ship.things.compares_nothing")
def test_nothing(good_facts):
    for _ in range(0):
        assert good_facts.value

@pytest.mark.checklist("ship.things.not_allowed")
def test_bursting(bursting_facts):
    assert bursting_facts.value == 1
"""

EXPECTED = {
    "ship.things.seen_and_right": ("passed", ""),
    "ship.things.seen_and_wrong": ("failed", ""),
    "ship.things.not_seen": ("unproven", "no_config"),
    "ship.things.refused": ("blocked", "db"),
    "ship.things.broken_probe": ("error", ""),
    "ship.things.too_slow": ("unproven", "timeout"),
    "ship.things.compares_nothing": ("unproven", "no_evidence"),
    "ship.things.not_allowed": ("unproven", "not_allowed"),
}


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Make the small project in a temporary folder."""
    pytester.makefile(".md", list=CHECKLIST)
    pytester.makeini("[pytest]\ndeploycheck_checklist = list.md\n")
    pytester.mkdir("targets").joinpath("small.toml").write_text(TARGET)
    suites = pytester.mkdir("suites")
    suites.joinpath("conftest.py").write_text(PROBES)
    suites.joinpath("test_things.py").write_text(TESTS)
    return pytester


Verdicts = Callable[[], dict[str, tuple[str, str]]]


@pytest.fixture
def record(project: pytest.Pytester) -> Callable[[], dict[str, Any]]:
    """Return a function that reads the evidence of the last run."""

    def read() -> dict[str, Any]:
        values: dict[str, Any] = json.loads((project.path / "ev" / "evidence.json").read_text())
        return values

    return read


@pytest.fixture
def verdicts(record: Callable[[], dict[str, Any]]) -> Verdicts:
    """Return a function that reads each item's verdict and reason from the evidence."""
    return lambda: {item["item"]: (item["verdict"], item["reason"]) for item in record()["items"]}


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in the project in a process of its own, as a user does."""
    return project.runpytest_subprocess(
        "suites", "--target", "small", "--evidence", "ev", *arguments, timeout=60
    )


def write(path: Path, text: str) -> None:
    """Write a file."""
    path.write_text(text)
