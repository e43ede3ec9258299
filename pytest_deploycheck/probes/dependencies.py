"""The dependencies probe: the released commit's lock files, and the audits that were made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import audits, clones, lock_files, outdated, sboms
from pytest_deploycheck.probes.audits import Audited, AuditError
from pytest_deploycheck.probes.evidence_files import Origin, content, document, matching, origin, released
from pytest_deploycheck.probes.lock_files import NODE, PYTHON
from pytest_deploycheck.probes.outdated import Behind
from pytest_deploycheck.probes.sarif import matches
from pytest_deploycheck.rules import runtimes
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

LOCKS_MAX = 200


@dataclass(frozen=True)
class Lock:
    """A lock file of the commit, by its content. packages, pins and out_of_step: see `lock_files.Locked`."""

    path: str
    ecosystem: str
    sha256: str
    packages: int | None
    pins: tuple[tuple[str, str], ...]
    out_of_step: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """A finished audit of packages of one ecosystem, "" for any."""

    origin: Origin
    ecosystem: str
    audited: Audited

    def is_of(self, lock: Lock) -> bool:
        """Whether the tool was given exactly this lock file."""
        return lock.sha256 in (value for _, value in self.origin.inputs)


@dataclass(frozen=True)
class Outdated:
    """A list of what is behind, of one ecosystem."""

    origin: Origin
    ecosystem: str
    behind: tuple[Behind, ...]


@dataclass(frozen=True)
class Parts:
    """A bill of materials: of which images, how many parts."""

    origin: Origin
    format: str
    digests: tuple[str, ...]
    parts: int


@dataclass(frozen=True)
class Runtime:
    """A runtime that the code runs on. ends_on: last day of security updates as ISO 8601, "" where unknown."""

    name: str
    version: str
    named_in: str
    ends_on: str


@dataclass(frozen=True)
class DependenciesFacts:
    """All that is known of what the release depends on.

    locks: None where no clone has the commit, which `clone` names.  unlocked: manifests that ask for packages which no
    lock file holds.  unreadable: (file, why) of reports that are none.  built: (service, digest) of the images that are
    built here.  deployed_at: UTC ISO 8601, "" unknown.  block_level, allow_skipped: as the target file says.
    """

    commit: str
    clone: str
    deployed_at: str
    locks: tuple[Lock, ...] | None
    unlocked: tuple[str, ...]
    audits: tuple[Audit, ...]
    outdated: tuple[Outdated, ...]
    sboms: tuple[Parts, ...]
    runtimes: tuple[Runtime, ...]
    unreadable: tuple[tuple[str, str], ...]
    built: tuple[tuple[str, str], ...]
    block_level: str
    allow_skipped: tuple[str, ...]


@probe(facts=DependenciesFacts, deadline=25, safety="S0", uses={"files": "read"})
def dependencies(target: Target, connect: Connections) -> DependenciesFacts:
    """Read the audits and bills of materials, and the lock files of the released commit in the runner's clone."""
    commit, section = released(target), target.deps
    clone = clones.find(target, connect.git(), commit)
    paths = [path for path in clone.paths() if not matches(path, section.ignore)] if clone else []
    reports = _Reports(target)
    locks = tuple(_locks(clone, paths)) if clone else None
    pinned = frozenset(name for lock in locks or () for name, _ in lock.pins)
    # What a tool brings along itself, such as pip's setuptools, is nobody's dependency.
    direct = (lock_files.direct(paths, clone.content) if clone else frozenset()) or pinned
    found_audits = (
        *reports.audits("reports.pip_audit", target.reports.pip_audit, PYTHON),
        *reports.audits("reports.npm_audit", target.reports.npm_audit, NODE),
        *reports.audits("reports.osv", target.reports.osv, ""),
    )
    lists = (
        *reports.outdated("reports.pip_outdated", target.reports.pip_outdated, PYTHON, direct),
        *reports.outdated("reports.npm_outdated", target.reports.npm_outdated, NODE, direct),
    )
    parts, shipped = reports.sboms(target.reports.sbom)
    moment = target.release.deployed_at
    return DependenciesFacts(
        commit=commit,
        clone=clones.where(target),
        deployed_at=moment.isoformat() if moment else "",
        locks=locks,
        unlocked=tuple(_unlocked(clone, paths, locks or ())) if clone else (),
        audits=found_audits,
        outdated=lists,
        sboms=parts,
        runtimes=tuple(_runtimes(target, clone, paths, shipped)),
        unreadable=tuple(reports.unreadable),
        built=tuple((n, d) for n, d in target.release.images.items() if n not in target.build.third_party),
        block_level=section.block_level,
        allow_skipped=tuple(audits.plain(name) for name in section.allow_skipped),
    )


class _Reports:
    """Reads reports; one that is none is remembered, and hides no other."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.unreadable: list[tuple[str, str]] = []

    def _each(self, key: str, pattern: str) -> Iterator[tuple[Path, bytes]]:
        try:
            found = matching(self._target, key, pattern) if pattern else []
        except CannotLook as why:
            if why.reason is not Reason.NO_EVIDENCE:
                raise
            self.unreadable.append((key, why.message))
            return
        yield from ((path, content(path)) for path in found)

    def _read(self, path: Path, data: bytes, read: Callable[[Any], Any]) -> Any:
        try:
            return read(document(path, data))
        except (AuditError, sboms.SbomError, CannotLook) as error:
            self.unreadable.append((path.name, str(error).removeprefix(f"{path.name} ")))
            return None

    def audits(self, key: str, pattern: str, ecosystem: str) -> list[Audit]:
        """Return the finished audits of a glob."""
        read = {PYTHON: audits.pip_audit, NODE: audits.npm_audit}.get(ecosystem, audits.osv)
        found = []
        for path, data in self._each(key, pattern):
            if ecosystem == NODE and b'"auditSummary"' in data:
                audited = self._yarn(path, data)
            else:
                audited = self._read(path, data, read)
            if audited is not None:
                found.append(Audit(origin(path, data, tool=audited.tool), ecosystem, audited))
        return found

    def _yarn(self, path: Path, data: bytes) -> Audited | None:
        try:
            return audits.yarn_audit(data.decode("utf-8", "replace"))
        except AuditError as error:
            self.unreadable.append((path.name, str(error)))
            return None

    def outdated(self, key: str, pattern: str, ecosystem: str, direct: frozenset[str]) -> list[Outdated]:
        """Return the lists of outdated packages of a glob."""

        def read(body: Any) -> tuple[Behind, ...]:
            return outdated.pip(body, direct) if ecosystem == PYTHON else outdated.npm(body)

        found = []
        for path, data in self._each(key, pattern):
            behind = self._read(path, data, read)
            if behind is not None:
                found.append(Outdated(origin(path, data), ecosystem, behind))
        return found

    def sboms(self, pattern: str) -> tuple[tuple[Parts, ...], list[tuple[str, str, str]]]:
        """Return the bills of materials, and (runtime, version, file) of the runtimes in them."""
        found, shipped = [], []
        for path, data in self._each("reports.sbom", pattern):
            sbom = self._read(path, data, sboms.read)
            if sbom is not None:
                about = origin(path, data, produced_at=sbom.made_at)
                found.append(Parts(about, sbom.format, sbom.digests, sbom.parts))
                shipped += [(name, version, path.name) for name, version in sbom.runtimes]
        return tuple(found), shipped


def _locks(clone: clones.Clone, paths: list[str]) -> Iterator[Lock]:
    everything = frozenset(paths)
    for path, ecosystem in list(lock_files.find(paths).items())[:LOCKS_MAX]:
        found = lock_files.locked(path, ecosystem, clone.content, everything)
        if found is not None:
            digest = hashlib.sha256(clone.content(path)).hexdigest()
            yield Lock(path, ecosystem, digest, found.packages, found.pins, found.out_of_step)


def _unlocked(clone: clones.Clone, paths: list[str], locks: tuple[Lock, ...]) -> Iterator[str]:
    """Yield manifests that ask for packages although no lock file lies beside or above them."""
    held = {(lock.ecosystem, str(Path(lock.path).parent)) for lock in locks}
    for path, ecosystem in lock_files.manifests(paths, clone.content):
        folders = [str(folder) for folder in Path(path).parents]
        if not any((ecosystem, folder) in held for folder in folders):
            yield path


def _runtimes(
    target: Target, clone: clones.Clone | None, paths: list[str], shipped: list[tuple[str, str, str]]
) -> Iterator[Runtime]:
    named = [(name, version, "deps.runtimes") for name, version in target.deps.runtimes.items()]
    named += shipped
    for path in paths if clone else ():
        if clone and runtimes.may_name(path):
            named += [(name, version, path) for name, version in runtimes.named(path, clone.content(path))]
    for name, version, place in dict.fromkeys(named):
        ends = runtimes.ends_on(name, version)
        yield Runtime(name, version, place, ends.isoformat() if ends else "")
