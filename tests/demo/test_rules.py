"""The alert rules as files: valid, documented, and each shown firing on the fault it is for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pytest_deploycheck.demo import monitoring, prometheus, runbooks, tools

RULES = sorted(prometheus.RULES.glob("*.yml"))
needs_promtool = pytest.mark.skipif(bool(tools.missing("promtool")), reason="needs promtool")


def alerts(file: Path) -> dict[str, str]:
    """Return the text of each rule of a file by the alert's name."""
    parts = re.split(r"^ +- alert: (\w+)\n", file.read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@needs_promtool
@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_promtool_accepts_the_rules(file: Path) -> None:
    """Expressions, templates and durations are valid."""
    done = subprocess.run(
        [tools.path_of("promtool"), "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_every_alert_fires_on_its_fault(file: Path) -> None:
    """Promtool's own test of the group passes, and there is one for each alert in it."""
    test = prometheus.RULE_TESTS / file.name
    named = re.findall(r"^  - name: (\w+)$", test.read_text(), flags=re.MULTILINE)
    assert named == list(alerts(file))
    done = subprocess.run(
        [tools.path_of("promtool"), "test", "rules", test], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_every_alert_says_what_to_do(file: Path) -> None:
    """Severity, summary, description and a runbook with a section of that name; waits of a minute or more."""
    for name, text in alerts(file).items():
        assert re.search(r"severity: (critical|page|warning|ticket|none)", text), name
        assert "summary: " in text, name
        assert "description: " in text, name
        assert name == "Watchdog" or re.search(r"for: \d+[mh]", text), name
        link = re.search(rf"runbook_url: \"{prometheus.RUNBOOK_MARK}/(\w+\.md)#(\w+)\"", text)
        assert link is not None, name
        assert link[2] == name.lower()
        assert f"## {name}\n" in (runbooks.SOURCE / link[1]).read_text()


def test_every_intent_is_covered() -> None:
    """Each intent that the target file requires matches a rule's name and expression."""
    rules = [f"{name}\n{text}" for file in RULES for name, text in alerts(file).items()]
    missing = [
        intent
        for intent, pattern in monitoring.INTENTS.items()
        if not any(re.search(pattern, r) for r in rules)
    ]
    assert missing == []


def test_names_are_unique() -> None:
    """No two alerts share a name, or silences and runbooks would mean both."""
    names = [name for file in RULES for name in alerts(file)]
    assert len(names) == len(set(names)) > 40
