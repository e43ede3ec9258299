"""How far direct dependencies are behind: what pip and npm list as outdated. Parsing only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.probes.audits import AuditError, plain

CALENDAR = 1900
"""Major versions from here on are years, which say nothing about compatibility."""


@dataclass(frozen=True)
class Behind:
    """A package that has a newer release. majors: how many major versions lie between."""

    name: str
    current: str
    newest: str
    majors: int


def pip(document: Any, direct: frozenset[str]) -> tuple[Behind, ...]:
    """Read `pip list --outdated --format json`; only `direct` names where these are known."""
    if not isinstance(document, list) or not all(isinstance(one, Mapping) for one in document):
        raise AuditError("it is not pip's list of outdated packages")
    found = []
    for one in document:
        name, current, newest = (str(one.get(key) or "") for key in ("name", "version", "latest_version"))
        if not (name and current and newest):
            raise AuditError("an entry lacks name, version or latest_version")
        if not direct or plain(name) in direct:
            found.append(_behind(name, current, newest))
    return tuple(found)


def npm(document: Any) -> tuple[Behind, ...]:
    """Read `npm outdated --json`, which lists direct dependencies; {} when none is outdated.

    A package that is not installed has no current version: the wanted one is what the lock holds.
    """
    if not isinstance(document, Mapping) or "error" in document or "statusCode" in document:
        raise AuditError("it is not npm's list of outdated packages")
    found = []
    for name, entry in document.items():
        for one in entry if isinstance(entry, list) else [entry]:
            if not isinstance(one, Mapping) or not one.get("latest"):
                raise AuditError(f"the entry of {str(name)[:60]} names no latest version")
            current = str(one.get("current") or one.get("wanted") or "")
            found.append(_behind(str(name), current, str(one["latest"])))
    return tuple(found)


def _behind(name: str, current: str, newest: str) -> Behind:
    old, new = _major(current), _major(newest)
    majors = 0 if old is None or new is None or new >= CALENDAR else max(0, new - old)
    return Behind(name[:120], current[:60], newest[:60], majors)


def _major(version: str) -> int | None:
    match = re.match(r"v?(?:\d+!)?(\d{1,9})", version)
    return int(match[1]) if match else None
