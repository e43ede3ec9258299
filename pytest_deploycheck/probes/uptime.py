"""The uptime probe: who looks at the product from outside, at what, how often, and whom it would tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import loki, promql
from pytest_deploycheck.target import Target
from pytest_deploycheck.target.model import UptimeSection
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.verdict import Reason

_KUMA = re.compile(r"^(\w+)\{(.*)\}\s+([-+.\dNaInf]+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Monitor:
    """One monitor of one address.

    active: it is neither paused nor in maintenance.  up: its last check succeeded.  interval_s, age_s: None
    when the monitor does not say.  checks_content: it looks at more than the status.  watches_cert: it knows
    when the certificate ends.  external: it does not run on the host that it watches.
    """

    url: str
    active: bool
    up: bool
    interval_s: float | None
    age_s: float | None
    checks_content: bool
    watches_cert: bool
    external: bool


@dataclass(frozen=True)
class UptimeFacts:
    """All monitors of the required addresses.

    contacts: channels that are told, as the target file or the monitor says.  seen_in_log: visits of the
    monitor's user agent in the edge's log within the last intervals, None where no log can be asked.
    """

    required: tuple[str, ...]
    monitors: tuple[Monitor, ...]
    contacts: int
    seen_in_log: int | None


@probe(facts=UptimeFacts, deadline=20, uses={"uptime": "GET", "prometheus": "GET", "logs": "GET"})
def uptime(target: Target, connect: Connections) -> UptimeFacts:
    """Ask the monitor for its checks, and the edge's log whether they really arrive."""
    section = target.uptime
    if section is None:
        raise CannotLook(Reason.NO_CONFIG, f"no [uptime] in {target.path.name}; add kind, url and urls")
    monitors = _blackbox(target, connect, section) if section.kind == "blackbox" else _kuma(connect, section)
    return UptimeFacts(
        required=tuple(section.urls),
        monitors=monitors,
        contacts=section.contacts,
        seen_in_log=_visits(target, connect, section, monitors),
    )


def _blackbox(target: Target, connect: Connections, section: UptimeSection) -> tuple[Monitor, ...]:
    """Read a blackbox exporter's series out of the Prometheus at `uptime.url`."""
    token = connect.secret(section.token) if section.token is not None else ""
    prom = promql.PromQL(connect.http("uptime", bearer=token))
    now = prom.now()
    intervals = {}
    ages = {}
    for entry in prom.get("targets", state="active").get("activeTargets", ()):
        instance = str(entry.get("labels", {}).get("instance", ""))
        intervals[instance] = promql.seconds(str(entry.get("scrapeInterval", "")))
        last = promql.moment(entry.get("lastScrape"))
        ages[instance] = round(now - last, 2) if last else None
    certs = {sample.label("instance") for sample in prom.instant("probe_ssl_earliest_cert_expiry")}
    bodies = {
        sample.label("instance")
        for name in ("probe_failed_due_to_regex", "probe_http_content_length")
        for sample in prom.instant(name)
    }
    host = urlsplit(target.target.base_url).hostname or ""
    found = []
    for sample in prom.instant("probe_success"):
        instance = sample.label("instance")
        places = [value for name, value in sample.labels if name not in ("instance", "__name__", "job")]
        outside = bool(section.instance) and section.instance in places and section.instance != host
        found.append(
            Monitor(
                url=instance,
                # A series outlives its target by Prometheus's look-back of five minutes.
                active=instance in intervals,
                up=sample.value == 1,
                interval_s=intervals.get(instance),
                age_s=ages.get(instance),
                checks_content=instance in bodies,
                watches_cert=instance in certs,
                external=outside,
            )
        )
    return tuple(found)


def _kuma(connect: Connections, section: UptimeSection) -> tuple[Monitor, ...]:
    """Read Uptime Kuma's /metrics; 1 is up, 0 down, 2 pending, 3 maintenance."""
    headers = {}
    if section.token is not None:
        import base64

        pair = base64.b64encode(f":{connect.secret(section.token)}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
    answer = connect.http("uptime").get("/metrics", headers=headers)
    if answer.status != 200:
        raise CannotLook(
            Reason.NO_ACCESS, f"{section.url}/metrics answers {answer.status}; give uptime.token"
        )
    rows = [
        (name, dict(_LABEL.findall(labels)), float(value))
        for name, labels, value in _KUMA.findall(answer.text)
    ]
    certs = {labels.get("monitor_name") for name, labels, _ in rows if name == "monitor_cert_days_remaining"}
    host = urlsplit(section.url).hostname
    return tuple(
        Monitor(
            url=labels.get("monitor_url", ""),
            active=value in (0, 1),
            up=value == 1,
            interval_s=None,
            age_s=None,
            checks_content=labels.get("monitor_type") in ("keyword", "json-query"),
            watches_cert=labels.get("monitor_name") in certs,
            external=urlsplit(labels.get("monitor_url", "")).hostname != host,
        )
        for name, labels, value in rows
        if name == "monitor_status"
    )


def _visits(
    target: Target, connect: Connections, section: UptimeSection, monitors: tuple[Monitor, ...]
) -> int | None:
    """Count the monitor's visits in the log of the edge; None where no log can be asked."""
    if target.logs is None or not target.logs.round_trip_service:
        return None
    longest = max((monitor.interval_s or 60.0 for monitor in monitors), default=60.0)
    span = max(2 * longest, 30.0)
    now = connect.now().timestamp()
    pattern = "|".join(section.agent_patterns).replace("`", "")
    try:
        client = loki.client(target, connect)
        query = f"{client.selector(target.logs.round_trip_service)} |~ `(?i){pattern}`"
        return len(client.lines(query, now - span, now + 5, limit=100))
    except (Dead, CannotLook):
        return None
