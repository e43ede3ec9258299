"""Faults of communication: what was signed does not hold, or nobody signed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault
from tests.faults.tools import edited, signed_again, unsaid

STAKEHOLDERS = "go_live.communication.stakeholders"
SUPPORT = "go_live.communication.support"
DOCS = "go_live.communication.docs"
EMERGENCY = "go_live.communication.emergency"
NEEDS = ("people",)


def said(item: str, change: Callable[[dict[str, Any]], object], *, sign: bool = True) -> Any:
    """Return an injection that changes what was signed about an item."""

    def inject(demo: Deployment) -> AbstractContextManager[None]:
        return signed_again(demo, item, change, sign=sign)

    return inject


def facts(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Return a change of some facts."""
    return lambda values: values["facts"].update(changes)


def later(key: str, **by: float) -> Callable[[dict[str, Any]], object]:
    """Return a change that moves a time of the facts."""

    def change(values: dict[str, Any]) -> None:
        moved = datetime.fromisoformat(values["facts"][key]) + timedelta(**by)
        values["facts"][key] = moved.isoformat()

    return change


def without(key: str) -> Callable[[dict[str, Any]], object]:
    """Return a change that leaves a fact out."""
    return lambda values: values["facts"].pop(key)


for item, name, change, becomes in (
    (STAKEHOLDERS, "a group was forgotten", facts(audience=["customers"]), Verdict.FAILED),
    (STAKEHOLDERS, "another time was told", later("go_live_at", hours=1), Verdict.FAILED),
    (STAKEHOLDERS, "it was sent after the go-live", later("sent_at", days=3), Verdict.FAILED),
    (STAKEHOLDERS, "it was sent months before", later("sent_at", days=-60), Verdict.FAILED),
    (STAKEHOLDERS, "somebody objects", facts(open_objections=1), Verdict.FAILED),
    (STAKEHOLDERS, "no copy of the message", lambda values: values["artifacts"].clear(), Verdict.FAILED),
    (STAKEHOLDERS, "it does not say when", without("sent_at"), Verdict.UNPROVEN),
    (SUPPORT, "the lead did not come", facts(attendees=["noah", "lea", "tom", "zoe"]), Verdict.FAILED),
    (SUPPORT, "half of the team did not come", facts(attendees=["mia", "noah"]), Verdict.FAILED),
    (SUPPORT, "the briefing was for another version", facts(version="1.3.0"), Verdict.FAILED),
    (SUPPORT, "the briefing was long before", later("held_at", days=-40), Verdict.FAILED),
    (SUPPORT, "nobody tried the access", facts(access_tested=False), Verdict.FAILED),
    (DOCS, "a team has not read one", facts(acknowledged={"API reference": ["support"]}), Verdict.FAILED),
    (EMERGENCY, "the secondary answered after an hour", facts(acknowledged_s={"primary": 60, "secondary": 3600}), Verdict.FAILED),
    (EMERGENCY, "the test page is old", later("paged_at", days=-60), Verdict.FAILED),
):  # fmt: skip
    fault(item, name, probes=("evidence",), needs=NEEDS, becomes=becomes)(said(item, change))

fault(STAKEHOLDERS, "changed after it was signed", probes=("evidence",), needs=NEEDS)(
    said(STAKEHOLDERS, facts(audience=["customers", "investors", "support"]), sign=False)
)
fault(SUPPORT, "for another release", probes=("evidence",), needs=NEEDS, becomes=Verdict.UNPROVEN)(
    said(SUPPORT, lambda values: values["release"].update(commit="0" * 40))
)


@fault(DOCS, "nobody signed", probes=("evidence",), needs=NEEDS, becomes=Verdict.UNPROVEN)
@contextmanager
def unsigned(demo: Deployment) -> Iterator[None]:
    """Take the record away."""
    with unsaid(demo, DOCS):
        yield


@fault(DOCS, "a document is gone", probes=("communication",), needs=NEEDS)
@contextmanager
def document_gone(demo: Deployment) -> Iterator[None]:
    """Take a page out of the wiki."""
    path = demo.world.path("docs", "runbooks", "chain.md")
    path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        path.with_suffix(".away").rename(path)


@fault(EMERGENCY, "a gap in the roster", probes=("communication",), needs=NEEDS)
@contextmanager
def roster_gap(demo: Deployment) -> Iterator[None]:
    """Leave the secondary of the week out."""
    with edited(demo.world.path("people", "roster.toml"), ('who = "grace"\nfrom', 'who = ""\nfrom')):
        yield


@fault(EMERGENCY, "one person is both", probes=("communication",), needs=NEEDS)
@contextmanager
def twice(demo: Deployment) -> Iterator[None]:
    """Let the primary be her own secondary."""
    with edited(demo.world.path("people", "roster.toml"), ('"grace"', '"ada"')):
        yield


@fault(EMERGENCY, "no contact of the registrar", probes=("communication",), needs=NEEDS)
@contextmanager
def contact_missing(demo: Deployment) -> Iterator[None]:
    """Forget a provider."""
    with edited(demo.world.path("people", "roster.toml"), ("registrar =", "registry =")):
        yield
