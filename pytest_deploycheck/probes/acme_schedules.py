"""What runs renewers on a server: timers, tables of cron, processes and containers that stay. Parsing only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.probes.acme_facts import Schedule
from pytest_deploycheck.probes.host_parse import section, words

if TYPE_CHECKING:
    from pytest_deploycheck.probes.host_facts import ServerFacts, UnitState

_TIMERS = (
    ("certbot", r"^(snap\.)?(certbot|letsencrypt)[\w.-]*\.timer$"),
    # NixOS names them by the domain; acme.sh's documentation has acme_letsencrypt.timer.
    ("acme.sh", r"^acme([_.-]?(sh|renew|letsencrypt)|@.*|-[\w-]+\.[\w.-]+)?\.timer$"),
    ("files", r"^(lego|dehydrated|simp_le)[\w.@-]*\.timer$"),
)
_COMMANDS = (
    ("certbot", r"\b(certbot|letsencrypt)\b"),
    ("acme.sh", r"\bacme(\.sh|[-_]tiny)"),
    ("files", r"\b(lego|dehydrated|simp_le)\b"),
)
_IMAGES = (
    *(("caddy", r"(^|[/:\s])caddy\b"), ("traefik", r"(^|[/:\s])traefik\b")),
    *(("certbot", r"(^|[/:\s-])certbot\b|/swag\b"), ("acme.sh", r"acme\.sh|acme-companion|proxy-acme")),
    *(("files", r"(^|[/:\s])(goacme/)?lego\b|dehydrated|proxy-manager"),),
)
_SYSTEMD_ONLY_WITHOUT = "/run/systemd/system"
"""A line of cron that tests for this folder does nothing where systemd runs: Debian's certbot has such a one."""


def schedules(
    server: ServerFacts, cron: str, containers: Any, log: tuple[str, bool | None]
) -> tuple[Schedule, ...]:
    """Return all that runs a renewer on a server.

    cron: lines of its tables.  containers: `docker inspect`.  log: when certbot last ran and whether that
    succeeded, by its own log, for runs that nothing else tells of.
    """
    found = []
    for unit in server.units or ():
        if renewer := _which(_TIMERS, unit.name):
            found.append(_timer(unit, renewer, server))
        elif unit.name in ("caddy.service", "traefik.service"):
            why_not = _why_not(unit)
            found.append(Schedule("process", unit.name, unit.name[:-8], not why_not, why_not, "", None))
    for line in cron.splitlines():
        skipped = line.lstrip().startswith("#") or (
            server.units is not None and _SYSTEMD_ONLY_WITHOUT in line
        )
        if not skipped and (renewer := _which(_COMMANDS, line)):
            at, succeeded = log if renewer == "certbot" else ("", None)
            found.append(Schedule("cron", "table", renewer, True, "", at, succeeded))
    for listener in server.listeners or ():
        if listener.process in ("caddy", "traefik"):
            found.append(Schedule("process", listener.process, listener.process, True, "", "", None))
    found += [
        Schedule("container", name, renewer, True, "", "", None) for name, renewer in _renewing(containers)
    ]
    return tuple(dict.fromkeys(found))


def _which(table: Sequence[tuple[str, str]], text: str) -> str:
    return next((renewer for renewer, pattern in table if re.search(pattern, text)), "")


def _why_not(unit: UnitState) -> str:
    if unit.active != "active":
        return f"it is {unit.active or 'not there'}"
    if unit.enabled not in ("enabled", "static", "generated", "enabled-runtime", "alias"):
        return f"it is {unit.enabled or 'not enabled'}, so that it ends with the next restart"
    return ""


def _timer(unit: UnitState, renewer: str, server: ServerFacts) -> Schedule:
    why_not = _why_not(unit)
    service = server.unit(unit.triggers.split()[0]) if unit.triggers.split() else None
    succeeded = None
    if service is not None and service.ended_at:
        succeeded = service.result == "success" and not service.status
    last = unit.last_trigger_at or (service.started_at if service else "")
    return Schedule("timer", unit.name, renewer, not why_not, why_not, last, succeeded)


def _renewing(containers: Any) -> Iterator[tuple[str, str]]:
    for entry in containers if isinstance(containers, list) else []:
        config = section(entry, "Config")
        program = [str(config.get("Image", "")), *words(config.get("Entrypoint")), *words(config.get("Cmd"))]
        renewer = _which(_IMAGES, " ".join(program))
        if renewer and section(entry, "State").get("Running") is True:
            yield str(entry.get("Name", "")).lstrip("/"), renewer
