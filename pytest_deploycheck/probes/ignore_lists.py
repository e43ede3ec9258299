"""Until when a scanner's findings are ignored: Trivy's .trivyignore, plain or YAML. Parsing only."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_PLAIN = re.compile(r"^(?P<id>[A-Za-z][\w.-]+)(?:\s+exp:(?P<until>\d{4}-\d\d-\d\d))?\s*(?:#.*)?$")
_FIELD = re.compile(r"^\s*(?P<dash>- )?\s*(?P<key>id|expired_at):\s*[\"']?(?P<value>[^\"'#\s]+)")


def ends(text: str) -> dict[str, str]:
    """Return id -> UTC ISO 8601 of every entry that ends; one without an end is left out.

    Of the YAML form, entries that are flat mappings are read, as Trivy documents them.
    """
    found: dict[str, str] = {}
    entry: dict[str, str] = {}
    for line in text.splitlines():
        if match := _FIELD.match(line):
            if match["dash"]:
                entry = {}
            entry[match["key"]] = match["value"]
            if len(entry) == 2 and (until := _day(entry["expired_at"])):
                found[entry["id"]] = until
        elif line.lstrip().startswith("- "):
            entry = {}
        elif (plain := _PLAIN.match(line.strip())) and plain["until"] and (until := _day(plain["until"])):
            found[plain["id"]] = until
    return found


def _day(text: str) -> str:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat()
    except ValueError:
        return ""
