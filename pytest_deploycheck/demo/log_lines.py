"""When a log line was written and how grave it is, for the formats of the demo's servers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

LEVELS = ("debug", "info", "warning", "error")
_POSTGRES = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC")
_NGINX = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(\w+)\]")
_VALKEY = re.compile(r"\d+:\w (\d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) ([.\-*#])")
_GRAVE = {
    "critical": "error",
    "crit": "error",
    "alert": "error",
    "emerg": "error",
    "fatal": "error",
    "panic": "error",
    "error": "error",
    "warning": "warning",
    "warn": "warning",
    "#": "warning",
    "debug": "debug",
    ".": "debug",
}


def parse(line: str) -> tuple[int | None, str]:
    """Nanoseconds since the epoch, None when the line does not say, and one of `LEVELS`."""
    if line.startswith("{"):
        return _parse_json(line)
    if match := _POSTGRES.match(line):
        level = re.search(r" (ERROR|FATAL|PANIC|WARNING):  ", line)
        moment = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
        return _nanoseconds(moment), _level(level[1] if level else "")
    if match := _NGINX.match(line):
        return _nanoseconds(_local(match[1], "%Y/%m/%d %H:%M:%S")), _level(match[2])
    if match := _VALKEY.match(line):
        return _nanoseconds(_local(match[1], "%d %b %Y %H:%M:%S.%f")), _level(match[2])
    return None, "info"


def _parse_json(line: str) -> tuple[int | None, str]:
    try:
        members = json.loads(line)
    except ValueError:
        return None, "info"
    level = _level(str(members.get("level", "")))
    readers: tuple[tuple[str, Callable[[str], float]], ...] = (
        ("msec", float),
        ("ts", float),
        ("ts", lambda text: datetime.fromisoformat(text).timestamp()),
    )
    for name, read in readers:
        try:
            return int(read(str(members[name])) * 10**6) * 1000, level
        except (KeyError, ValueError):
            continue
    return None, level


def _local(text: str, form: str) -> datetime:
    return datetime.strptime(text, form).astimezone()


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 10**6) * 1000


def _level(word: str) -> str:
    return _GRAVE.get(word.lower(), "info")
