"""The Grafana probe: does each dashboard show data, panel by panel, from data sources that answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes.grafana_api import BUILT_IN, Grafana, Source, body_of
from pytest_deploycheck.probes.grafana_panels import Panel, Stretch, Variable, panels, variables
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http

VOLATILE = frozenset(
    {"id", "uid", "version", "iteration", "schemaVersion", "gnetId", "__inputs", "__requires"}
)
"""What Grafana itself changes in a dashboard, or what is only there for an import."""
DEFAULT_ADMIN = "Basic YWRtaW46YWRtaW4="


@dataclass(frozen=True)
class DataSource:
    """One data source that a panel uses: healthy, None where its plugin offers no health check."""

    uid: str
    name: str
    type: str
    healthy: bool | None
    message: str


@dataclass(frozen=True)
class Dashboard:
    """One required dashboard.

    found: it is there.  api: which API gave it.  same_as_released: equal to its file in
    `grafana.dashboards_dir` but for what Grafana changes itself, None without such a file.
    """

    uid: str
    title: str
    found: bool
    api: str
    same_as_released: bool | None
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class GrafanaFacts:
    """A Grafana: `database` as its health says, data asked for over `window_s` seconds.

    anonymous: it lists dashboards without a token.  default_admin: it knows admin with the password admin,
    None when that could not be tried.
    """

    version: str
    database: str
    anonymous: bool
    default_admin: bool | None
    window_s: float
    sources: tuple[DataSource, ...]
    dashboards: tuple[Dashboard, ...]
    required_panels: tuple[str, ...]


@probe(facts=GrafanaFacts, deadline=90, needs=("grafana_gate",), uses={"grafana": "GET POST"}, safety="S2")
def grafana(target: Target, connect: Connections) -> GrafanaFacts:
    """Walk the panels of each required dashboard and run their queries, which only read; try one login."""
    section = target.grafana
    assert section is not None  # else its gate were closed
    if not section.dashboards:
        raise CannotLook(Reason.NO_CONFIG, f"grafana.dashboards in {target.path.name} names no dashboard")
    http = connect.http("grafana", bearer=connect.secret(section.token))
    reader = Grafana(http)
    health = body_of(http.get("/api/health"))
    sources = reader.sources()
    end = connect.now().timestamp()
    when = Stretch(int((end - target.limits.grafana_window_s) * 1000), int(end * 1000))
    folder = target.file(section.dashboards_dir) if section.dashboards_dir else None
    boards = tuple(_board(reader, uid, sources, when, folder) for uid in section.dashboards)
    stranger = connect.http("grafana")
    return GrafanaFacts(
        version=str(health.get("version", "")),
        database=str(health.get("database", "")),
        anonymous=_lists(stranger),
        default_admin=_admin(stranger),
        window_s=target.limits.grafana_window_s,
        sources=_used(reader, sources, boards),
        dashboards=boards,
        required_panels=tuple(section.required_panels),
    )


def _board(reader: Grafana, uid: str, sources: list[Source], when: Stretch, folder: Path | None) -> Dashboard:
    found = reader.board(uid)
    if found is None:
        return Dashboard(uid, "", False, "", None, (), ())
    board, api = found
    chosen = variables(reader, board, sources, when)
    values = {variable.name: variable.value for variable in chosen}
    return Dashboard(
        uid=uid,
        title=str(board.get("title", "")),
        found=True,
        api=api,
        same_as_released=_same(uid, board, folder) if folder is not None else None,
        variables=chosen,
        panels=tuple(panels(reader, board, sources, values, when)),
    )


def _used(reader: Grafana, sources: list[Source], boards: tuple[Dashboard, ...]) -> tuple[DataSource, ...]:
    """Return the health of every data source that a panel uses, whether or not there is such a one."""
    known = {source.uid: source for source in sources}
    uids = dict.fromkeys(panel.source for board in boards for panel in board.panels)
    found = []
    for uid in uids:
        if uid in BUILT_IN:
            continue
        source = known.get(uid)
        if source is None:
            found.append(DataSource(uid, uid, "", False, "there is no such data source"))
            continue
        healthy, message = reader.source_health(uid)
        found.append(DataSource(uid, source.name, source.type, healthy, message))
    return tuple(found)


def _lists(stranger: Http) -> bool:
    """Tell whether dashboards are listed without a login."""
    answer = stranger.get("/api/search", params={"limit": "1"})
    return answer.status == 200 and answer.body.lstrip()[:1] == b"["


def _admin(stranger: Http) -> bool | None:
    """Try the password that every installation begins with, once."""
    try:
        answer = stranger.get("/api/search", params={"limit": "1"}, headers={"Authorization": DEFAULT_ADMIN})
    except (CannotLook, Dead):
        return None
    return answer.status == 200 if answer.status in (200, 401, 403) else None


def _same(uid: str, board: Mapping[str, Any], folder: Path) -> bool | None:
    """Compare with the released file of the same uid; None when there is none."""
    for path in sorted(folder.glob("**/*.json")):
        try:
            released = safe_json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            message = f"released dashboard {path.name} cannot be read: {str(error)[:120]}"
            raise CannotLook(Reason.UNPARSEABLE, message) from None
        if isinstance(released, dict) and released.get("uid") == uid:
            return _digest(released) == _digest(board)
    return None


def _digest(board: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in board.items() if name not in VOLATILE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
