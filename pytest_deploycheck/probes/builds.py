"""The builds probe: the records that builds left, and what the repository's Compose files run of others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import build_records, clones
from pytest_deploycheck.probes.build_records import Record, RecordError
from pytest_deploycheck.probes.evidence_files import Origin, content, document, matching, origin, released
from pytest_deploycheck.rules import provenance
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


@dataclass(frozen=True)
class Build:
    """One build. service: that it is of.  signed: by the key of the target file; None where there is no key."""

    origin: Origin
    service: str
    record: Record
    signed: bool | None


@dataclass(frozen=True)
class Reference:
    """The image that a Compose file names for a service which others build. pinned: by digest; None where it cannot be told."""

    service: str
    image: str
    pinned: bool | None


@dataclass(frozen=True)
class BuildsFacts:
    """All builds.

    built, third_party: (service, digest) of the release's images.  committed_at: of the released commit, UTC ISO 8601,
    "" unknown.  references: of third-party services, as the commit's Compose files have them.  provenance_wanted: as
    the target file says.
    """

    commit: str
    committed_at: str
    built: tuple[tuple[str, str], ...]
    third_party: tuple[tuple[str, str], ...]
    builds: tuple[Build, ...]
    references: tuple[Reference, ...]
    provenance_wanted: bool

    def of(self, service: str) -> tuple[Build, ...]:
        """Return the builds of a service."""
        return tuple(build for build in self.builds if build.service == service)


@probe(facts=BuildsFacts, deadline=15, safety="S0", uses={"files": "read"})
def builds(target: Target, connect: Connections) -> BuildsFacts:
    """Read the records of the builds, and the Compose files of the released commit in the runner's clone."""
    commit, images, others = released(target), target.release.images, target.build.third_party
    if not images:
        raise CannotLook(Reason.NO_CONFIG, f"no release.images in {target.path.name}; add service and digest")
    clone = clones.find(target, connect.git(), commit)
    found = [
        build
        for path in matching(target, "reports.build", target.reports.build)
        for build in _builds(target, path)
    ]
    return BuildsFacts(
        commit=commit,
        committed_at=clone.committed_at() if clone else "",
        built=tuple((name, digest) for name, digest in images.items() if name not in others),
        third_party=tuple((name, digest) for name, digest in images.items() if name in others),
        builds=tuple(found),
        references=tuple(_references(clone, target)) if clone else (),
        provenance_wanted=target.build.require_provenance,
    )


def _builds(target: Target, path: Path) -> Iterator[Build]:
    data = content(path)
    key = _key(target)
    for one in _documents(path, data):
        statement, signed = provenance.unwrap(one, key)
        try:
            records = build_records.read(statement)
        except RecordError as error:
            raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: {error}") from None
        for record in records:
            about = origin(
                path,
                data,
                commits=(record.commit,),
                produced_at=record.ended_at,
                started_at=record.started_at,
                tool=record.builder,
            )
            yield Build(about, _service(target, record, path), record, signed)


def _documents(path: Path, data: bytes) -> Iterator[Any]:
    """Yield the JSON documents of a file: one, or one a line as bundles of attestations come."""
    if path.suffix != ".jsonl":
        yield document(path, data)
        return
    for line in data.splitlines():
        if line.strip():
            yield document(path, line)


def _service(target: Target, record: Record, path: Path) -> str:
    """Return the service that a record is of: as it says, by its digest, else by the file's name."""
    if record.service:
        return record.service
    by_digest = [name for name, digest in target.release.images.items() if digest in record.digests]
    return by_digest[0] if by_digest else path.name.partition(".")[0]


def _key(target: Target) -> bytes | None:
    if not target.build.provenance_key:
        return None
    path = target.file(target.build.provenance_key)
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotLook(Reason.NO_CONFIG, f"build.provenance_key {path.name}: {error.strerror}") from None


def _references(clone: clones.Clone, target: Target) -> Iterator[Reference]:
    """Yield what the commit's Compose files run for services that others build."""
    wanted = {PurePosixPath(path).name for path in target.docker.compose_files} or set(COMPOSE_NAMES)
    for path in clone.paths():
        if PurePosixPath(path).name in wanted and path.count("/") <= 1:
            for service, image in _images(clone.content(path)).items():
                if service in target.build.third_party:
                    yield Reference(service, image[:200], _pinned(image))


def _images(text: bytes) -> Mapping[str, str]:
    try:
        import yaml
    except ImportError:
        raise CannotLook(
            Reason.NO_ACCESS, "PyYAML is not installed: pip install 'pytest-deploycheck[monitoring]'"
        ) from None
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    services = body.get("services") if isinstance(body, Mapping) else None
    return {
        str(name): str(one["image"])
        for name, one in (services.items() if isinstance(services, Mapping) else ())
        if isinstance(one, Mapping) and one.get("image") and not one.get("build")
    }


def _pinned(image: str) -> bool | None:
    if re.search(r"@sha256:[0-9a-f]{64}$", re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", image)):
        return True
    return None if "$" in image else False
