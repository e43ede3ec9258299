"""Reading the directory of claims: every envelope, its signatures and the files that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path

from pytest_deploycheck.claims.cited import sha256_of
from pytest_deploycheck.claims.envelope import (
    FORMAT,
    SIZE_MAX_BYTES,
    Envelope,
    EnvelopeError,
    parse,
)
from pytest_deploycheck.claims.signatures import Trust, principals, verify
from pytest_deploycheck.claims.signed import (
    Context,
    Signature,
    SignedFile,
    binding_problems,
    release_differences,
    signer_problems,
)

FILES_MAX = 5000
"""Envelopes that are read; more are a mistake in the path."""


def read(
    directory: Path, trust: Trust, context: Context, kinds: Collection[str] = ()
) -> tuple[SignedFile, ...]:
    """Return every envelope below a directory as a signed file, in the order of their names.

    kinds: envelopes of other kinds are left out unread; files that are no envelope never are.  Raises SignaturesUnavailable when there is something to verify and nothing to verify it with.
    """
    paths = sorted(path for path in directory.rglob("*.json") if _is_meant(path))[:FILES_MAX]
    if not paths:
        return ()
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda path: read_one(path, directory, trust, context, kinds), paths)
        return tuple(file for file in found if file is not None)


def read_one(
    path: Path, directory: Path, trust: Trust, context: Context, kinds: Collection[str] = ()
) -> SignedFile | None:
    """Return one file with all that can be found out about it; None for one that is not of these kinds."""
    name = str(path.relative_to(directory))
    try:
        content = path.read_bytes()
    except OSError as error:
        return SignedFile(name, "", error=f"{name}: cannot be read: {error.strerror}")
    digest = hashlib.sha256(content).hexdigest()
    try:
        envelope = parse(content, name)
    except EnvelopeError as error:
        return SignedFile(name, digest, error=str(error))
    if kinds and envelope.kind not in kinds:
        return None
    signatures = tuple(_signatures(path, content, envelope, trust, context))
    artifacts = tuple((one.path, _artifact(path.parent, one.path, one.sha256)) for one in envelope.artifacts)
    return SignedFile(
        name=name,
        sha256=digest,
        kind=envelope.kind,
        item=envelope.item,
        principal=envelope.producer.principal,
        role=envelope.producer.role,
        produced_at=envelope.produced_at.astimezone(UTC).isoformat(),
        valid_until=envelope.valid_until.astimezone(UTC).isoformat(),
        statement=envelope.statement,
        requested_by=envelope.requested_by,
        facts=envelope.facts,
        covers=envelope.covers,
        artifacts=artifacts,
        signatures=signatures,
        differs=tuple(release_differences(envelope.release, context.release)),
        problems=(
            *signer_problems(envelope, signatures, context.roles),
            *binding_problems(envelope, context),
            *(f"{place}: {problem}" for place, problem in artifacts if problem),
        ),
    )


def _is_meant(path: Path) -> bool:
    """Whether a JSON file is meant as an envelope: it is signed, or it says so; others are files of envelopes."""
    if path.with_name(f"{path.name}.sig").is_file():
        return True
    try:
        with path.open("rb") as file:
            return FORMAT.encode() in file.read(SIZE_MAX_BYTES)
    except OSError:
        return True


def _signatures(
    path: Path, content: bytes, envelope: Envelope, trust: Trust, context: Context
) -> Iterator[Signature]:
    """Yield the producer's signature (`FILE.sig`), then every `FILE.<anything>.sig` of somebody else."""
    times = {"signed_at": envelope.produced_at, "now": context.now}
    who = envelope.producer.principal
    yield Signature(who, verify(content, path.with_name(f"{path.name}.sig"), who, trust, **times).value)
    for other in sorted(path.parent.glob(f"{path.name}.*.sig")):
        for principal in principals(content, other, trust) or (other.name,):
            yield Signature(principal, verify(content, other, principal, trust, **times).value)


def _artifact(folder: Path, name: str, sha256: str) -> str:
    """Say what is wrong with a file that an envelope names; it must lie beside it or below."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        return "lies outside of the envelope's own directory"
    if not path.is_file():
        return "is missing"
    return "" if sha256_of(path) == sha256 else "changed since it was signed"
