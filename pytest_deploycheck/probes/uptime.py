"""The uptime probe: who looks at the product from outside, at what, how often, and whom it would tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import loki
from pytest_deploycheck.probes.promql import PromQL
from pytest_deploycheck.probes.uptime_monitors import Monitor, blackbox, kuma, plain
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.monitoring import UptimeSection
    from pytest_deploycheck.transports import Connections

CONTROL_WAIT_S = 10.0
"""So long our own request may take to show in the log before the log proves nothing."""
LINES_MAX = 500


@dataclass(frozen=True)
class Visits:
    """Visits of the monitor at one address, as the edge's log has them.

    seen: lines with the monitor's user agent within `span_s` seconds; None when the log shows neither
    this path nor user agents, as a request of ours to the same path tells.
    """

    url: str
    seen: int | None
    span_s: float


@dataclass(frozen=True)
class UptimeFacts:
    """All monitors of the required addresses.

    contacts: channels that are told, as the target file says.  alerts: loaded alerts that look at the
    monitors' results, and notifiers: Alertmanagers that get them; None where the monitor notifies itself.
    visits: None where no log can be asked.
    """

    kind: str
    required: tuple[str, ...]
    monitors: tuple[Monitor, ...]
    contacts: int
    alerts: tuple[str, ...] | None
    notifiers: int | None
    visits: tuple[Visits, ...] | None

    def of(self, url: str) -> tuple[Monitor, ...]:
        """Return the monitors of exactly this address."""
        return tuple(monitor for monitor in self.monitors if plain(monitor.url) == plain(url))


@probe(
    facts=UptimeFacts,
    deadline=45,
    uses={"uptime": "GET", "blackbox": "GET", "logs": "GET", "api": "GET"},
)
def uptime(target: Target, connect: Connections) -> UptimeFacts:
    """Ask the monitor for its checks, and the edge's log whether they really arrive."""
    section = target.uptime
    if section is None:
        raise CannotLook(Reason.NO_CONFIG, f"no [uptime] in {target.path.name}; add kind, url and urls")
    alerts = notifiers = None
    if section.kind == "blackbox":
        token = connect.secret(section.token) if section.token is not None else ""
        prom = PromQL(connect.http("uptime", bearer=token))
        monitors = blackbox(prom, connect.http("blackbox") if section.exporter else None, section)
        alerts = _alerts(prom)
        notifiers = len(prom.get("alertmanagers").get("activeAlertmanagers", ()))
    else:
        monitors = kuma(connect, section)
    return UptimeFacts(
        kind=section.kind,
        required=tuple(section.urls),
        monitors=monitors,
        contacts=section.contacts,
        alerts=alerts,
        notifiers=notifiers,
        visits=_visits(target, connect, section, monitors),
    )


def _alerts(prom: PromQL) -> tuple[str, ...]:
    """Return the loaded alerts on probe_success, directly or by what a recording rule made of it."""
    found = []
    for group in prom.get("rules").get("groups", ()):
        for rule in group.get("rules", ()):
            if rule.get("type") == "alerting" and re.search(r"\bprobe_success\b|:probe", rule["query"]):
                found.append(str(rule["name"]))
    return tuple(dict.fromkeys(found))


def _visits(
    target: Target, connect: Connections, section: UptimeSection, monitors: tuple[Monitor, ...]
) -> tuple[Visits, ...] | None:
    """Count the monitor's visits to each address of this product; None where no log can be asked."""
    if target.logs is None:
        return None
    ours = [url for url in section.urls if url.startswith(target.target.base_url + "/")]
    longest = max(
        (m.interval_s for m in monitors if m.interval_s), default=target.limits.uptime_interval_max_s
    )
    span = max(2 * longest, 30.0)
    nonce = f"eyes-{connect.run_id}"
    agents = "|".join(f"(?:{pattern})" for pattern in section.agent_patterns).replace("`", "")
    try:
        http = connect.http("api", headers={"User-Agent": f"deploycheck/{nonce}"})
        for url in ours:
            http.get(urlsplit(url).path)
        client = loki.client(target, connect)
        service = target.logs.round_trip_service
        selector = client.selector(service) if service else client.any_service()
        logged = _logged(connect, client, f'{selector} |= "{nonce}"', len(ours))
        now = connect.now().timestamp()
        lines = client.lines(f"{selector} |~ `(?i){agents}`", now - span, now + 5, limit=LINES_MAX)
    except (Dead, CannotLook):
        return None
    found = []
    for url in ours:
        path = _mentions(urlsplit(url).path)
        seen = sum(bool(path.search(line.text)) for line in lines)
        found.append(Visits(url, seen if any(path.search(text) for text in logged) else None, span))
    return tuple(found)


def _mentions(path: str) -> re.Pattern[str]:
    """Return what finds a path in a line of any format, and not a longer path that begins like it."""
    return re.compile(re.escape(path).replace("/", r"\\?/") + r"(?![\w/.-])")


def _logged(connect: Connections, client: loki.Loki, query: str, expected: int) -> list[str]:
    """Wait for the lines of our own requests: what they do not show, the log does not hold for anybody."""
    waited = 0.0
    while True:
        now = connect.now().timestamp()
        lines = [line.text for line in client.lines(query, now - 120, now + 120, limit=50)]
        if len(lines) >= expected or waited >= min(connect.limits.logs_round_trip_s, CONTROL_WAIT_S):
            return lines
        connect.sleep(0.3)
        waited += 0.3
