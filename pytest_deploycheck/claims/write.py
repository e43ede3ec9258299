"""Making a signed file: an envelope bound to the target as it is now, written and signed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.claims import policy
from pytest_deploycheck.claims.cited import sha256_of
from pytest_deploycheck.claims.envelope import Artifact, Envelope, Kind, Producer, Release, Where
from pytest_deploycheck.claims.signatures import sign

if TYPE_CHECKING:
    from pytest_deploycheck.checklist import Checklist


def kind_of(item: str, facts: Mapping[str, Any]) -> Kind:
    """Return what a person's word on an item is: a record where it brings facts or only such counts."""
    return "attestation" if item in policy.ATTESTED and not facts else "record"


def envelope(
    item: str,
    *,
    checklist: Checklist,
    where: Where,
    release: Release,
    kind: Kind,
    producer: Producer,
    statement: str,
    now: datetime,
    valid: timedelta,
    facts: Mapping[str, Any] | None = None,
    artifacts: Sequence[Artifact] = (),
    requested_by: str = "",
    covers: Mapping[str, str] | None = None,
) -> Envelope:
    """Return an envelope about an item of the checklist, from now for some time."""
    now = now.astimezone(UTC).replace(microsecond=0)
    return Envelope(
        kind=kind,
        item=item,
        item_fingerprint=checklist.by_id[item].fingerprint,
        target=where,
        release=release,
        produced_at=now,
        valid_until=now + valid,
        producer=producer,
        statement=statement,
        requested_by=requested_by,
        facts=dict(facts or {}),
        artifacts=list(artifacts),
        covers=dict(covers or {}),
    )


def write(made: Envelope, directory: Path, key: Path) -> Path:
    """Write an envelope under a name of its own and sign it; an earlier file is never overwritten."""
    directory.mkdir(parents=True, exist_ok=True)
    stem = f"{made.kind}-{re.sub(r'[^a-z0-9]+', '-', made.item.lower())}-{made.produced_at:%Y%m%dT%H%M%SZ}"
    path = directory / f"{stem}.json"
    number = 1
    while path.exists():
        number += 1
        path = directory / f"{stem}-{number}.json"
    path.write_bytes(made.to_bytes())
    try:
        sign(path, key)
    except BaseException:
        path.unlink(missing_ok=True)  # an unsigned file would be read as one that lost its signature
        raise
    return path


def keep(source: Path, directory: Path) -> Artifact:
    """Copy a file beside the envelopes, so that it stays with them, and return it as an artifact."""
    digest = sha256_of(source)
    kept = directory / "files" / f"{digest[:12]}-{re.sub(r'[^A-Za-z0-9._-]+', '-', source.name)}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        shutil.copyfile(source, kept)
    return Artifact(path=str(kept.relative_to(directory)), sha256=digest)
