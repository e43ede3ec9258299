"""Until when versions of runtimes get security updates, and which runtime a repository says that it uses.

The days are those of the projects' own schedules, as read on `READ_ON`: devguide.python.org/versions,
github.com/nodejs/Release (schedule.json), php.net/supported-versions, ruby-lang.org/en/downloads/branches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import PurePosixPath

from pytest_deploycheck import safe_json

READ_ON = date(2026, 1, 15)
KNOWN_FOR = timedelta(days=730)
"""How long a version newer than this table is supported at least: no project here gives less than two years."""

ENDS: Mapping[str, Mapping[str, str]] = {
    "python": {
        "2.7": "2020-01-01",
        "3.6": "2021-12-23",
        "3.7": "2023-06-27",
        "3.8": "2024-10-07",
        "3.9": "2025-10-31",
        "3.10": "2026-10-31",
        "3.11": "2027-10-31",
        "3.12": "2028-10-31",
        "3.13": "2029-10-31",
        "3.14": "2030-10-31",
    },
    "node": {
        "14": "2023-04-30",
        "16": "2023-09-11",
        "18": "2025-04-30",
        "19": "2023-06-01",
        "20": "2026-04-30",
        "21": "2024-06-01",
        "22": "2027-04-30",
        "23": "2025-06-01",
        "24": "2028-04-30",
        "25": "2026-06-01",
    },
    "php": {
        "7.4": "2022-11-28",
        "8.0": "2023-11-26",
        "8.1": "2025-12-31",
        "8.2": "2026-12-31",
        "8.3": "2027-12-31",
        "8.4": "2028-12-31",
    },
    "ruby": {
        "2.7": "2023-03-31",
        "3.0": "2024-04-23",
        "3.1": "2025-03-26",
        "3.2": "2026-03-31",
        "3.3": "2027-03-31",
        "3.4": "2028-03-31",
    },
}
_FILES = {".python-version": "python", ".nvmrc": "node", ".node-version": "node", ".ruby-version": "ruby"}
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(?P<image>\S+)", re.IGNORECASE | re.MULTILINE)
_ARG = re.compile(r"^\s*ARG\s+(?P<name>\w+)=[\"']?(?P<value>[^\s\"']+)", re.IGNORECASE | re.MULTILINE)
_VARIABLE = re.compile(r"\$\{(\w+)(?::?-([^}]*))?\}|\$(\w+)")
_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?")


def ends_on(name: str, version: str) -> date | None:
    """Return the last day of security updates of a runtime's version; None when it is not known.

    A version newer than all in the table is supported for as long as `KNOWN_FOR` after the table was made.
    """
    table, match = ENDS.get(name), _VERSION.match(version)
    if table is None or match is None:
        return None
    parts = 1 if name == "node" else 2
    cycle = ".".join(part for part in match.groups()[:parts] if part)
    if cycle in table:
        return date.fromisoformat(table[cycle])
    numbers = [int(part) for part in cycle.split(".")]
    if len(numbers) < parts:
        return None
    newer = [key for key in table if [int(part) for part in key.split(".")] > numbers]
    if not newer:
        return READ_ON + KNOWN_FOR
    # What is not listed ended no later than the next version did.
    return date.fromisoformat(table[min(newer, key=lambda key: [int(part) for part in key.split(".")])])


def may_name(path: str) -> bool:
    """Whether a file of this name may say which runtime is used, so that it is worth reading."""
    name = PurePosixPath(path).name.lower()
    return name in _FILES or name in ("runtime.txt", "package.json") or is_container_file(path)


def named(path: str, content: bytes) -> Iterator[tuple[str, str]]:
    """Yield (runtime, version) that a file of a repository names; nothing for any other file."""
    name, text = PurePosixPath(path).name.lower(), content.decode("utf-8", "replace")
    if name in _FILES and (
        match := _VERSION.match(text.strip().removeprefix("node-").removeprefix("python-"))
    ):
        yield _FILES[name], match[0].removeprefix("v")
    elif name == "runtime.txt" and (match := re.match(r"(python)-(\d+(?:\.\d+)*)", text.strip())):
        yield match[1], match[2]
    elif name == "package.json":
        yield from _volta(text)
    elif is_container_file(path):
        yield from _images(text)


def is_container_file(path: str) -> bool:
    """Whether a path is that of a Dockerfile or Containerfile, under any of its usual names."""
    name = PurePosixPath(path).name.lower()
    return bool(re.fullmatch(r"(dockerfile|containerfile)([.\-_].+)?|.+\.(dockerfile|containerfile)", name))


def _images(text: str) -> Iterator[tuple[str, str]]:
    arguments = {match["name"]: match["value"] for match in _ARG.finditer(text)}

    def value(match: re.Match[str]) -> str:
        return arguments.get(match[1] or match[3], match[2] or "")

    for found in _FROM.finditer(text):
        image = _VARIABLE.sub(value, found["image"]).partition("@")[0]
        repository, _, tag = image.rpartition("/")[2].partition(":")
        if repository in ENDS and (match := _VERSION.match(tag)):
            yield repository, match[0].removeprefix("v")


def _volta(text: str) -> Iterator[tuple[str, str]]:
    """Yield the Node.js that package.json pins: as volta, or as an exact engine; a range names no version."""
    try:
        document = safe_json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, Mapping):
        return
    for key in ("volta", "engines"):
        holder = document.get(key)
        version = holder.get("node") if isinstance(holder, Mapping) else None
        if isinstance(version, str) and re.fullmatch(r"v?\d+(\.(\d+|x))*", version):
            yield "node", version.removeprefix("v")
            return
