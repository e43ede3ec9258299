"""A signed file as it was found: what it says, what its signatures are worth, and what it is not bound to.

Pure: `context` brings everything that a file is compared with, so that a recorded run can be judged again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pytest_deploycheck.claims.envelope import Envelope, Release
from pytest_deploycheck.claims.roles import Roles
from pytest_deploycheck.claims.signatures import MEANS, Status

FUTURE_MAX = timedelta(minutes=5)
"""A file from further ahead than clocks differ was not made when it says."""


@dataclass(frozen=True)
class Signature:
    """A signature: whose it is meant to be, and its worth (a value of `Status`)."""

    principal: str
    status: str


@dataclass(frozen=True)
class SignedFile:
    """One envelope with all that was found out about it.

    name: its path below the directory of claims.  error: why it is no envelope; all else is empty then.
    produced_at, valid_until: ISO 8601, UTC.  artifacts: (path, problem) of each file that it names.
    signatures: the producer's, then countersignatures.  differs: fields of the release that are not those
    of the target now.  problems: why it does not count; without any it does.
    """

    name: str
    sha256: str
    error: str = ""
    kind: str = ""
    item: str = ""
    principal: str = ""
    role: str = ""
    produced_at: str = ""
    valid_until: str = ""
    statement: str = ""
    requested_by: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    covers: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[tuple[str, str], ...] = ()
    signatures: tuple[Signature, ...] = ()
    differs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def produced(self) -> datetime:
        """When it was made, as its signer says."""
        return datetime.fromisoformat(self.produced_at)

    @property
    def until(self) -> datetime:
        """When it ends."""
        return datetime.fromisoformat(self.valid_until)

    @property
    def tampered(self) -> bool:
        """Whether it, or a file that it names, was changed after it was signed."""
        bad = any(one.status == Status.BAD for one in self.signatures)
        return bad or any(problem.startswith("changed") for _, problem in self.artifacts)


@dataclass(frozen=True)
class Context:
    """What files are compared with: items by id with their fingerprints, the target, its release, the roles."""

    fingerprints: Mapping[str, str]
    target: str
    environment: str
    release: Release
    roles: Roles
    now: datetime


def release_differences(bound: Release, current: Release) -> list[str]:
    """Name each field of a release in which two differ, with both values; images one by one."""
    found = [
        f"{name} {getattr(bound, name) or '(none)'} is not {getattr(current, name) or '(none)'}"
        for name in ("version", "commit", "contract")
        if getattr(bound, name) != getattr(current, name)
    ]
    for service in sorted({*bound.images, *current.images}):
        was, now = bound.images.get(service, "(none)"), current.images.get(service, "(none)")
        if was != now:
            found.append(f"image of {service} {was} is not {now}")
    return found


def binding_problems(envelope: Envelope, context: Context) -> list[str]:
    """Say what else than the release an envelope is not bound to, or why its time is not now."""
    found = []
    known = context.fingerprints.get(envelope.item)
    if known is None:
        found.append(f"no item {envelope.item!r} in the checklist")
    elif known != envelope.item_fingerprint:
        found.append(f"the text of item {envelope.item} was changed since")
    if envelope.target.name != context.target:
        found.append(f"it is about target {envelope.target.name!r}, not {context.target!r}")
    if envelope.target.environment != context.environment:
        found.append(f"it is about environment {envelope.target.environment!r}, not {context.environment!r}")
    if envelope.produced_at > context.now + FUTURE_MAX:
        found.append(f"it says that it was made in the future, at {envelope.produced_at.isoformat()}")
    if envelope.valid_until <= envelope.produced_at:
        found.append("it ends before it begins (valid_until, produced_at)")
    if envelope.valid_until <= context.now:
        found.append(f"it expired at {envelope.valid_until.isoformat()}")
    return found


def signer_problems(envelope: Envelope, signatures: tuple[Signature, ...], roles: Roles) -> list[str]:
    """Say why the producer's word does not count: the signature, or the role."""
    who, role = envelope.producer.principal, envelope.producer.role
    status = Status(signatures[0].status)
    found = [] if status is Status.OK else [MEANS[status]]
    if who not in roles.holders(role):
        held = ", ".join(roles.of(who)) or "none"
        found.append(f"{who} does not hold the role {role} (holds: {held})")
    return found
