"""What a check asks of the written account of a rollback or a drill: by whom, by when, and what it has to tell."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.claims import evidence
from pytest_deploycheck.claims.signatures import Status

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts

ITEM = "rollback.procedure.postmortem"
BLAME = re.compile(r"^\W*(human|operator|user|people)?\s*(error|mistake|failure|fault)\W*$", re.IGNORECASE)
"""A root cause in these words only names somebody."""


def by_event(facts: EvidenceFacts) -> dict[str, SignedFile]:
    """Return the newest account of each event."""
    found = [file for file in facts.files if file.item == ITEM and file.kind == "record"]
    return {str(file.facts.get("event", "")): file for file in sorted(found, key=lambda one: one.produced_at)}


def business_days(start: datetime, days: float) -> datetime:
    """Return the end of a number of days of work, Saturdays and Sundays left out."""
    at = start
    left = days
    while left > 0:
        at += timedelta(days=1)
        left -= at.weekday() < 5
    return at


def in_time(file: SignedFile, due: datetime) -> None:
    """Have an account as it was signed, and written before it was due."""
    assert not file.tampered, f"{file.name} was changed after it was signed: {'; '.join(file.problems)}"
    assert file.produced <= due, f"{file.name} was written after {due:%Y-%m-%d}, too late"


def countersigned(facts: EvidenceFacts, file: SignedFile) -> None:
    """Have an account signed by the technical lead, and by another one who led what it is about."""
    good = {one.principal for one in file.signatures if one.status == Status.OK}
    assert file.role == "techlead", f"{file.name} is signed as {file.role}, not by the technical lead"
    leads = set(facts.holders("operations")) | set(facts.holders("devops"))
    assert (good - {file.principal}) & leads, (
        f"{file.name} is not countersigned by who led it (operations or devops)"
    )


def timeline(file: SignedFile, at_least: int) -> list[datetime]:
    """Return the times of an account's timeline, which is in order and has so many entries."""
    entries = evidence.fact(file, "timeline", list)
    times = [evidence.moment_of(str(_value(one, "at")), f"{file.name}: timeline") for one in entries]
    assert len(times) >= at_least, f"{file.name}: its timeline has {len(times)} entries only"
    assert times == sorted(times), f"{file.name}: its timeline is not in order"
    return times


def away_s(file: SignedFile) -> float:
    """Return for how long users were away, as an account tells."""
    told = evidence.fact(file, "impact", dict).get("outage_s")
    assert isinstance(told, int | float), (
        f"{file.name} does not say how long users were away (impact.outage_s)"
    )
    return told


def lessons(file: SignedFile) -> None:
    """Have what set it off, causes that are more than somebody's name, what helped, decisions and runbooks."""
    assert evidence.fact(file, "trigger", str).strip(), f"{file.name} does not say what set it off"
    causes = evidence.fact(file, "root_causes", list)
    assert causes, f"{file.name} names no cause"
    for cause in causes:
        assert not BLAME.match(str(cause)), f"{file.name}: {cause!r} names somebody, and no cause"
    for name in ("what_helped", "decisions", "runbook_updates"):
        assert evidence.fact(file, name, list), f"{file.name}: {name} is empty"


def actions(file: SignedFile, limits: Limits, now: datetime) -> None:
    """Have actions with an owner, a date and a place to follow them, none of them long overdue."""
    entries = evidence.fact(file, "actions", list)
    assert entries, f"{file.name} leads to no action"
    for one in entries:
        what = str(_value(one, "what"))
        for key in ("what", "owner", "due", "tracker"):
            assert _value(one, key), f"{file.name}: an action has no {key}: {what}"
        due = evidence.moment_of(_midnight(str(one["due"])), f"{file.name}: due of {what}")
        late = (now - due) / timedelta(days=1)
        assert one.get("done") or late <= limits.postmortem_overdue_max_d, (
            f"{file.name}: {what} is {late:.0f} days late"
        )


def _value(entry: object, key: str) -> object:
    return entry.get(key, "") if isinstance(entry, dict) else ""


def _midnight(text: str) -> str:
    return f"{text}T00:00:00+00:00" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text
