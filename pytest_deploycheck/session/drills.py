"""`--drill`: a rollback for real, before anything is looked at; without it nothing here runs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pytest_deploycheck.claims import of_target, write
from pytest_deploycheck.claims.envelope import Producer, Where
from pytest_deploycheck.claims.signatures import SignaturesUnavailable
from pytest_deploycheck.session import workers

if TYPE_CHECKING:
    from pytest_deploycheck.drill.record import DrillRecord
    from pytest_deploycheck.session.state import State

ITEM = "operations.maintenance.rollback"
"""The item whose signed record a drill is."""
PREFIX = "rollback.procedure."
ROLE = "devops"


def refuse_early(config: pytest.Config, state: State) -> None:
    """Refuse a drill that cannot be, before anything is collected: no target, a replay, another's production."""
    option = config.option
    if option.deploycheck_drill_production and not option.deploycheck_drill:
        raise pytest.UsageError("--drill-production: only together with --drill")
    if not option.deploycheck_drill:
        return
    if state.run is None or state.run.replay is not None:
        raise pytest.UsageError("--drill: needs a live --target; a recorded run cannot be drilled")
    if state.run.as_of is not None:
        raise pytest.UsageError("--drill: is done now; leave --as-of out")
    if workers.is_controller(config):
        raise pytest.UsageError("--drill: is done by one process; leave pytest-xdist's -n out")
    from pytest_deploycheck.drill.commands import Refused, permit

    with _usage(Refused):
        permit(state.run.target, asked=True, typed=option.deploycheck_drill_production)


def plan(config: pytest.Config, state: State, line: Callable[[str], None]) -> None:
    """Print the commands that the drill would run."""
    if not config.option.deploycheck_drill or state.run is None:
        return
    from pytest_deploycheck.drill.machine import plan as commands

    target = state.run.target
    where = "the server" if target.rollback.on == "host" else "this machine"
    for step, command in commands(target):
        line(f"{'S5':7}{'drill':22}{step:14}{where:28}{command or '(no command in [rollback])'}")


def drill(config: pytest.Config, state: State) -> None:
    """Run the drill that was asked for, where the selected tests judge its steps."""
    run = state.run
    if not config.option.deploycheck_drill or run is None:
        return
    if not any(item.startswith(PREFIX) for item in state.collected.items):
        raise pytest.UsageError(
            f"--drill: none of the selected tests is of {PREFIX}*; select suites/rollback"
        )
    from pytest_deploycheck.drill import machine
    from pytest_deploycheck.drill.commands import Refused, permit
    from pytest_deploycheck.drill.journal import Busy
    from pytest_deploycheck.transports import Wire

    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    run.learn_secrets()
    wire = Wire(run.target, run_id=run.id, redactor=run.wire.redactor)
    wire.ledger.budget = 10**6
    with (
        capture.global_and_fixture_disabled() if capture else contextlib.nullcontext(),
        _usage(Refused, Busy),
    ):
        try:
            record = machine.drill(
                run.target,
                permit(run.target, asked=True, typed=config.option.deploycheck_drill_production),
                wire,
                say=reporter.write_line if reporter else print,
                root=config.rootpath,
                suites=config.getini("deploycheck_suites"),
                tool=f"pytest-deploycheck {run.seen.header['tool']['version']}",
            )
        finally:
            wire.close()
            run.wire.ledger.take_over(wire.ledger)
    try:
        signed = sign(state, record)
    except SignaturesUnavailable as error:
        signed = f"the record is not signed: {error}"
    if reporter:
        reporter.write_line(signed)
    run.begin_again()


def sign(state: State, record: DrillRecord) -> str:
    """Sign the record with the key of `[rollback]`; return what was done, in words."""
    assert state.run is not None
    target = state.run.target
    section = target.rollback
    name = f"{section.dir}/{record.id}.json"
    if not section.key:
        return f"not signed: deploycheck attest {ITEM} --as {ROLE} --facts {name} … makes it evidence"
    holders = of_target.roles(target).holders(ROLE)
    principal = section.principal or (holders[0] if holders else "")
    if not principal:
        return f"not signed: nobody holds the role {ROLE}, and there is no rollback.principal"
    made = write.envelope(
        ITEM,
        checklist=state.checklist,
        where=Where(name=target.name, environment=target.target.environment),
        release=of_target.release(target),
        kind="record",
        producer=Producer(principal=principal, role=ROLE),
        statement=f"Drill {record.id}: {record.left}.",
        now=datetime.now(UTC),
        valid=timedelta(days=target.limits.drill_max_age_d),
        facts=json.loads(json.dumps(record.to_json())),
    )
    path = write.write(made, target.file(target.claims.dir), target.file(section.key))
    return f"signed: {path.name}"


@contextlib.contextmanager
def _usage(*kinds: type[Exception]) -> Any:
    try:
        yield
    except kinds as error:
        raise pytest.UsageError(f"--drill: {error}") from None
