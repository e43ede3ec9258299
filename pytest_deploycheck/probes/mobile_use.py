"""The use probe: what tests on devices reported, and whether the access log knows of them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import access_lines, evidence_files, junit_files, loki
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

ITEM = "go_live.mobile.tested"


@dataclass(frozen=True)
class E2eReport:
    """One JUnit file; sha256: of it.  started_at: ISO 8601, empty where it tells none.  cases: names that passed."""

    file: str
    sha256: str
    tests: int
    failures: int
    errors: int
    skipped: int
    bad: tuple[str, ...]
    started_at: str


@dataclass(frozen=True)
class RouteUse:
    """Requests of the app to a route that the access log has: how many, and how many were answered well (2xx)."""

    flow: str
    route: str
    requests: int
    good: int


@dataclass(frozen=True)
class MobileUseFacts:
    """Reports and log lines.

    window: from when to when the log was read, ISO 8601, by the newest record's own words; empty where there is no
    record.  lines: of the app in the log; unread: of these, such in which no request could be found.
    """

    enabled: bool
    required_flows: tuple[str, ...]
    os_majors: tuple[tuple[str, tuple[int, ...]], ...]
    reports: tuple[E2eReport, ...]
    user_agent: str
    window: tuple[str, str]
    lines: int
    unread: int
    routes: tuple[RouteUse, ...]
    commit: str
    version: str
    environment: str
    go_live_at: str


@probe(
    facts=MobileUseFacts,
    deadline=40,
    needs=("api", "logs_gate"),
    uses={"files": "read", "logs": "GET"},
)
def mobile_use(target: Target, connect: Connections) -> MobileUseFacts:
    """Read the reports, and the app's requests of the time that the signed record names."""
    section, release = target.mobile, target.release
    if not section.enabled or not section.user_agent_pattern:
        key = "mobile.user_agent_pattern" if section.enabled else "mobile.enabled = true"
        raise CannotLook(
            Reason.NO_CONFIG, f"no {key} in {target.path.name}; add it, or declare the item out of scope"
        )
    agent = section.user_agent_pattern.replace(
        "{version}", re.escape(section.expected_version or release.version)
    )
    window = _window(connect)
    lines, unread, routes = _uses(target, connect, agent, window) if window else (0, 0, ())
    return MobileUseFacts(
        enabled=section.enabled,
        required_flows=tuple(section.required_flows),
        os_majors=tuple((name, tuple(majors)) for name, majors in section.os_majors.items()),
        reports=_reports(target) if section.e2e_report else (),
        user_agent=agent,
        window=window or ("", ""),
        lines=lines,
        unread=unread,
        routes=routes,
        commit=release.commit,
        version=section.expected_version or release.version,
        environment=target.target.environment,
        go_live_at=release.go_live_at.isoformat() if release.go_live_at else "",
    )


def _window(connect: Connections) -> tuple[str, str] | None:
    """Return when the tests ran, as the newest record has it; whether it counts is the check's to say."""
    found = [one for one in connect.signed_files() if one.item == ITEM and one.kind == "record"]
    if not found:
        return None
    facts = max(found, key=lambda one: one.produced_at).facts
    words = tuple(str(facts.get(key, "")) for key in ("started_at", "finished_at"))
    try:
        moments = [datetime.fromisoformat(one) for one in words]
    except ValueError:
        return None
    return (words[0], words[1]) if all(one.tzinfo for one in moments) and moments[0] <= moments[1] else None


def _reports(target: Target) -> tuple[E2eReport, ...]:
    found = []
    for path in evidence_files.matching(target, "mobile.e2e_report", target.mobile.e2e_report):
        data = evidence_files.content(path)
        try:
            read = junit_files.parse(data)
        except junit_files.JUnitError as error:
            raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: {error}") from None
        found.append(
            E2eReport(
                file=path.name,
                sha256=hashlib.sha256(data).hexdigest(),
                tests=read.tests,
                failures=read.failures,
                errors=read.errors,
                skipped=read.skipped,
                bad=tuple(read.bad),
                started_at=read.started_at,
            )
        )
    return tuple(found)


def _uses(
    target: Target, connect: Connections, agent: str, window: tuple[str, str]
) -> tuple[int, int, tuple[RouteUse, ...]]:
    """Count the app's requests to each route of a flow."""
    client, limits = loki.client(target, connect), target.limits
    start = datetime.fromisoformat(window[0]).timestamp() - limits.app_log_margin_s
    end = datetime.fromisoformat(window[1]).timestamp() + limits.app_log_margin_s
    quoted = agent.replace("\\", "\\\\").replace('"', '\\"')
    query = f'{client.any_service()} |~ "{quoted}"'
    lines = client.lines(
        query, start, min(end, connect.now().timestamp() + 60), limit=int(limits.app_log_lines_max)
    )
    wanted = re.compile(agent)
    seen = [access_lines.parse(line.text) for line in lines]
    own = [one for one in seen if one is not None and wanted.search(one.user_agent)]
    routes = []
    for flow, names in target.mobile.flow_routes.items():
        for name in names:
            hits = [one for one in own if access_lines.is_route(one, name)]
            routes.append(RouteUse(flow, name, len(hits), sum(200 <= one.status < 300 for one in hits)))
    return len(own), sum(one is None for one in seen), tuple(routes)
