"""What servers answer, as text, made into facts. Parsing only: what cannot be read is None, and never a guess."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.probes.host_facts import FileSystem, Listener, OperatingSystem, UnitState
from pytest_deploycheck.rules import os_support

_DATABASE_FOLDERS = re.compile(
    r"^/(var/lib/(postgresql|pgsql|mysql|mongodb)|data/db|pgdata|bitnami/(postgresql|mysql|mariadb|mongodb))(/|$)"
)
_PLAIN_PATH = re.compile(r"^/[\w./@+-]*\Z", re.ASCII)
_TIMED = re.compile(r"^\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? UTC$")
_LISTENER = re.compile(r"^(tcp|udp)\s+\S+\s+\d+\s+\d+\s+(\S+):(\d+)\s+\S+(?:\s+users:\(\(\"([^\"]*)\")?")
_NETSTAT = re.compile(r"^(tcp|udp)6?\s+\d+\s+\d+\s+(\S+):(\d+)\s+\S+\s+(?:LISTEN\s+)?(?:\d+/([^\s:]+))?")


def memory(text: str) -> dict[str, int]:
    """Return /proc/meminfo in bytes."""
    rows = re.findall(r"^(\w+):\s+(\d{1,15}) kB$", text, re.MULTILINE)
    return {name: int(value) * 1024 for name, value in rows}


def cpu_ticks(text: str) -> tuple[int, int, int] | None:
    """Return all ticks, stolen ticks and the number of processors out of /proc/stat (proc(5)).

    Guests' ticks are counted within user and nice already.
    """
    total = re.search(r"^cpu +([\d ]+)$", text, re.MULTILINE)
    values = [integer(value) or 0 for value in total[1].split()] if total else []
    if len(values) < 8:
        return None
    return sum(values[:8]), values[7], len(re.findall(r"^cpu\d+ ", text, re.MULTILINE))


def number(text: str) -> float | None:
    """Return a finite number that stands alone."""
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def integer(text: object) -> int | None:
    """Return a number without sign of nineteen digits at most; what is larger is no answer of a kernel."""
    word = str(text).strip()
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 19 else None


def plain_path(path: object) -> str:
    """Return an absolute path that can be asked about without quoting; empty for any other."""
    return path if isinstance(path, str) and _PLAIN_PATH.match(path) else ""


def quota(cpu_max: str, v1: str) -> float | None:
    """Return the cores that a control group allows: cpu.max of version 2, else quota and period of version 1."""
    words = [integer(word) for word in (cpu_max or v1).split()]
    if len(words) != 2 or words[0] is None or not words[1]:
        return None  # "max", -1 or nothing: no quota
    return words[0] / words[1]


def os_release(text: str) -> OperatingSystem | None:
    """Return what /etc/os-release says, with the end of free security updates from our table."""
    rows = dict(re.findall(r"^([A-Z_]+)=[\"']?([^\"'\n]*)[\"']?$", text, re.MULTILINE))
    if "ID" not in rows:
        return None
    version = rows.get("VERSION_ID", "")
    eol_on = os_support.ends(rows["ID"], version)
    return OperatingSystem(rows["ID"], version, rows.get("PRETTY_NAME", ""), eol_on)


def filesystems(table: str, plain: str, holds: dict[str, str]) -> tuple[FileSystem, ...]:
    """Return the file system of each path: of `df --output=file,source,fstype,size,avail,itotal,iavail,target`.

    Where df knows no --output, `df -kP` stands in, which tells nothing of inodes; its rows are in the order of
    the paths that there are.
    """
    found = []
    for line in table.splitlines()[1:]:
        words = line.split(None, 7)
        if len(words) == 8:
            path, device, kind, *numbers, mount = words
            size, free, inodes, inodes_free = map(integer, numbers)
            if size is not None and free is not None:
                known = (inodes, inodes_free) if inodes else (None, None)
                found.append(
                    FileSystem(path, holds.get(path, "data"), mount.strip(), device, kind, size, free, *known)
                )
    return tuple(found) if table.strip() else tuple(_plain(plain, holds))


def _plain(text: str, holds: dict[str, str]) -> Iterator[FileSystem]:
    rows = [line.split(None, 5) for line in text.splitlines()[1:]]
    rows = [words for words in rows if len(words) == 6]
    if len(rows) == len(holds):
        for (path, why), (device, blocks, _, left, _, mount) in zip(holds.items(), rows, strict=True):
            size, free = integer(blocks), integer(left)
            if size is not None and free is not None:
                yield FileSystem(path, why, mount, device, "", size * 1024, free * 1024, None, None)


def listeners(ss: str, netstat: str) -> tuple[Listener, ...]:
    """Return the sockets that wait for others: of `ss -H -ltunp`, else of `netstat -ltunp`."""
    found = []
    for line in (ss or netstat).splitlines():
        match = (_LISTENER if ss else _NETSTAT).match(line.strip())
        if match and (integer(match[3]) or 0) <= 65535:
            address = match[2].strip("[]").partition("%")[0].strip("[]")
            found.append(Listener(match[1], address or "*", int(match[3]), match[4] or ""))
    return tuple(dict.fromkeys(found))


def units(text: str, named: Collection[str]) -> tuple[UnitState, ...]:
    """Return what matters of `systemctl show`: blocks of Name=value, an empty line between two.

    That is timers with what they start, units that failed, and the named ones; none that is not there.
    """
    seen = {unit.name: unit for unit in _all_units(text) if unit.load != "not-found"}
    started = {
        name for unit in seen.values() for name in unit.triggers.split() if unit.name.endswith(".timer")
    }
    return tuple(
        unit
        for unit in seen.values()
        if unit.name.endswith(".timer")
        or unit.active == "failed"
        or unit.name in started
        or unit.name in named
    )


def _all_units(text: str) -> Iterator[UnitState]:
    for block in re.split(r"\n\s*\n", text.strip()):
        row = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if row.get("Id"):
            yield UnitState(
                name=row["Id"],
                load=row.get("LoadState", ""),
                active=row.get("ActiveState", ""),
                sub=row.get("SubState", ""),
                enabled=row.get("UnitFileState", ""),
                result=row.get("Result", ""),
                status=integer(row.get("ExecMainStatus", "")),
                triggers=row.get("Triggers", ""),
                last_trigger_at=moment(row.get("LastTriggerUSec", "")),
                next_at=moment(row.get("NextElapseUSecRealtime", "")),
                started_at=moment(row.get("ExecMainStartTimestamp", "")),
                ended_at=moment(row.get("ExecMainExitTimestamp", "")),
            )


def moment(text: str) -> str:
    """Return a moment of systemctl, printed in UTC, as ISO 8601; empty for none."""
    match = _TIMED.match(text.strip())
    try:
        return datetime.fromisoformat(f"{match[1]}+00:00").isoformat() if match else ""
    except ValueError:
        return ""


def since_epoch(text: object) -> str:
    """Return seconds since 1970 as ISO 8601, empty when they are none."""
    value = number(str(text))
    try:
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds") if value else ""
    except (OverflowError, ValueError, OSError):
        return ""


def settings(text: str) -> dict[str, str]:
    """Return `sshd -T`: a keyword and its value a line; values of a repeated keyword are joined by spaces."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        if keyword.isalnum():
            found[keyword.lower()] = (
                f"{found[keyword.lower()]} {value}" if keyword.lower() in found else value
            )
    return found


def documents(text: str) -> Any:
    """Return a JSON text's value, None when it is none."""
    try:
        return safe_json.loads(text)
    except (ValueError, RecursionError):
        return None


def section(entry: Any, name: str) -> dict[str, Any]:
    """Return an object within a JSON object, an empty one where there is none."""
    found = entry.get(name) if isinstance(entry, dict) else None
    return found if isinstance(found, dict) else {}


def words(value: Any) -> list[str]:
    """Return a JSON array's members as text; a text alone is one member."""
    return [value] if isinstance(value, str) else list(map(str, value)) if isinstance(value, list) else []


def engine_root(info: Any) -> str:
    """Return where an engine keeps its data, of `docker info` (docker's or podman's shape)."""
    if not isinstance(info, dict):
        return ""
    return plain_path(info.get("DockerRootDir")) or plain_path(section(info, "store").get("graphRoot"))


def containers(inspected: Any) -> tuple[int, int, tuple[str, ...]] | None:
    """Return the sum of memory limits, how many running containers have none, and databases' folders.

    inspected: the array of `docker inspect`.  The folders are those that are mounted writable from elsewhere.
    """
    if not isinstance(inspected, list):
        return None
    limit, without = 0, 0
    folders: list[str] = []
    for entry in inspected:
        if section(entry, "State").get("Running") is not True:
            continue
        own = integer(section(entry, "HostConfig").get("Memory")) or 0
        limit += own
        without += not own
        mounts = entry.get("Mounts")
        for mount in mounts if isinstance(mounts, list) else []:
            if not isinstance(mount, dict) or mount.get("RW") is not True:
                continue
            if _DATABASE_FOLDERS.match(str(mount.get("Destination", ""))) and mount.get("Source"):
                folders.append(str(mount["Source"]))
    return limit, without, tuple(dict.fromkeys(folders))
