"""Who must know of the go-live: groups, teams, documents and the on-call duty, as the project declares them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

SIZE_MAX_BYTES = 2**20


@dataclass(frozen=True)
class Document:
    """A document that teams need: where it is, and whether it could be opened; `why` says why not.

    opened is None for an address on a host that is not to be asked.
    """

    name: str
    where: str
    opened: bool | None
    why: str


@dataclass(frozen=True)
class Shift:
    """Somebody's duty at a level, from and until ISO 8601 times."""

    level: str
    who: str
    start: str
    end: str


@dataclass(frozen=True)
class CommunicationFacts:
    """Declarations of `[comms]`, documents as they were found, and the roster.

    shifts: in the order of their start.  contacts: (provider, contact) of the roster.  roster_problem: why
    there is no roster to read, empty where there is.  version: of the release.  go_live_at: ISO 8601, empty
    where it is not fixed.
    """

    stakeholder_groups: tuple[str, ...]
    support_roster: tuple[str, ...]
    support_leads: tuple[str, ...]
    documents: tuple[Document, ...]
    teams: tuple[str, ...]
    levels: tuple[str, ...]
    shifts: tuple[Shift, ...]
    providers: tuple[str, ...]
    contacts: tuple[tuple[str, str], ...]
    roster_problem: str
    version: str
    go_live_at: str


@probe(facts=CommunicationFacts, deadline=20, uses={"files": "read", "docs": "GET"})
def communication(target: Target, connect: Connections) -> CommunicationFacts:
    """Read the roster, and open every document that teams are to have."""
    comms = target.comms
    values, problem = _roster(target, connect)
    contacts = values.get("providers", {})
    return CommunicationFacts(
        stakeholder_groups=tuple(comms.stakeholder_groups),
        support_roster=tuple(comms.support_roster),
        support_leads=tuple(comms.support_leads),
        documents=tuple(_document(target, connect, name, where) for name, where in comms.documents.items()),
        teams=tuple(comms.teams),
        levels=tuple(comms.levels),
        shifts=tuple(sorted(_shifts(values, target.comms.roster), key=lambda one: one.start)),
        providers=tuple(comms.providers),
        contacts=tuple((str(name), str(value)) for name, value in sorted(contacts.items())),
        roster_problem=problem,
        version=target.release.version,
        go_live_at=target.release.go_live_at.isoformat() if target.release.go_live_at else "",
    )


def _roster(target: Target, connect: Connections) -> tuple[Mapping[str, Any], str]:
    if not target.comms.roster:
        return {}, f"no comms.roster in {target.path.name}; add it"
    connect.socket_allowed("files", "read", target.comms.roster)
    path: Path = target.file(target.comms.roster)
    try:
        if path.stat().st_size > SIZE_MAX_BYTES:
            return {}, f"{path.name} is larger than 1 MiB"
        return tomllib.loads(path.read_text(encoding="utf-8")), ""
    except (OSError, UnicodeDecodeError) as error:
        return {}, f"{path.name} cannot be read: {error}"
    except tomllib.TOMLDecodeError as error:
        raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: not valid TOML: {error}") from None


def _shifts(values: Mapping[str, Any], name: str) -> list[Shift]:
    found = []
    for number, entry in enumerate(values.get("shift", ()), 1):
        start, end = entry.get("from"), entry.get("until")
        if not all(isinstance(one, datetime) and one.tzinfo for one in (start, end)):
            raise CannotLook(
                Reason.UNPARSEABLE, f"{name}: shift {number}: from and until must be times with a zone"
            )
        found.append(
            Shift(str(entry.get("level", "")), str(entry.get("who", "")), start.isoformat(), end.isoformat())
        )
    return found


def _document(target: Target, connect: Connections, name: str, where: str) -> Document:
    if "://" not in where:
        connect.socket_allowed("files", "read", where)
        exists = target.file(where).is_file()
        return Document(name, where, exists, "" if exists else "there is no such file")
    base = next((one for one in target.comms.docs_base if where.startswith(f"{one}/")), "")
    if not base:
        return Document(name, where, None, "its host is not among comms.docs_base")
    answer = connect.http("docs", base=base).get(where)
    # A page that asks for a login is there; whether a team may see it is what its acknowledgement says.
    opened = 200 <= answer.status < 400 or answer.status in (401, 403)
    return Document(name, where, opened, "" if opened else f"answers {answer.status}")
