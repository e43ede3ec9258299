"""What operations of the demo keep: reviews of its documents, the list of contacts, the calendar of maintenance.

The documents are true of the demo and their digests are of what is there; that somebody read them, went through them
or may be called is invented, since nobody works here.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import history, repository, runbooks
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.world import World

GUIDES = {
    "operations.documentation.deploy": ("devops", "docs/deploy.md"),
    "operations.documentation.troubleshooting": ("backend", "docs/troubleshooting.md"),
    "operations.maintenance.updates": ("devops", "docs/updates.md"),
}
EXERCISED = ("roll back", "restore the database", "lead an incident")
FOLDER = "docs/runbooks"
# Of the block that the German numbering authority keeps free for made-up numbers in Berlin: +49 30 23125 000 to 999.
PEOPLE = {
    "ada": ("Ada Adler", "+49 30 23125 101", "Europe/Berlin"),
    "grace": ("Grace Gold", "+49 30 23125 102", "Europe/Berlin"),
    "alan": ("Alan Amsel", "+49 30 23125 103", "Europe/London"),
    "ken": ("Ken Kranz", "+49 30 23125 104", "Europe/Berlin"),
}
ROLES = {
    "operations": ("ada", "grace"),
    "security": ("grace", "alan"),
    "backend": ("alan", "ken"),
    "communication": ("ken", "ada"),
}


def write(world: World, people: People) -> None:
    """Write the list of contacts and the calendar, and sign reviews of all that operations keep."""
    read_at = people.now - timedelta(minutes=10)
    for item, (role, path) in GUIDES.items():
        content = _in_repository(world).get(path)
        if content is not None:
            people.record(
                item,
                role,
                f"I read {path} and tried what it says.",
                {"reviewed_at": read_at.isoformat(), "documents": {path: _digest(content)}},
            )
    people.record(
        "operations.documentation.runbooks",
        "operations",
        "We read all runbooks, and went through those of emergencies.",
        {
            "reviewed_at": read_at.isoformat(),
            "documents": {
                f"{FOLDER}/{file.name}": _digest(file.read_bytes()) for file in runbooks.SOURCE.glob("*.md")
            },
            "exercised": {
                operation: {
                    "at": (people.now - timedelta(days=20 + number)).isoformat(),
                    "drill": f"DRILL-{number}",
                }
                for number, operation in enumerate(EXERCISED, 1)
            },
        },
    )
    contacts = people.home / "contacts.yaml"
    contacts.write_text(_contacts())
    people.record(
        "operations.documentation.contacts",
        "operations",
        "Everybody on the list was asked and answered.",
        {"reviewed_at": read_at.isoformat(), "contacts_sha256": _digest(contacts.read_bytes())},
    )
    calendar = people.home / "maintenance.yaml"
    calendar.write_text(_calendar(people.now))
    people.record(
        "operations.maintenance.windows",
        "operations",
        "This is when we work on the service.",
        {"reviewed_at": read_at.isoformat(), "calendar_sha256": _digest(calendar.read_bytes())},
    )


def _in_repository(world: World) -> dict[str, bytes]:
    remote: Path = repository.remote(world)
    commit = world.release.commit
    return history.content(remote, commit) if history.has(remote, commit) else {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _contacts() -> str:
    lines = [
        "# Who is called for what. Nobody of these exists.",
        "escalation: [primary, secondary, tech lead, cto]",
    ]
    lines.append("people:")
    for key, (name, phone, zone) in PEOPLE.items():
        lines.append(
            f'  {key}: {{name: {name}, email: {key}@tokens.example, phone: "{phone}", time_zone: {zone}}}'
        )
    lines.append("roles:")
    lines += [
        f"  {role}: {{primary: {first}, secondary: {second}}}" for role, (first, second) in ROLES.items()
    ]
    return "\n".join([*lines, ""])


def _calendar(now: datetime) -> str:
    """Return a calendar with a window on a Sunday night of every fourth week, the first in eight days or more."""
    first: Any = now.replace(hour=2, minute=0, second=0) + timedelta(days=8)
    first += timedelta(days=(6 - first.weekday()) % 7)
    return f"""\
# When the token service is worked on. Users are told three days before, on the status page.
owner: devops
approver: operations
audience: [customers, support]
windows:
  - summary: Monthly maintenance
    start: {first.isoformat()}
    duration: 2h
    repeat: FREQ=WEEKLY;INTERVAL=4
"""
