"""The claims of a target: where its signed files lie, and everything that they are compared with."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_deploycheck import checklist as checklists
from pytest_deploycheck.claims.envelope import Release
from pytest_deploycheck.claims.read import read
from pytest_deploycheck.claims.roles import Roles, load
from pytest_deploycheck.claims.signatures import Trust
from pytest_deploycheck.claims.signed import Context, SignedFile

if TYPE_CHECKING:
    from pytest_deploycheck.checklist import Checklist
    from pytest_deploycheck.target import Target


def signed_files(
    target: Target, checklist: Checklist, now: datetime, kinds: Collection[str] = ()
) -> tuple[SignedFile, ...]:
    """Return the signed files of a target, of some kinds or of all; none where the directory is not there.

    Raises RolesError for a roles file that cannot be used, SignaturesUnavailable without ssh-keygen.
    """
    directory = target.file(target.claims.dir)
    if not directory.is_dir():
        return ()
    return read(directory, trust(target), context(target, checklist, now), kinds)


def trust(target: Target) -> Trust:
    """Return whose keys are believed."""
    revoked = target.file(target.claims.revoked) if target.claims.revoked else None
    return Trust(target.file(target.claims.allowed_signers), revoked)


def roles(target: Target) -> Roles:
    """Return the roles; without the file nobody holds any."""
    path = target.file(target.claims.roles)
    return load(path) if path.is_file() else Roles()


def context(target: Target, checklist: Checklist, now: datetime) -> Context:
    """Return what signed files are compared with."""
    return Context(
        fingerprints={item.id: item.fingerprint for item in checklist.items},
        target=target.name,
        environment=target.target.environment,
        release=release(target),
        roles=roles(target),
        now=now,
    )


def release(target: Target) -> Release:
    """Return the release that the target file names."""
    return Release(
        version=target.release.version,
        commit=target.release.commit,
        images=dict(target.release.images),
        contract=target.contract.address,
    )


def checklist_of(target: Target) -> Checklist:
    """Return the target's own checklist, or ours."""
    name = target.target.checklist
    return checklists.load(target.file(name)) if name else checklists.default()
