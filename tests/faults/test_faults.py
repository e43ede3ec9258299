"""Each fault flips its item from passed to failed, and nothing outside its theme."""

from __future__ import annotations

import pytest

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.run import Run
from pytest_deploycheck.verdict import Verdict
from tests.faults.catalog import FAULTS
from tests.faults.harness import Fault, judge_all, look, with_limits


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_fault(fault: Fault, request: pytest.FixtureRequest) -> None:
    """The item fails, or loses its proof; gate dependents are blocked at most, all else stays as it was."""
    world, seen = ("lived", "lived_healthy") if fault.lived else ("demo", "healthy")
    demo: Deployment = request.getfixturevalue(world)
    healthy: tuple[Run, dict[str, Observation]] = request.getfixturevalue(seen)
    absent = [f"{unit}: {why}" for unit, why in demo.absent.items() if unit in fault.needs]
    if absent:
        pytest.skip("; ".join(absent))
    before = judge_all(*healthy)
    assert before[fault.item].verdict is Verdict.PASSED, f"not healthy before: {before[fault.item]}"
    with fault.inject(demo):
        after = judge_all(*look(with_limits(demo.target, dict(fault.limits)), fault.probes, healthy[1]))
    assert after[fault.item].verdict is fault.becomes, f"not flipped: {after[fault.item]}"
    changed = {
        item: judged
        for item, judged in after.items()
        if judged.verdict is not before[item].verdict
        and judged.verdict is not Verdict.BLOCKED
        and item not in (fault.item, *fault.also)
    }
    assert not changed, f"flipped as well: {changed}"
