"""Catalogues of backups as their tools print them: pgBackRest, restic, and folders of pg_dump files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pytest_deploycheck import safe_json


class BadCatalogue(Exception):
    """A tool's output is no catalogue; the message says what it is instead."""


@dataclass(frozen=True)
class Backup:
    """One backup.

    started_at, ended_at: ISO 8601, UTC.  error: its tool says that pages were damaged or files missing.
    size_bytes: of the database in it, None where the tool does not say.  cluster: system identifier of the
    database, empty where nobody says.  tags: as given when it was made.  paths: what was put in, where it is told.
    """

    repo: str
    label: str
    kind: str
    started_at: str
    ended_at: str
    error: bool
    size_bytes: int | None
    cluster: str
    tags: tuple[str, ...]
    paths: tuple[str, ...] = ()

    @property
    def ended(self) -> datetime:
        """When it was done."""
        return datetime.fromisoformat(self.ended_at)


def pgbackrest(
    text: str, stanza: str, repos: Mapping[str, str]
) -> tuple[list[Backup], dict[str, Mapping[str, Any]]]:
    """Return the backups of `pgbackrest --output=json info`, and each repository's own section, by our names.

    repos: our name by the repository's key.  A stanza that is not there, and a status other than 0 (ok) or 2
    (no backup), are no catalogue.  Source: pgBackRest's command/info/info.c.
    """
    stanzas = _json(text)
    if not isinstance(stanzas, list):
        raise BadCatalogue("pgbackrest info is no list of stanzas")
    found = next((one for one in stanzas if not stanza or one.get("name") == stanza), None)
    if found is None:
        raise BadCatalogue(f"pgbackrest knows no stanza {stanza!r}")
    code = found.get("status", {}).get("code")
    if code not in (0, 2, 4):
        raise BadCatalogue(f"pgbackrest: {found.get('status', {}).get('message', code)}")
    clusters = {db.get("id"): str(db.get("system-id", "")) for db in found.get("db", ())}
    sections: dict[str, Mapping[str, Any]] = {
        name: next((r for r in found.get("repo", ()) if str(r.get("key")) == key), {})
        for key, name in repos.items()
    }
    backups = []
    for one in found.get("backup", ()):
        database = one.get("database", {})
        name = repos.get(str(database.get("repo-key", 1)))
        if name is None:
            continue
        backups.append(
            Backup(
                repo=name,
                label=str(one["label"]),
                kind=str(one.get("type", "")),
                started_at=_epoch(one["timestamp"]["start"]),
                ended_at=_epoch(one["timestamp"]["stop"]),
                error=bool(one.get("error")),
                size_bytes=one.get("info", {}).get("size"),
                cluster=clusters.get(database.get("id"), ""),
                tags=tuple(map(str, (one.get("annotation") or {}).values())),
            )
        )
    return backups, sections


def restic(text: str, repo: str) -> Iterator[Backup]:
    """Yield the snapshots of `restic snapshots --json`; a tag `cluster-<system identifier>` names the database."""
    snapshots = _json(text)
    if snapshots is None:
        return
    if not isinstance(snapshots, list):
        raise BadCatalogue("restic snapshots is no list")
    for one in snapshots:
        tags = tuple(map(str, one.get("tags") or ()))
        at = _utc(str(one["time"]))
        summary = one.get("summary") or {}
        yield Backup(
            repo=repo,
            label=str(one.get("short_id") or one["id"][:8]),
            kind="snapshot",
            started_at=at,
            ended_at=_utc(str(summary.get("backup_end") or at)),
            error=False,
            size_bytes=summary.get("total_bytes_processed"),
            cluster=next((tag.removeprefix("cluster-") for tag in tags if tag.startswith("cluster-")), ""),
            tags=tags,
            paths=tuple(map(str, one.get("paths") or ())),
        )


def dumps(text: str, repo: str) -> Iterator[Backup]:
    """Yield the files of `ls -l --time-style=+%s`; a name with `cluster-<identifier>` names the database."""
    for line in text.splitlines():
        words = line.split(None, 6)
        if len(words) == 7 and words[0].startswith("-") and words[5].isdigit():
            name = words[6]
            cluster = name.partition("cluster-")[2]
            digits = cluster[: len(cluster) - len(cluster.lstrip("0123456789"))]
            at = _epoch(int(words[5]))
            yield Backup(repo, name, "dump", at, at, words[4] == "0", int(words[4]), digits, ())


def _utc(text: str) -> str:
    return datetime.fromisoformat(_short(text)).astimezone(UTC).isoformat()


def _short(text: str) -> str:
    """Cut nanoseconds, which Python does not read, to microseconds."""
    head, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{head}.{digits[:6]}{rest[len(digits) :]}"


def _json(text: str) -> Any:
    try:
        return safe_json.loads(text)
    except ValueError:
        raise BadCatalogue(f"it is no JSON: {text.strip()[:80]!r}") from None


def _epoch(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
