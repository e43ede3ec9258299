"""What the options choose: a target, a run against it or over a recorded one; every mistake before any contact."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_deploycheck.checklist import Checklist, ChecklistError, default
from pytest_deploycheck.checklist import load as load_checklist
from pytest_deploycheck.claims.roles import RolesError
from pytest_deploycheck.claims.signatures import SignaturesUnavailable
from pytest_deploycheck.observe import ALLOWANCES
from pytest_deploycheck.record import Record, RecordError, read
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import Target, TargetError, find, load

DEMO = "demo"
SMOKE = "smoke"
SMOKE_S = 55.0
"""Seconds of the smoke stage's look: the stage is one minute, and five seconds are for judging."""


def choose(config: pytest.Config) -> tuple[Run | None, Checklist]:
    """Return the run and the checklist for the options given; raise pytest.UsageError for one that cannot be followed."""
    option = config.option
    try:
        replay = read(Path(option.deploycheck_replay), facts=True) if option.deploycheck_replay else None
        target = _target(config, replay)
        checklist = _checklist(config, target)
        run = _run(config, target, replay, checklist) if target is not None else None
    except (TargetError, ChecklistError, RecordError, RolesError, SignaturesUnavailable) as error:
        raise pytest.UsageError(str(error)) from None
    return run, checklist


def _target(config: pytest.Config, replay: Record | None) -> Target | None:
    name = config.option.deploycheck_target or config.getini("deploycheck_target")
    if name == DEMO and not (config.rootpath / "targets" / "demo.toml").is_file():
        return load(_running_demo(config.rootpath))
    if name:
        return load(find(name, config.rootpath))
    return _recorded_target(replay) if replay is not None else None


def _running_demo(root: Path) -> Path:
    """Return the target file of the reference deployment that runs in `.demo` below the root."""
    path = root / ".demo" / "target.toml"
    if not path.is_file():
        raise TargetError(
            f"--target demo: no reference deployment has been started in {path.parent}; "
            "run `deploycheck demo up .demo` in another terminal first, or `make demo`"
        )
    return path


def _recorded_target(replay: Record) -> Target:
    """Return enough of a target to judge a recorded run again: its name, environment and limits."""
    recorded = replay.target
    values = {
        "target": {name: recorded[name] for name in ("name", "environment", "base_url")},
        "limits": recorded.get("limits", {}),
        "path": Path(str(recorded.get("file", "recorded target"))),
    }
    return Target.model_validate(values)


def _checklist(config: pytest.Config, target: Target | None) -> Checklist:
    """Return the target's own checklist, else the project's (deploycheck_checklist), else ours."""
    if target is not None and target.target.checklist:
        return load_checklist(target.file(target.target.checklist))
    name = config.getini("deploycheck_checklist")
    return load_checklist(config.rootpath / name) if name else default()


def _run(config: pytest.Config, target: Target, replay: Record | None, checklist: Checklist) -> Run:
    option = config.option
    words = [word.strip() for given in option.deploycheck_allow for word in given.split(",") if word.strip()]
    for word in words:
        if word not in ALLOWANCES:
            raise TargetError(f"--allow {word}: unknown; choose from {', '.join(ALLOWANCES)}")
    as_of = _moment(option.deploycheck_as_of) if option.deploycheck_as_of else None
    if as_of is not None and target.target.environment == "production" and replay is None:
        raise TargetError(
            "--as-of is refused for a live production target; judge a recorded run with --replay FILE --as-of"
        )
    return Run(
        target,
        allow=words,
        jobs=option.deploycheck_jobs,
        within=within(option.markexpr, option.deploycheck_within),
        as_of=as_of,
        replay=replay,
        checklist=checklist,
        command="pytest " + " ".join(config.invocation_params.args),
        pytest_version=pytest.__version__,
    )


def within(markers: str, given: float | None) -> float | None:
    """Return the seconds after which the whole look ends: as given, the smoke stage's own, or none."""
    return given or (SMOKE_S if markers.strip() == SMOKE else None)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TargetError(f"--as-of {text!r} is no ISO 8601 time; write e.g. 2026-11-24T09:30:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
