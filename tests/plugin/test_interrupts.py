"""What is left when a run is ended from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pytest_deploycheck.cli import main
from pytest_deploycheck.journal import NAME


def start(project: pytest.Pytester) -> subprocess.Popen[str]:
    """Start a run whose second test waits, and return once its first result is in the journal."""
    (project.path / "suites" / "test_things.py").write_text(
        "import time, pytest\n"
        "@pytest.mark.checklist('ship.things.seen_and_right')\n"
        "def test_a(good_facts):\n    assert good_facts.value == 3\n"
        "@pytest.mark.checklist('ship.things.too_slow')\n"
        "def test_b(good_facts):\n    time.sleep(60)\n    assert good_facts.value == 3\n"
    )
    command = [sys.executable, "-m", "pytest", "suites", "--target", "small", "--evidence", "ev"]
    process = subprocess.Popen(command, cwd=project.path, stdout=subprocess.PIPE, text=True)
    journal = project.path / "ev" / NAME
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if journal.exists() and '"what": "outcome"' in journal.read_text():
            return process
        time.sleep(0.05)
    process.kill()
    raise AssertionError("no outcome was journalled")


def test_sigkill_loses_no_finished_result(project: pytest.Pytester) -> None:
    """After SIGKILL `deploycheck report` writes the evidence of all that was finished."""
    process = start(project)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    assert not (project.path / "ev" / "evidence.json").exists()
    assert main(["report", str(project.path / "ev"), "--checklist", str(project.path / "list.md")]) == 0
    record = json.loads((project.path / "ev" / "evidence.json").read_text())
    verdicts = {item["item"]: item["verdict"] for item in record["items"]}
    assert verdicts["ship.things.seen_and_right"] == "passed"
    assert verdicts["ship.things.too_slow"] == "not_run"
    assert record["decision"]["decision"] == "INCOMPLETE"
    assert record["run"]["interrupted"] is True


def test_ctrl_c_writes_what_was_seen(project: pytest.Pytester) -> None:
    """Ctrl-C ends the run with evidence that says it was interrupted."""
    process = start(project)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    record = json.loads((project.path / "ev" / "evidence.json").read_text())
    assert record["run"]["interrupted"] is True
    assert record["decision"]["rule"] == "the run was interrupted"
    assert not (project.path / "ev" / NAME).exists()


def test_a_torn_last_line_is_left_out(project: pytest.Pytester) -> None:
    """A journal cut off in mid-line gives the results before it."""
    process = start(project)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    journal = project.path / "ev" / NAME
    journal.write_text(journal.read_text() + '{"what": "outcome", "value": {"test"')
    assert main(["report", str(project.path / "ev"), "--checklist", str(project.path / "list.md")]) == 0
