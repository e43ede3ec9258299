"""How servers are kept up to date: what is set to happen by itself, when it last did, and what is still to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import Dead, Reads, probe
from pytest_deploycheck.probes.host_parse import since_epoch

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

OS = "cat /etc/os-release"
APT_SETTINGS = "apt-config dump"
APT_PENDING = "apt-get -s -o Debug::NoLocking=true dist-upgrade"
APT_RAN = "stat --format=%Y /var/lib/apt/periodic/unattended-upgrades-stamp"
APT_LISTS = "stat --format=%Y /var/lib/apt/periodic/update-success-stamp"
DNF_PENDING = "dnf -C -q updateinfo list --security"
DNF_SETTINGS = "cat /etc/dnf/automatic.conf"
TIMERS = (
    "systemctl show --no-pager --property=Id,LoadState,ActiveState,UnitFileState,Result,ExecMainExitTimestamp "
    "apt-daily-upgrade.timer apt-daily-upgrade.service dnf-automatic.timer dnf-automatic.service "
    "dnf-automatic-install.timer dnf-automatic-install.service"
)
RESTART_WANTED = "stat --format=%Y /run/reboot-required"
RESTART_PACKAGES = "cat /run/reboot-required.pkgs"
DNF_RESTART = "needs-restarting -r"
INSTALLED = "stat --format=%Y /var/lib/dpkg/status"
INSTALLED_RPM = "stat --format=%Y /var/lib/rpm/rpmdb.sqlite"
ALL = (
    *(OS, APT_SETTINGS, APT_PENDING, APT_RAN, APT_LISTS, DNF_PENDING, DNF_SETTINGS, TIMERS),
    *(RESTART_WANTED, RESTART_PACKAGES, DNF_RESTART, INSTALLED, INSTALLED_RPM),
)
_INST = re.compile(r"^Inst (\S+) (?:\[([^\]]*)\] )?\((\S+) ([^)]*)\)")
_SECURITY = re.compile(r"security|esm-(?:infra|apps)|/updates", re.IGNORECASE)
_ADVISORY = re.compile(r"^(\S+)\s+(?:\S*\s+)?(\S+/Sec\.|security)\s+(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class ServerUpdates:
    """One server; times are UTC ISO 8601, None where they could not be read.

    manager: "apt", "dnf", or empty where neither answers.  automatic: updates are installed by themselves; None
    unknown.  why: what says so.  succeeded_at: when that last worked.  looked_at: when the lists were last fetched.
    security: packages with a security update that waits; None where that could not be asked.  restart_since: since
    when a restart is due, empty when none is, None where the system keeps no such note.  installed_at: when a package
    was last installed.
    """

    uri: str
    manager: str
    automatic: bool | None
    why: str
    succeeded_at: str | None
    looked_at: str | None
    security: tuple[str, ...] | None
    restart_since: str | None
    restart_for: tuple[str, ...]
    installed_at: str | None


@dataclass(frozen=True)
class UpdatesFacts:
    """All servers.  way: "image" where servers are replaced instead of patched."""

    way: str
    servers: tuple[ServerUpdates, ...]


def reads(target: Target) -> Reads:
    """Return what is read on every server."""
    return Reads(every=ALL)


@probe(facts=UpdatesFacts, deadline=20, needs=("ssh_gate",), uses={"host": "read"}, reads=reads)
def updates(target: Target, connect: Connections) -> UpdatesFacts:
    """Read what is set to be updated by itself, when that last worked, and what waits."""
    servers = connect.servers()
    dead = connect.dead_servers()
    if not servers:
        raise Dead("ssh", next(iter(dead.values()), "no server runs a command"))
    said = target.maintenance.packages
    return UpdatesFacts(said, tuple(_server(connect, uri, said) for uri in servers if uri not in dead))


def _server(connect: Connections, uri: str, said: str) -> ServerUpdates:
    def text(command: str) -> str | None:
        done = connect.read(command, uri)
        return done.stdout if done.status == 0 else None

    def time_of(command: str) -> str | None:
        found = (text(command) or "").strip()
        return since_epoch(found) if found.isdigit() else None

    settings = text(APT_SETTINGS)
    manager = (
        said
        if said in ("apt", "dnf")
        else "apt"
        if settings is not None
        else "dnf"
        if _dnf(connect, uri)
        else ""
    )
    units = unit_states(text(TIMERS) or "")
    restart, note = time_of(RESTART_WANTED), connect.read(DNF_RESTART, uri)
    common = {
        "uri": uri,
        "manager": manager,
        "installed_at": time_of(INSTALLED) or time_of(INSTALLED_RPM),
        "restart_for": tuple((text(RESTART_PACKAGES) or "").split()[:20]),
    }
    if manager == "apt":
        automatic, why = apt_automatic(settings or "", units)
        waiting = text(APT_PENDING)
        return ServerUpdates(
            **common,  # type: ignore[arg-type]
            automatic=automatic if settings is not None else None,
            why=why,
            succeeded_at=time_of(APT_RAN) or last_success(units, "apt-daily-upgrade.service"),
            looked_at=time_of(APT_LISTS),
            security=None if waiting is None else apt_security(waiting),
            restart_since=restart or "",
        )
    automatic, why = dnf_automatic(text(DNF_SETTINGS) or "", units)
    waiting = text(DNF_PENDING)
    return ServerUpdates(
        **common,  # type: ignore[arg-type]
        automatic=automatic if manager else None,
        why=why,
        succeeded_at=last_success(units, "dnf-automatic.service")
        or last_success(units, "dnf-automatic-install.service"),
        looked_at=None,
        security=None if waiting is None else dnf_security(waiting),
        restart_since="" if note.status == 0 and "not" in note.stdout.lower() else None,
    )


def _dnf(connect: Connections, uri: str) -> bool:
    return connect.read(DNF_PENDING, uri).status == 0 or connect.read(DNF_SETTINGS, uri).status == 0


def unit_states(text: str) -> dict[str, dict[str, str]]:
    """Return the properties of units by their names, from `systemctl show`."""
    found = {}
    for block in re.split(r"\n\s*\n", text):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("LoadState") == "loaded":
            found[values.get("Id", "")] = values
    return found


def last_success(units: dict[str, dict[str, str]], name: str) -> str | None:
    """Return when a service last ended well, as UTC ISO 8601."""
    from pytest_deploycheck.probes.host_parse import moment

    values = units.get(name, {})
    if values.get("Result") != "success":
        return None
    return moment(values.get("ExecMainExitTimestamp", "")) or None


def apt_automatic(settings: str, units: dict[str, dict[str, str]]) -> tuple[bool, str]:
    """Whether apt installs updates by itself, and what says so: its settings and the timer that acts on them."""
    values = dict(re.findall(r'^(APT::Periodic::[\w-]+) "([^"]*)";', settings, re.MULTILINE))
    wanted = values.get("APT::Periodic::Unattended-Upgrade", "0")
    if wanted in ("", "0"):
        return False, "APT::Periodic::Unattended-Upgrade is 0 or not set"
    if values.get("APT::Periodic::Update-Package-Lists", "0") in ("", "0"):
        return False, "APT::Periodic::Update-Package-Lists is 0 or not set, so that no update is ever seen"
    if values.get("APT::Periodic::Enable", "1") == "0":
        return False, "APT::Periodic::Enable is 0"
    if not re.search(
        r'^Unattended-Upgrade::(?:Origins-Pattern|Allowed-Origins):: ".*(?:security|\b(?:o|origin)=\*)',
        settings,
        re.MULTILINE | re.IGNORECASE,
    ):
        return False, "Unattended-Upgrade allows no origin of security updates"
    timer = units.get("apt-daily-upgrade.timer")
    if units and (timer is None or timer.get("ActiveState") != "active"):
        return False, "apt-daily-upgrade.timer is not active"
    return True, "unattended-upgrades"


def dnf_automatic(settings: str, units: dict[str, dict[str, str]]) -> tuple[bool, str]:
    """Whether dnf installs updates by itself, and what says so."""
    for name in ("dnf-automatic-install.timer", "dnf-automatic.timer"):
        if units.get(name, {}).get("ActiveState") == "active":
            applies = name.startswith("dnf-automatic-install") or re.search(
                r"^\s*apply_updates\s*=\s*(?:yes|true|1)", settings, re.MULTILINE | re.IGNORECASE
            )
            return bool(applies), name if applies else f"{name} only downloads: apply_updates is not yes"
    return False, "neither dnf-automatic.timer nor dnf-automatic-install.timer is active"


def apt_security(text: str) -> tuple[str, ...]:
    """Return the packages that `apt-get -s dist-upgrade` would take from an archive of security updates."""
    found = (_INST.match(line) for line in text.splitlines())
    return tuple(
        one[1] for one in found if one is not None and one[2] is not None and _SECURITY.search(one[4])
    )


def dnf_security(text: str) -> tuple[str, ...]:
    """Return the packages that `dnf updateinfo list --security` names."""
    found = (_ADVISORY.match(line) for line in text.splitlines())
    return tuple(dict.fromkeys(one[3] for one in found if one is not None))
