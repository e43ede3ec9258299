"""Fixtures: each probe's facts as `<name>_facts`, the limits, the time, and the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_deploycheck.gates import standing
from pytest_deploycheck.session.collection import ITEMS, STAND_IN
from pytest_deploycheck.session.evidence import NotSeen, trace_of
from pytest_deploycheck.session.state import State
from pytest_deploycheck.verdict import Reason, Verdict

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.observe import Probe
    from pytest_deploycheck.target import Target

STATE = pytest.StashKey[State]()


def facts_fixture(probe: Probe) -> Callable[..., Any]:
    """Return the fixture that hands out a probe's facts, or ends the test's setup with the reason."""

    def facts(request: pytest.FixtureRequest) -> Any:
        return hand_out(request, probe.name)

    facts.__doc__ = f"{probe.summary} (facts: {probe.facts.__name__})"
    return pytest.fixture(name=probe.fixture)(facts)


def namespace(probes: Mapping[str, Probe]) -> ModuleType:
    """Return a module whose attributes are the facts fixtures, to be registered as a plugin."""
    module = ModuleType("deploycheck_facts")
    vars(module).update({probe.fixture: facts_fixture(probe) for probe in probes.values()})
    return module


def hand_out(request: pytest.FixtureRequest, name: str) -> Any:
    """Return the facts of a probe, or settle the test's verdict and stop it."""
    item = cast(pytest.Item, request.node)
    state = request.config.stash[STATE]
    trace = trace_of(item)
    seen = state.observation(name)
    items = item.stash.get(ITEMS, ())
    why = standing(seen, items)
    if why is None:
        return seen.facts
    claim = item.stash.get(STAND_IN, None)
    if claim is not None and why.verdict in (Verdict.UNPROVEN, Verdict.BLOCKED):
        trace.settle(why.verdict, why.reason, why.message)
        pytest.skip(f"{claim.kind.replace('_', ' ')}: {claim.why}")
    trace.settle(why.verdict, why.reason, why.message)
    if why.verdict is Verdict.BLOCKED:
        pytest.skip(why.message)
    prefix = f"unproven({why.reason}): " if why.verdict is Verdict.UNPROVEN else ""
    raise NotSeen(prefix + why.message)


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Limits:
    """Return the limits of the target file, or the defaults; the evidence shows which ones a test read."""
    state = request.config.stash[STATE]
    target = state.run.target if state.run else None
    from pytest_deploycheck import limits as numbers

    recorded = numbers.Recorded(
        target.limits if target else numbers.Limits(), target.path.name if target else "default"
    )
    trace_of(request.node).limits = recorded
    return cast("Limits", recorded)


@pytest.fixture
def now(request: pytest.FixtureRequest) -> datetime:
    """Return the time that this run judges at, in UTC: its start, or `--as-of`."""
    return request.config.stash[STATE].now


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Target:
    """Return the target file's content."""
    state = request.config.stash[STATE]
    if state.run is None:
        trace_of(request.node).settle(Verdict.UNPROVEN, Reason.NO_CONFIG, state.no_target)
        raise NotSeen(f"unproven(no_config): {state.no_target}")
    return state.run.target
