"""Monitors of the product's addresses, as a blackbox exporter's series or Uptime Kuma's metrics show them."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes import promql
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.promql import PromQL
    from pytest_deploycheck.target.monitoring import UptimeSection
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http

_KUMA = re.compile(r"^(\w+)\{(.*)\}\s+([-+.\deE]+)\s*$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_KUMA_CONTENT = ("keyword", "json-query")
KUMA_UP = 1  # 0 down, 2 pending, 3 maintenance
_SHOWN_LABELS = 12


@dataclass(frozen=True)
class Monitor:
    """One monitor of one address that is at work now; a paused one is none.

    up: its last check succeeded.  status: the HTTP status it saw, None when it does not tell.  interval_s,
    age_s: how often it looks and when it last did, None when it does not tell.  content: whether it looks at
    more than the status, None when its settings cannot be read.  trusts_anything: it accepts any
    certificate.  watches_cert: it knows when the certificate ends.  place: where it says that it runs.
    external: that is another machine than the one it watches, None when nobody can tell.
    """

    url: str
    up: bool
    status: int | None
    interval_s: float | None
    age_s: float | None
    content: bool | None
    trusts_anything: bool
    watches_cert: bool
    place: str
    external: bool | None


def plain(url: str) -> str:
    """Return an address in one spelling: lower-case host, no default port, no slash at the end."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = f":{parts.port}" if parts.port and parts.port != default else ""
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{(parts.hostname or '').lower()}{port}{parts.path.rstrip('/')}{query}"


def blackbox(prom: PromQL, exporter: Http | None, section: UptimeSection) -> tuple[Monitor, ...]:
    """Return the probes that Prometheus sends through a blackbox exporter.

    What is watched stands in the scraped address; a series alone outlives its target by five minutes.
    """
    now = prom.now()
    modules = _modules(exporter) if exporter is not None else None
    values = {
        name: {(s.label("job"), s.label("instance")): s.value for s in prom.instant(name)}
        for name in ("probe_success", "probe_http_status_code", "probe_ssl_earliest_cert_expiry")
    }
    found = []
    for entry in prom.get("targets", state="active").get("activeTargets", ()):
        scraped = urlsplit(str(entry.get("scrapeUrl", "")))
        asked = parse_qs(scraped.query)
        labels = {str(name): str(value) for name, value in entry.get("labels", {}).items()}
        key = (labels.get("job", ""), labels.get("instance", ""))
        if "target" not in asked or key not in values["probe_success"]:
            continue
        url = asked["target"][0]
        settings = (modules or {}).get(asked.get("module", ["http_2xx"])[0], {})
        status = values["probe_http_status_code"].get(key)
        last = promql.moment(entry.get("lastScrape"))
        found.append(
            Monitor(
                url=url,
                up=values["probe_success"][key] == 1,
                status=int(status) if status is not None else None,
                interval_s=promql.seconds(str(entry.get("scrapeInterval", ""))) or None,
                age_s=round(now - last, 2) if last else None,
                content=_looks_at_content(settings) if modules is not None else None,
                trusts_anything=bool((settings.get("tls_config") or {}).get("insecure_skip_verify")),
                watches_cert=key in values["probe_ssl_earliest_cert_expiry"],
                place=section.instance or scraped.hostname or "",
                external=_external(section.instance, scraped.hostname or "", labels, url),
            )
        )
    return tuple(sorted(found, key=lambda monitor: monitor.url))


def _modules(exporter: Http) -> dict[str, dict[str, Any]]:
    """Return the http settings of each module, from the exporter's own /config."""
    try:
        import yaml
    except ImportError:
        raise CannotLook(
            Reason.NO_ACCESS, "PyYAML is not installed here; pip install 'pytest-deploycheck[monitoring]'"
        ) from None
    answer = exporter.get("/config")
    try:
        modules = (yaml.safe_load(answer.text) or {})["modules"]
        return {str(name): module.get("http") or {} for name, module in modules.items()}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        message = f"{exporter.shown}/config answers {answer.status} without modules"
        raise CannotLook(Reason.UNPARSEABLE, message) from None


def _looks_at_content(settings: Mapping[str, Any]) -> bool:
    return any(
        settings.get(name)
        for name in (
            "fail_if_body_not_matches_regexp",
            "fail_if_body_matches_regexp",
            "fail_if_body_json_not_matches_cel",
            "fail_if_body_json_matches_cel",
        )
    )


def _external(declared: str, host: str, labels: Mapping[str, str], url: str) -> bool | None:
    """Tell whether an exporter runs elsewhere: as declared if its address or a label says the same."""
    watched = urlsplit(url).hostname or ""
    if not declared:
        return elsewhere(host, watched)
    others = [value for name, value in labels.items() if name not in ("instance", "job")][:_SHOWN_LABELS]
    return declared in (host, *others) and declared != watched


def elsewhere(host: str, watched: str) -> bool | None:
    """Tell whether two names lead to different machines; None when one of them does not resolve here."""
    first, second = _addresses(host), _addresses(watched)
    if not first or not second:
        return None
    return not first & second and not any(address.startswith("127.") or address == "::1" for address in first)


def _addresses(host: str) -> frozenset[str]:
    try:
        return frozenset(str(entry[4][0]) for entry in socket.getaddrinfo(host, None))
    except OSError:
        return frozenset()


def kuma(connect: Connections, section: UptimeSection) -> tuple[Monitor, ...]:
    """Return Uptime Kuma's monitors from its /metrics, which asks for an API key as Basic password."""
    http = connect.http("uptime")
    headers = {}
    if section.token is not None:
        pair = base64.b64encode(f":{connect.secret(section.token)}".encode()).decode()
        connect.learn_secret(pair)
        headers = {"Authorization": f"Basic {pair}"}
    answer = http.get("/metrics", headers=headers)
    if answer.status != 200:
        message = f"{http.shown}/metrics answers {answer.status}; give an API key as uptime.token"
        raise CannotLook(Reason.NO_ACCESS, message)
    return parse_kuma(answer.text, urlsplit(section.url).hostname or "", section.instance)


def parse_kuma(text: str, host: str, declared: str) -> tuple[Monitor, ...]:
    """Read Kuma's metrics: what is paused is not among them, what is in maintenance counts as paused."""
    rows = [(name, dict(_LABEL.findall(labels)), float(value)) for name, labels, value in _KUMA.findall(text)]
    certs = {labels.get("monitor_name") for name, labels, _ in rows if name == "monitor_cert_days_remaining"}
    return tuple(
        Monitor(
            url=labels.get("monitor_url", ""),
            up=value == KUMA_UP,
            status=None,
            interval_s=None,
            age_s=None,
            content=labels.get("monitor_type") in _KUMA_CONTENT,
            trusts_anything=False,
            watches_cert=labels.get("monitor_name") in certs,
            place=declared or host,
            external=elsewhere(host, urlsplit(labels.get("monitor_url", "")).hostname or ""),
        )
        for name, labels, value in rows
        if name == "monitor_status" and value in (0, 1, 2)
    )
