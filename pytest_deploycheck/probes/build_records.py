"""Records of builds: our own, what `docker buildx build --metadata-file` leaves, and SLSA provenance. Parsing only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.probes.image_scans import stamp

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_VCS = "https://mobyproject.org/buildkit@v1#metadata"


class RecordError(ValueError):
    """A document is no record of a build; the message says what it lacks."""


@dataclass(frozen=True)
class Record:
    """One build of one image.

    service: as the record names it, "" where it does not.  image: the reference that was pushed.  digests: of what
    was pushed.  commit: "" where it is not said.  clean: the working tree was the commit's; None where it is not said.
    succeeded: None where it is not said.  builder: who built it.
    """

    kind: str
    service: str
    image: str
    digests: tuple[str, ...]
    commit: str
    clean: bool | None
    succeeded: bool | None
    started_at: str
    ended_at: str
    builder: str


def read(document: Any) -> list[Record]:
    """Return the builds of a document; a bake of several targets gives several."""
    if not isinstance(document, Mapping):
        raise RecordError("it is not a JSON object")
    if str(document.get("_type", "")).startswith("https://in-toto.io/Statement/"):
        return [_slsa(document)]
    if "containerimage.digest" in document:
        return [_buildx("", document)]
    targets = [
        (str(name), one)
        for name, one in document.items()
        if isinstance(one, Mapping) and "containerimage.digest" in one
    ]
    if targets:
        return [_buildx(name, one) for name, one in targets]
    if "digest" in document:
        return [_own(document)]
    raise RecordError("it is neither a record with a digest, nor buildx's metadata, nor an in-toto statement")


def _own(document: Mapping[str, Any]) -> Record:
    """Read ours: service, image, digest, commit, clean, exit_status, started_at, finished_at, builder."""
    status, clean = document.get("exit_status"), document.get("clean")
    return Record(
        kind="record",
        service=str(document.get("service") or ""),
        image=str(document.get("image") or ""),
        digests=_digests(document.get("digest")),
        commit=str(document.get("commit") or "").lower(),
        clean=clean if isinstance(clean, bool) else None,
        succeeded=status == 0 if isinstance(status, int) else None,
        started_at=stamp(document.get("started_at")),
        ended_at=stamp(document.get("finished_at")),
        builder=str(document.get("builder") or "")[:200],
    )


def _buildx(target: str, document: Mapping[str, Any]) -> Record:
    """Read buildx's metadata, which is written after a build that succeeded; a dirty tree marks its revision."""
    provenance = _map(document.get("buildx.build.provenance"))
    # BuildKit writes SLSA 0.2 by default, and 1.0 on demand.
    details = _map(_map(provenance.get("runDetails")).get("metadata")) or _map(provenance.get("metadata"))
    vcs = _map(_map(details.get(_VCS) or details.get("buildkit_metadata")).get("vcs"))
    revision = str(vcs.get("revision") or "").lower()
    started = details.get("startedOn") or details.get("buildStartedOn")
    ended = details.get("finishedOn") or details.get("buildFinishedOn")
    builder = _map(_map(provenance.get("runDetails")).get("builder")) or _map(provenance.get("builder"))
    return Record(
        kind="buildx",
        service=target,
        image=str(document.get("image.name") or "").split(",")[0],
        digests=_digests(document.get("containerimage.digest")),
        commit=revision.removesuffix("-dirty"),
        clean=not revision.endswith("-dirty") if revision else None,
        succeeded=True,
        started_at=stamp(started),
        ended_at=stamp(ended),
        builder=str(builder.get("id") or "buildx")[:200],
    )


def _slsa(statement: Mapping[str, Any]) -> Record:
    """Read SLSA provenance 0.2 or 1; its builder has taken the source by its hash, so that it was clean."""
    predicate = _map(statement.get("predicate"))
    if "provenance" not in str(statement.get("predicateType") or ""):
        raise RecordError("its predicate is no provenance")
    run, definition = _map(predicate.get("runDetails")), _map(predicate.get("buildDefinition"))
    details = _map(run.get("metadata")) or _map(predicate.get("metadata"))
    builder = _map(run.get("builder")) or _map(predicate.get("builder"))
    subjects = [one for one in statement.get("subject") or () if isinstance(one, Mapping)]
    commits = list(dict.fromkeys(_sources(predicate, definition)))
    return Record(
        kind="slsa",
        service="",
        image=str(subjects[0].get("name") or "") if subjects else "",
        digests=tuple(f"sha256:{_map(one.get('digest')).get('sha256')}" for one in subjects),
        commit=commits[0] if len(commits) == 1 else "",
        clean=True if len(commits) == 1 else None,
        succeeded=True,
        started_at=stamp(details.get("startedOn") or details.get("buildStartedOn")),
        ended_at=stamp(details.get("finishedOn") or details.get("buildFinishedOn")),
        builder=str(builder.get("id") or "")[:200],
    )


def _sources(predicate: Mapping[str, Any], definition: Mapping[str, Any]) -> Iterator[str]:
    materials = definition.get("resolvedDependencies") or predicate.get("materials") or ()
    source = _map(_map(predicate.get("invocation")).get("configSource"))
    for one in (*materials, source):
        digest = _map(_map(one).get("digest"))
        for name in ("gitCommit", "sha1"):
            if isinstance(digest.get(name), str):
                yield digest[name].lower()


def _digests(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) and _DIGEST.fullmatch(value) else ()


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
