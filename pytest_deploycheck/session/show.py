"""What the terminal and pytest's own reports show of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_deploycheck.session.evidence import KEY

if TYPE_CHECKING:
    from pytest_deploycheck.session.state import State

_WORDS: dict[str, tuple[str, str, str, dict[str, bool]]] = {
    # verdict: pytest category, letter, word, colours
    "unproven": ("unproven", "u", "UNPROVEN", {"yellow": True}),
    "blocked": ("blocked", "b", "BLOCKED", {"yellow": True}),
    "error": ("error", "E", "ERROR", {"red": True}),
    "failed": ("failed", "F", "FAILED", {"red": True}),
    "pending": ("pending", "p", "PENDING", {"yellow": True}),
}


def header(state: State) -> list[str]:
    """Return the header lines."""
    if state.run is None:
        return []
    run = state.run
    place = f"{run.target.name} ({run.target.target.environment}) {run.target.target.base_url}"
    lines = [f"deploycheck: {place}, {run.target.path.name}, checklist of {len(run.checklist.items)} items"]
    if run.replay is not None:
        lines.append(f"deploycheck: judging run {run.replay.run['id']} again; nothing is touched")
    return lines


def status(report: Any) -> tuple[str, str, Any] | None:
    """Return category, letter and word for a report that carries an outcome."""
    outcome = getattr(report, KEY, None)
    if outcome is None or getattr(report, "outcome", "") == "rerun":
        return None
    if report.skipped and outcome["verdict"] == "unproven" and not hasattr(report, "wasxfail"):
        attested = isinstance(report.longrepr, tuple) and report.longrepr[2].startswith("attestation")
        words = ("attested", "a", "ATTESTED") if attested else ("not applicable", "n", "N/A")
        return words[0], words[1], (words[2], {"green": True})
    if outcome["verdict"] not in _WORDS or hasattr(report, "wasxfail"):
        return None
    category, letter, word, colours = _WORDS[outcome["verdict"]]
    return category, letter, (word, colours)


def plan(config: pytest.Config, state: State) -> None:
    """Print every conversation that the selected tests would hold."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if state.run is None:
        raise pytest.UsageError(f"--plan: {state.no_target}")
    entries = state.run.plan(state.collected.probes, state.probes)
    reporter.write_line("")
    reporter.write_line(f"{'safety':7}{'probe':22}{'endpoint':14}{'may do':28}where", bold=True)
    for entry in entries:
        need = f"  [not without {entry['needs']}]" if entry["needs"] else ""
        row = f"{entry['safety']:7}{entry['probe']:22}{entry['endpoint']:14}{entry['actions']:28}"
        reporter.write_line(f"{row}{entry['where']}{need}")
    from pytest_deploycheck.session import drills

    drills.plan(config, state, reporter.write_line)
    budget = state.run.target.target.request_budget
    probes = len({entry["probe"] for entry in entries})
    reporter.write_line(f"{probes} probes, at most {budget} requests; nothing was touched")


def summary(reporter: Any, state: State) -> None:
    """Print what is not green, why, and the decision last."""
    if not state.active or state.planning:
        return
    if state.record is None:
        if state.run is None:
            reporter.write_line("")
            reporter.write_line(f"INCOMPLETE: {state.no_target}", red=True, bold=True)
        return
    from pytest_deploycheck.reports import terminal

    lines = terminal.lines(
        state.record,
        verbosity=reporter.config.option.verbose,
        width=reporter._tw.fullwidth,
        colour=reporter.hasmarkup,
    )
    if reporter.config.option.verbose >= 0:
        reporter.section("deployment checklist", sep="=")
    for line in lines:
        reporter.write_line(line)
    if state.unwritten:
        reporter.write_line(f"ERROR: {state.unwritten}", red=True, bold=True)
    if state.written:
        reporter.write_line(f"evidence: {next(iter(state.written.values())).parent}")


def junit(config: pytest.Config, state: State) -> None:
    """Put the decision and the counts on the JUnit report's suite."""
    from _pytest.junitxml import xml_key

    xml = config.stash.get(xml_key, None)
    if xml is not None and state.record is not None:
        from pytest_deploycheck.session.finish import decision_properties

        for name, value in decision_properties(state.record).items():
            xml.add_global_property(name, value)
