"""The silences of Alertmanager: which of them stand for maintenance, and how long they last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_MAINTENANCE = re.compile(r"(?i)maint|planned|window|upgrade|patch|downtime|deploy|migration")
_SINGLES_OUT = frozenset({"alertname", "instance", "pod", "container", "job", "device", "mountpoint", "id"})


@dataclass(frozen=True)
class Silence:
    """One silence that is in force or will be; times are UTC ISO 8601.

    matchers: as `name="value"`.  maintenance: its comment says that it is for maintenance.  broad: it singles
    out neither an alert nor a thing that alerts are about.
    """

    id: str
    matchers: tuple[str, ...]
    starts_at: str
    ends_at: str
    state: str
    comment: str
    created_by: str
    maintenance: bool
    broad: bool

    @property
    def lasts(self) -> timedelta:
        """How long it is, from its start to its end."""
        return datetime.fromisoformat(self.ends_at) - datetime.fromisoformat(self.starts_at)


@dataclass(frozen=True)
class SilencesFacts:
    """All silences that are in force or will be; ended: how many Alertmanager still remembers besides."""

    silences: tuple[Silence, ...]
    ended: int


@probe(facts=SilencesFacts, deadline=15, needs=("am_gate",), uses={"alertmanager": "GET"})
def silences(target: Target, connect: Connections) -> SilencesFacts:
    """Ask Alertmanager for its silences."""
    section = target.alertmanager
    assert section is not None  # its gate is open
    http = connect.http("alertmanager", bearer=connect.secret(section.token) if section.token else "")
    answer = http.get("/api/v2/silences").json()
    if not isinstance(answer, list):
        raise CannotLook(Reason.UNPARSEABLE, f"{http.shown}/api/v2/silences is no list")
    found = [_silence(entry) for entry in answer if isinstance(entry, Mapping)]
    living = tuple(one for one in found if one.state in ("active", "pending"))
    return SilencesFacts(living, len(found) - len(living))


def _silence(entry: Mapping[str, Any]) -> Silence:
    matchers = [one for one in entry.get("matchers") or () if isinstance(one, Mapping)]
    text = " ".join(str(entry.get(name) or "") for name in ("comment", "createdBy"))
    written = tuple(_written(one) for one in matchers)
    status = entry.get("status")
    return Silence(
        id=str(entry.get("id", ""))[:40],
        matchers=written,
        starts_at=_moment(entry, "startsAt"),
        ends_at=_moment(entry, "endsAt"),
        state=str(status.get("state", "")) if isinstance(status, Mapping) else "",
        comment=str(entry.get("comment") or "")[:200],
        created_by=str(entry.get("createdBy") or "")[:80],
        maintenance=_MAINTENANCE.search(f"{text} {' '.join(written)}") is not None,
        broad=not any(_singles_out(one) for one in matchers),
    )


def _singles_out(matcher: Mapping[str, Any]) -> bool:
    everything = matcher.get("isRegex") and re.fullmatch(r"\^?\.[*+]\$?", str(matcher.get("value", "")))
    return (
        matcher.get("name") in _SINGLES_OUT and matcher.get("isEqual", True) is not False and not everything
    )


def _written(matcher: Mapping[str, Any]) -> str:
    sign = (
        ("=~" if matcher.get("isRegex") else "=")
        if matcher.get("isEqual", True)
        else ("!~" if matcher.get("isRegex") else "!=")
    )
    return f'{matcher.get("name")}{sign}"{matcher.get("value")}"'[:200]


def _moment(entry: Mapping[str, Any], name: str) -> str:
    try:
        return datetime.fromisoformat(str(entry.get(name))).isoformat()
    except ValueError:
        raise CannotLook(Reason.UNPARSEABLE, f"a silence of Alertmanager says no {name}") from None
