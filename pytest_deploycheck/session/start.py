"""Starting a run from the command line: options -> State."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck import checklist as checklists
from pytest_deploycheck.session.state import State

if TYPE_CHECKING:
    from pytest_deploycheck.observe import Probe


def make_state(config: pytest.Config, probes: dict[str, Probe]) -> State:
    """Return the state for the options given; raise pytest.UsageError for one that cannot be followed.

    Without a target nothing is imported that could look at one: listing tests is then as quick as pytest is.
    """
    option = config.option
    run, checklist = None, None
    if option.deploycheck_target or option.deploycheck_replay or config.getini("deploycheck_target"):
        from pytest_deploycheck.session.chosen import choose

        run, checklist = choose(config)
    return State(
        run=run,
        checklist=checklist or _own_checklist(config),
        probes=probes,
        evidence=Path(option.deploycheck_evidence).absolute() if option.deploycheck_evidence else None,
        baseline=Path(option.deploycheck_baseline) if option.deploycheck_baseline else None,
        planning=bool(option.deploycheck_plan),
    )


def _own_checklist(config: pytest.Config) -> checklists.Checklist:
    """Return the project's checklist (deploycheck_checklist), else ours."""
    name = config.getini("deploycheck_checklist")
    try:
        return checklists.load(config.rootpath / name) if name else checklists.default()
    except checklists.ChecklistError as error:
        raise pytest.UsageError(str(error)) from None
