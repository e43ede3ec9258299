"""Tools that break a part of the running deployment and mend it again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from pytest_deploycheck.claims import signatures
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.people import People


@contextmanager
def stopped(demo: Deployment, name: str) -> Iterator[None]:
    """Stop a server, and start it again with what was on disk."""
    demo.service(name).stop()
    try:
        yield
    finally:
        demo.restart(name)


@contextmanager
def edited(path: Path, *changes: tuple[str, str]) -> Iterator[None]:
    """Replace strings in a file, each of which must occur; put the file back afterwards."""
    before = path.read_bytes()
    text = before.decode()
    for old, new in changes:
        assert old in text, f"{old!r} does not occur in {path.name}; the fault would break nothing"
        text = text.replace(old, new)
    path.write_text(text)
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def json_edited(path: Path, change: Callable[[Any], object]) -> Iterator[None]:
    """Change what a JSON file holds, in place; put the file back afterwards. A change that changes nothing is a bug."""
    before = path.read_bytes()
    values = json.loads(before)
    change(values)
    assert values != json.loads(before), f"{path.name} is as it was; the fault would break nothing"
    path.write_text(json.dumps(values))
    try:
        yield
    finally:
        path.write_bytes(before)


def units_edited(demo: Deployment, change: Callable[[Any], object]) -> AbstractContextManager[None]:
    """Change what systemd says of its units; afterwards it says what it said."""
    return json_edited(demo.world.path("server", "units.json"), change)


@contextmanager
def nobody_told(demo: Deployment) -> Iterator[None]:
    """Turn the tracker's alert on new issues off, and on again afterwards."""
    database = demo.world.path("bugsink", "db.sqlite3")

    def tell(somebody: bool) -> None:
        with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
            connection.execute("UPDATE projects_project SET alert_on_new_issue = ?", (somebody,))

    tell(False)
    try:
        yield
    finally:
        tell(True)


@contextmanager
def reloaded(demo: Deployment, name: str, path: Path, *changes: tuple[str, str]) -> Iterator[None]:
    """Edit a server's configuration and put it into force; afterwards the same backwards."""
    try:
        with edited(path, *changes):
            demo.reload(name)
            yield
    finally:
        demo.reload(name)


@contextmanager
def switched(demo: Deployment, **switches: Any) -> Iterator[None]:
    """Turn on bug switches of the app (DIR/app/switches.json)."""
    with switches_in(demo.world.path("app", "switches.json"), **switches):
        yield


@contextmanager
def switches_in(path: Path, **switches: Any) -> Iterator[None]:
    """Write a switches file atomically, and take it away afterwards."""
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(switches))
    partial.replace(path)
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def signed_again(
    demo: Deployment, item: str, change: Callable[[dict[str, Any]], object], *, sign: bool = True
) -> Iterator[None]:
    """Change the newest signed file of an item and sign it again in its own role, or leave the old signature."""
    people = People(demo.world)
    path = max(
        (one for one in people.claims.glob("*.json") if json.loads(one.read_text()).get("item") == item),
        key=lambda one: str(json.loads(one.read_text())["produced_at"]),
    )
    signature = path.with_name(f"{path.name}.sig")
    before = path.read_bytes(), signature.read_bytes()
    values = json.loads(before[0])
    change(values)
    path.write_text(json.dumps(values))
    if sign:
        signatures.sign(path, people.key(values["producer"]["role"]))
    try:
        yield
    finally:
        path.write_bytes(before[0])
        signature.write_bytes(before[1])


@contextmanager
def unsaid(demo: Deployment, item: str) -> Iterator[None]:
    """Take every signed file of an item away."""
    people = People(demo.world)
    found = [one for one in people.claims.glob("*.json") if json.loads(one.read_text()).get("item") == item]
    assert found, f"nobody signed anything about {item}"
    for path in found:
        path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        for path in found:
            path.with_suffix(".away").rename(path)
