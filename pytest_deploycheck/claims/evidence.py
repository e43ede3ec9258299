"""What a check does with signed records: take the newest of its item that counts, or say what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import policy
from pytest_deploycheck.claims.signatures import MEANS, Status
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile

_UNSIGNED = (
    Status.MISSING,
    Status.UNKNOWN_KEY,
    Status.EXPIRED_KEY,
    Status.REVOKED_KEY,
    Status.WRONG_NAMESPACE,
)


def newest(
    files: Iterable[SignedFile],
    item: str,
    *,
    now: datetime,
    max_age_d: float,
    this_release: bool = True,
    roles: tuple[str, ...] = (),
) -> SignedFile:
    """Return the newest signed record of an item; end the check when there is none that counts.

    Fails when a record was changed after it was signed or comes from the future.  Unproven when there is
    none, when its signature is nobody's, when it is older than `max_age_d` days or for another release.
    roles: who may sign it, by default those of `policy.RECORDS`.
    """
    found = sorted(
        (file for file in files if file.item == item and file.kind == "record"),
        key=lambda file: file.produced_at,
    )
    if not found:
        wanted = " or ".join(roles or policy.RECORDS.get(item, ())) or "its owner"
        unproven(
            Reason.NO_EVIDENCE, f"no signed record of {item}; {wanted} writes one: deploycheck attest {item}"
        )
    file = found[-1]
    assert not file.tampered, f"{file.name} was changed after it was signed: {'; '.join(file.problems)}"
    require_counts(file, now=now, max_age_d=max_age_d, this_release=this_release)
    allowed = roles or policy.RECORDS.get(item, ())
    assert not allowed or file.role in allowed, (
        f"{file.name} is signed as {file.role}; {item} is the word of {' or '.join(allowed)}"
    )
    return file


def require_counts(file: SignedFile, *, now: datetime, max_age_d: float, this_release: bool = True) -> None:
    """End the check as unproven unless a file's signature, time and release make it count."""
    status = Status(file.signatures[0].status)
    if status in _UNSIGNED:
        unproven(Reason.UNSIGNED, f"{file.name}: {MEANS[status]}")
    age = now - file.produced
    assert age > -timedelta(minutes=5), f"{file.name} says that it was made in the future"
    if age > timedelta(days=max_age_d) or file.until <= now:
        unproven(Reason.STALE, f"{file.name} is {age.days} days old, or expired at {file.valid_until}")
    if this_release and file.differs:
        unproven(Reason.STALE, f"{file.name} is for another release: {'; '.join(file.differs[:3])}")
    if file.problems:
        unproven(Reason.UNSIGNED, f"{file.name} does not count: {'; '.join(file.problems[:3])}")


def fact(file: SignedFile, key: str, kind: type | tuple[type, ...] = object) -> Any:
    """Return a fact of a record by its dotted name; unproven where the record does not say it."""
    value: Any = file.facts
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            unproven(Reason.NO_EVIDENCE, f"{file.name} does not say {key}")
        value = value[part]
    if not isinstance(value, kind):
        unproven(
            Reason.UNPARSEABLE, f"{file.name}: {key} is {type(value).__name__}, not what is expected there"
        )
    return value


def moment(file: SignedFile, key: str) -> datetime:
    """Return a time that a record tells (ISO 8601 with its zone)."""
    return moment_of(fact(file, key, str), f"{file.name}: {key}")


def moment_of(text: str, what: str = "a time of a record") -> datetime:
    """Return a time written in ISO 8601 with its zone; unproven where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        unproven(Reason.UNPARSEABLE, f"{what} {text!r} is no ISO 8601 time")
    if found.tzinfo is None:
        unproven(Reason.UNPARSEABLE, f"{what} {text!r} has no time zone")
    return found
