"""Hooks and options of the pytest plugin; what they do is told in `session`."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.check import PROVISIONAL
from pytest_deploycheck.observe import Probe
from pytest_deploycheck.probes import registry
from pytest_deploycheck.session import collection, evidence, fixtures, live, options, show, workers
from pytest_deploycheck.session.fixtures import STATE
from pytest_deploycheck.session.start import make_state
from pytest_deploycheck.session.state import State


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the target before anything is collected, and offer the fixtures."""
    config.addinivalue_line("markers", "checklist(*ids, text): the checklist items that a test proves")
    config.addinivalue_line("markers", "smoke: part of the sixty-second smoke stage")
    # Passing comparisons are evidence; pytest reports them only when this is set, and reads it from here.
    config._inicache["enable_assertion_pass_hook"] = True
    # To list tests nothing need be known of probes, and importing them takes longer than pytest's own start.
    probes = {} if config.option.collectonly else registry()
    for plugin in config.pluginmanager.get_plugins():
        probes |= _probes_in(plugin)
    state = make_state(config, probes)
    if config.option.deploycheck_drill or config.option.deploycheck_drill_production:
        from pytest_deploycheck.session import drills

        drills.refuse_early(config, state)
    config.stash[STATE] = state
    config.pluginmanager.register(state, "deploycheck-state")
    config.pluginmanager.register(fixtures, "deploycheck-fixtures")
    config.pluginmanager.register(live, "deploycheck-live")
    config.pluginmanager.register(fixtures.namespace(probes), "deploycheck-facts")
    live.feed_testinfra(config, state)


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Make fixtures of the probes in a conftest that is found during collection."""
    state = manager.get_plugin("deploycheck-state")
    if isinstance(state, State) and plugin is not state:
        fresh = {name: found for name, found in _probes_in(plugin).items() if name not in state.probes}
        if fresh:
            state.probes |= fresh
            manager.register(fixtures.namespace(fresh), f"deploycheck-facts-{id(plugin)}")


def _probes_in(plugin: object) -> dict[str, Probe]:
    values = list(vars(plugin).values()) if hasattr(plugin, "__dict__") else []
    return {value.name: value for value in values if isinstance(value, Probe)}


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which deployment is looked at."""
    return show.header(config.stash[STATE])


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remember that something was left out by choice."""
    if items:
        items[0].config.stash[STATE].deselected.extend(items)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Bind tests to items; refuse unknown ids and suite tests without an item."""
    state = config.stash[STATE]
    problems = collection.bind(items, state.checklist, state.probes)
    problems += collection.unbound(items, config.rootpath / config.getini("deploycheck_suites"))
    if problems:
        raise pytest.UsageError("\n".join(problems))
    state.active = any(item.stash[collection.ITEMS] or item.stash[collection.PROBES] for item in items)
    folders = [Path(arg).absolute() for arg in config.args if Path(arg).is_dir()]
    state.collected = collection.survey(items, state.deselected, state.checklist, folders)
    if state.run is not None:
        state.run.select(state.collected.items, state.collected.coverage)
        collection.apply_claims(items, state.run)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Look with every probe that the selected tests need, before the first of them runs."""
    config = session.config
    state = config.stash[STATE]
    if not state.active or config.option.collectonly or session.testsfailed:
        return None
    if state.planning:
        show.plan(config, state)
        return True
    # What looks, and what concludes, is imported when there is something to look at.
    from pytest_deploycheck.session import drills, gathering

    if workers.is_worker(config):
        gathering.gather_among_workers(config, state)
    elif state.run is not None:
        drills.drill(config, state)
        gathering.begin_journal(state)
        gathering.gather(config, state)
    return None


def pytest_assertion_pass(item: pytest.Item, lineno: int, orig: str, expl: str) -> None:
    """Count a comparison that held, and keep it as evidence."""
    evidence.passed_comparison(item, lineno, orig, expl)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let the check note until when its result may change."""
    token = PROVISIONAL.set(evidence.trace_of(item).provisional)
    try:
        return (yield)
    finally:
        PROVISIONAL.reset(token)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a finished phase into an outcome, and take secrets out of what pytest will print."""
    report = yield
    state = item.config.stash[STATE]
    if item.stash.get(collection.ITEMS, ()) or item.stash.get(collection.PROBES, ()):
        outcome = evidence.outcome_of(item, call, report, state.redactor)
        if outcome is not None:
            evidence.attach(report, outcome)
    evidence.scrub(report, state.redactor)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: Any, config: pytest.Config) -> tuple[str, str, Any] | None:
    """Give each verdict its own word; an unproven item must not look like a broken test or a skip."""
    return show.status(report)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what the gathering worker saw."""
    state = node.config.stash[STATE]
    workers.adopt(state, getattr(node, "workeroutput", {}).get("deploycheck"))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
    """Conclude the run; the exit status is 0 only for GO or GO WITH WAIVERS."""
    config = session.config
    state = config.stash.get(STATE, None)
    if state is None or state.planning or config.option.collectonly:
        return
    from pytest_deploycheck.session import finish

    if workers.is_worker(config):
        config.workeroutput["deploycheck"] = workers.handover(state)  # type: ignore[attr-defined]
        return
    state.interrupted = state.interrupted or exitstatus == pytest.ExitCode.INTERRUPTED
    if state.active and state.run is not None:
        finish.conclude(state)
        show.junit(config, state)
    session.exitstatus = finish.exit_status(state, exitstatus)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what is not green, why, and the decision last."""
    show.summary(terminalreporter, config.stash[STATE])


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_table_header(cells: list[str]) -> None:
    """Add a column to pytest-html's table."""
    cells.insert(1, "<th>Verdict</th>")


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_table_row(report: Any, cells: list[str]) -> None:
    """Fill the column; pytest-html inserts cells as they are, so every one is escaped."""
    outcome = getattr(report, evidence.KEY, None) or {}
    words = " ".join(str(outcome.get(name, "")) for name in ("verdict", "reason")).strip()
    cells.insert(1, f"<td>{escape(words)}</td>")
