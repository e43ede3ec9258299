"""A stand-in for systemctl and timedatectl: it reads, in the formats of the real tools, and changes nothing.

Run as `python standin.py systemctl|timedatectl FOLDER ARGUMENTS…`; FOLDER holds units.json and timedate.json.
"""

import fnmatch
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIRST = ("Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "UnitFilePreset", "Result")
UNKNOWN = {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "Result": "success"}
KINDS = (".service", ".timer", ".socket", ".target", ".mount", ".path")
Units = dict[str, dict[str, Any]]


def moment(name: str, value: object) -> str:
    """Write a moment as systemctl does, in UTC; other values as they are."""
    timed = name.endswith(("Timestamp", "USec", "USecRealtime")) and isinstance(value, int | float)
    if not timed:
        return str(value)
    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(float(str(value)))) if value else ""


def split(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Take words and options apart; -p and -o take the word after them."""
    words: list[str] = []
    options: dict[str, str] = {}
    given = iter(arguments)
    for argument in given:
        if argument in ("-p", "--property", "-o", "--output", "-t", "--type"):
            name = argument.strip("-")[0]
            options[name] = ",".join(filter(None, (options.get(name), next(given, ""))))
        elif argument.startswith("--"):
            name, _, value = argument[2:].partition("=")
            short = name[0] if name in ("property", "output", "type") else name
            options[short] = ",".join(filter(None, (options.get(short), value)))
        elif argument.startswith("-"):
            options[argument[1:2]] = argument[2:]
        else:
            words.append(argument)
    return words, options


def full(name: str) -> str:
    """Complete a unit's name as systemctl does."""
    return name if name.endswith(KINDS) else f"{name}.service"


def show(units: Units, names: list[str], options: dict[str, str]) -> int:
    """Print the properties of each unit as Key=Value, blocks apart; an unknown unit is an answer too."""
    wanted = [name for name in options.get("p", "").split(",") if name]
    blocks = []
    matching = [
        found for name in names for found in (fnmatch.filter(units, name) if "*" in name else [full(name)])
    ]
    for name in dict.fromkeys(matching):
        values = {"Id": name, **units.get(name, UNKNOWN)}
        keys = wanted or [*FIRST, *(key for key in values if key not in FIRST)]
        lines = [f"{key}={moment(key, values.get(key, ''))}" for key in keys]
        blocks.append("\n".join(lines))
    print("\n\n".join(blocks))
    return 0


def is_active(units: Units, names: list[str]) -> int:
    """Print the state of each unit; 0 when one at least is active, else 3."""
    states = [str(units.get(full(name), UNKNOWN)["ActiveState"]) for name in names]
    print("\n".join(states))
    return 0 if "active" in states else 3


def is_enabled(units: Units, names: list[str]) -> int:
    """Print the state of each unit's file; 0 when one at least is enabled or static, else 1."""
    good = False
    for name in map(full, names):
        if name not in units:
            print(f"Failed to get unit file state for {name}: No such file or directory", file=sys.stderr)
            continue
        state = str(units[name].get("UnitFileState", "disabled"))
        good = good or state in ("enabled", "static", "enabled-runtime", "alias", "indirect", "generated")
        print(state)
    return 0 if good else 1


def list_timers(units: Units) -> int:
    """Print the timers as JSON, moments in microseconds as version 252 does."""
    now = time.time()
    rows = []
    for name, values in units.items():
        if name.endswith(".timer") and values.get("ActiveState") == "active":
            following = int(float(values.get("NextElapseUSecRealtime") or 0) * 1e6)
            last = int(float(values.get("LastTriggerUSec") or 0) * 1e6)
            left = max(0, following - int(now * 1e6)) if following else 0
            passed = max(0, int(now * 1e6) - last) if last else 0
            row = {"next": following, "left": left, "last": last, "passed": passed}
            rows.append({**row, "unit": name, "activates": values.get("Triggers", "")})
    print(json.dumps(rows))
    return 0


def list_units(units: Units, options: dict[str, str]) -> int:
    """Print the loaded units as JSON."""
    kinds = tuple(f".{kind}" for kind in options["t"].split(",")) if options.get("t") else KINDS
    rows = [
        {
            "unit": name,
            "load": values.get("LoadState"),
            "active": values.get("ActiveState"),
            "sub": values.get("SubState"),
            "description": name,
        }
        for name, values in units.items()
        if name.endswith(kinds)
        and ("all" in options or "a" in options or values.get("ActiveState") != "inactive")
    ]
    print(json.dumps(rows))
    return 0


def list_unit_files(units: Units, names: list[str]) -> int:
    """Print the unit files as JSON."""
    rows = [
        {
            "unit_file": name,
            "state": values.get("UnitFileState", "disabled"),
            "preset": values.get("UnitFilePreset") or None,
        }
        for name, values in units.items()
        if not names or name in map(full, names)
    ]
    print(json.dumps(rows))
    return 0


def is_system_running() -> int:
    """Print what a machine whose units all run says."""
    print("running")
    return 0


def systemctl(folder: Path, arguments: list[str]) -> int:
    """Answer one call of systemctl; what would change anything is refused."""
    units: Units = json.loads((folder / "units.json").read_text())
    words, options = split(arguments)
    verb, names = (words[0], words[1:]) if words else ("", [])
    answers: dict[str, Callable[[], int]] = {
        "show": lambda: show(units, names, options),
        "is-active": lambda: is_active(units, names),
        "is-enabled": lambda: is_enabled(units, names),
        "list-timers": lambda: list_timers(units),
        "list-units": lambda: list_units(units, options),
        "list-unit-files": lambda: list_unit_files(units, names),
        "is-system-running": is_system_running,
    }
    if verb not in answers:
        print(f"systemctl (the demo's stand-in): {verb or 'no verb'} is not a read", file=sys.stderr)
        return 1
    return answers[verb]()


def timedatectl(folder: Path, arguments: list[str]) -> int:
    """Answer `timedatectl show`."""
    values = json.loads((folder / "timedate.json").read_text())
    words, options = split(arguments)
    if words != ["show"]:
        print("timedatectl (the demo's stand-in): only show is a read", file=sys.stderr)
        return 1
    wanted = [name for name in options.get("p", "").split(",") if name] or list(values)
    lines = [
        str(values[name]) if "value" in options else f"{name}={values[name]}"
        for name in wanted
        if name in values
    ]
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    tool, folder, *rest = sys.argv[1:]
    sys.exit({"systemctl": systemctl, "timedatectl": timedatectl}[tool](Path(folder), rest))
