"""What a record of an exercise must say to prove that the service can be rebuilt. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims.evidence import fact, moment
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.probes.dr_plan import DrPlanFacts

_SOURCES = ("code", "backup", "secrets")


def rebuilt(file: SignedFile) -> None:
    """Assert that it says on which clean host, from what, and which name led there."""
    for key in ("clean_host", "backup", "switched"):
        assert fact(file, key, str), f"{file.name} does not say {key}"
    sources = fact(file, "sources", dict)
    missing = [name for name in _SOURCES if not sources.get(name)]
    assert not missing, f"{file.name} does not say where {', '.join(missing)} came from"


def measured(file: SignedFile, plan: DrPlanFacts, *, now: datetime, max_age_d: float) -> None:
    """Assert that times were taken, agree with one another, and are within what is promised."""
    lost, back = moment(file, "lost_at"), moment(file, "users_back_at")
    point = moment(file, "restored_to")
    assert point <= lost < back <= file.produced + timedelta(minutes=1), (
        f"{file.name}: restored to {point}, lost at {lost}, back at {back}: these times are in no order"
    )
    assert now - back <= timedelta(days=max_age_d), (
        f"{file.name}: the exercise was {(now - back).days} days ago"
    )
    for key, took, promise in (
        ("rto_s", back - lost, plan.rto_h),
        ("rpo_s", lost - point, plan.rpo_h),
    ):
        said = fact(file, key, (int, float))
        assert abs(said - took.total_seconds()) <= 60, (
            f"{file.name} says {key} {said:.0f}, and its times {took.total_seconds():.0f}"
        )
        name = key.replace("_s", "_h")
        if promise is None:
            unproven(Reason.NO_CONFIG, f"no backup.{name} in the target file; say what is promised")
        assert said <= promise * 3600, f"{file.name}: {said / 3600:.1f} h, {name} is {promise:g}"


def smoked(file: SignedFile, plan: DrPlanFacts) -> None:
    """Assert that results of the suites go with it, and that all passed."""
    found = [one for one in plan.smoke if one.record == file.name]
    assert found, (
        f"{file.name} has no JUnit file of the suites with it (deploycheck attest … --file results.xml)"
    )
    for one in found:
        assert not one.problem, f"{one.path}: {one.problem}"
        assert one.passed, f"{one.path}: no test passed"
        assert not one.failed, f"{one.path}: {one.failed} of {one.tests} tests failed"


def attended(file: SignedFile) -> None:
    """Assert that not only whoever wrote the plan can follow it, and that the secondary on call was there."""
    people = fact(file, "participants", dict)
    author = fact(file, "plan_author", str)
    others = [name for name in people if name != author]
    assert others, f"{file.name}: only {author}, who wrote the plan, took part"
    assert "secondary" in people.values(), f"{file.name}: the secondary on call did not take part"


def number(text: str) -> float | None:
    """Return a number of a document's front matter, None where it is none."""
    try:
        return float(text.split()[0])
    except (ValueError, IndexError):
        return None
