"""Probe `host`: what each server is made of, in one look and a second, later one.

The first look is part of the batch that the gate of the server fetches. The second one, over the same
connection, asks about what only the first could name (where the container engine keeps its data) and reads the
processors' counters again: the difference is the share that other guests took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import Dead, Reads, probe
from pytest_deploycheck.probes import docker_engine
from pytest_deploycheck.probes import host_parse as parse
from pytest_deploycheck.probes.docker import CONTAINERS
from pytest_deploycheck.probes.host_facts import (
    HostFacts,
    Listener,
    OperatingSystem,
    ServerFacts,
    Unreachable,
)

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

STAT = "cat /proc/stat /proc/uptime"
STAT_LATER = "cat /proc/uptime /proc/stat"
MEMORY = "cat /proc/meminfo"
MEMORY_LIMIT = "cat /sys/fs/cgroup/memory.max"
MEMORY_LIMIT_V1 = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
CPUS = "nproc"
CPU_QUOTA = "cat /sys/fs/cgroup/cpu.max"
CPU_QUOTA_V1 = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us"
LOAD = "cat /proc/loadavg"
OS = "cat /etc/os-release"
NAME = "uname -n"
USER = "id -un"
LISTENERS = "ss -H -ltunp"
LISTENERS_OLD = "netstat -ltunp"
INIT = "cat /proc/1/comm"
NAMED_UNITS = (
    *("docker.service", "podman.service", "ssh.service", "sshd.service", "cron.service", "crond.service"),
    *("nginx.service", "caddy.service", "haproxy.service", "apache2.service", "httpd.service"),
    *("nftables.service", "iptables.service", "netfilter-persistent.service", "ufw.service"),
    *("firewalld.service", "fail2ban.service", "unattended-upgrades.service", "apt-daily-upgrade.timer"),
    *("certbot.timer", "certbot.service", "certbot-renew.timer", "certbot-renew.service"),
    *("snap.certbot.renew.timer", "snap.certbot.renew.service", "acme.timer", "lego.timer"),
    *("systemd-timesyncd.service", "chrony.service", "chronyd.service", "ntp.service"),
)
"""Units that are told of even when they are not loaded, such as a timer that is disabled."""
_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,Triggers,TriggeredBy,LastTriggerUSec,"
    "NextElapseUSecRealtime,ExecMainStartTimestamp,ExecMainExitTimestamp"
)
UNITS = f"systemctl show --no-pager --property={_PROPERTIES} '*.timer' '*.service' {' '.join(NAMED_UNITS)}"
CLOCK = "date +%s%N"
SYNCHRONIZED = "timedatectl show -p NTPSynchronized"
SSHD = "sshd -T"
REBOOT = "stat --format=%Y /run/reboot-required"
FIRST = (
    *(STAT, MEMORY, MEMORY_LIMIT, MEMORY_LIMIT_V1, CPUS, CPU_QUOTA, CPU_QUOTA_V1, LOAD, OS, NAME, USER),
    *(LISTENERS, INIT, UNITS, SYNCHRONIZED, SSHD, REBOOT, docker_engine.INFO, CONTAINERS),
)
_USUAL_ENGINE_ROOT = "/var/lib/docker"
_POSTGRES_FOLDERS = ("/var/lib/postgresql", "/var/lib/pgsql")
DISKS = "df -B1 --output=file,source,fstype,size,avail,itotal,iavail,target"


def reads(target: Target) -> Reads:
    """Return what the first look reads on every server."""
    return Reads(every=FIRST)


@probe(facts=HostFacts, deadline=40, needs=("ssh_gate",), uses={"host": "read"}, reads=reads)
def host(target: Target, connect: Connections, limits: Limits) -> HostFacts:
    """Read size, load, disks, listeners, units and settings of every server."""
    dead_before = connect.dead_servers()
    looks = {uri: _First(uri, connect) for uri in connect.servers()}
    paths = {uri: look.paths(target) for uri, look in looks.items()}
    read_at = max((look.stat_at for look in looks.values()), default=0.0)
    connect.sleep(max(0.0, read_at + limits.host_steal_window_s - connect.now().timestamp()))
    connect.fetch({uri: look.later(paths[uri]) for uri, look in looks.items()})
    dead = connect.dead_servers()
    if (main := next(iter(looks), "")) in dead:
        raise Dead("ssh", dead[main])
    seen = tuple(look.facts(paths[uri]) for uri, look in looks.items() if uri not in dead)
    unreachable = tuple(Unreachable(uri, why) for uri, why in dead.items())
    data_dirs = tuple(target.host.data_dirs) if target.host else ()
    return HostFacts(seen, unreachable, len(looks) + len(dead_before), data_dirs)


class _First:
    """One server's first look, and what follows from it."""

    def __init__(self, uri: str, connect: Connections) -> None:
        self._uri = uri
        self._connect = connect
        self.stat_at = connect.read(STAT, uri).received_at
        self._engine_root = parse.engine_root(parse.documents(self._text(docker_engine.INFO)))
        answer = connect.read(docker_engine.INFO, uri)
        self._installed = answer.status != 127
        self._denied = (
            not self._engine_root and "permission denied" in (answer.stdout + answer.stderr).lower()
        )
        self._containers = parse.containers(parse.documents(self._text(CONTAINERS)))
        self._listeners = self._waiting(LISTENERS, "") if self._works(LISTENERS) else None

    def _text(self, command: str) -> str:
        done = self._connect.read(command, self._uri)
        return done.stdout

    def _works(self, command: str) -> bool:
        return self._connect.read(command, self._uri).status == 0

    def _waiting(self, ss: str, netstat: str) -> tuple[Listener, ...]:
        return parse.listeners(self._text(ss) if ss else "", self._text(netstat) if netstat else "")

    def paths(self, target: Target) -> dict[str, str]:
        """Return the paths whose file systems matter here, each with what it holds."""
        section = target.host
        found = {"/": "system"}
        if self._engine_root or self._installed:
            found[self._engine_root or _USUAL_ENGINE_ROOT] = "containers"
        found |= dict.fromkeys(self._containers[2] if self._containers else (), "database")
        if any(one.process == "postgres" or one.port == 5432 for one in self._listeners or ()):
            found |= dict.fromkeys(_POSTGRES_FOLDERS, "database")
        return found | dict.fromkeys(section.data_dirs if section else (), "data")

    def _asked(self, paths: dict[str, str]) -> str:
        return " ".join(path for path in paths if parse.plain_path(path))

    def later(self, paths: dict[str, str]) -> list[str]:
        """Return what the second look reads here."""
        asked = self._asked(paths)
        commands = [STAT_LATER, CLOCK, f"{DISKS} {asked}", f"df -kP {asked}"]
        return commands if self._listeners is not None else [*commands, LISTENERS_OLD]

    def facts(self, paths: dict[str, str]) -> ServerFacts:
        """Return all that was seen."""
        memory = parse.memory(self._text(MEMORY))
        steal, window_s, since_boot = self._steal()
        skew_s, within_s = self._skew()
        asked = self._asked(paths)
        holds = {path: why for path, why in paths.items() if parse.plain_path(path)}
        return ServerFacts(
            uri=self._uri,
            user=self._text(USER).strip(),
            hostname=self._text(NAME).strip(),
            mem_total_bytes=self._least_memory(memory.get("MemTotal")),
            mem_available_bytes=memory.get("MemAvailable"),
            swap_total_bytes=memory.get("SwapTotal"),
            cpus=self._cpus(),
            load5=parse.number(" ".join(self._text(LOAD).split()[1:2])),
            steal=steal,
            steal_window_s=window_s,
            steal_since_boot=since_boot,
            boot_at=self._boot(),
            filesystems=parse.filesystems(
                self._text(f"{DISKS} {asked}"), self._text(f"df -kP {asked}"), holds
            ),
            unread_paths=tuple(path for path in paths if path not in holds),
            docker_root=self._engine_root,
            engine_denied=self._denied,
            containers_mem_limit_bytes=self._containers[0] if self._containers else None,
            containers_without_mem_limit=self._containers[1] if self._containers else None,
            os=(system := parse.os_release(self._text(OS))),
            clock_skew_s=skew_s,
            clock_skew_within_s=within_s,
            ntp_synchronized=self._synchronized(),
            listeners=self._listeners if self._listeners is not None else self._older_listeners(),
            units=parse.units(self._text(UNITS), NAMED_UNITS) if self._works(UNITS) else None,
            sshd=parse.settings(self._text(SSHD)) if self._works(SSHD) else None,
            reboot_required_since=self._reboot(system),
        )

    def _older_listeners(self) -> tuple[Listener, ...] | None:
        return self._waiting("", LISTENERS_OLD) if self._works(LISTENERS_OLD) else None

    def _least_memory(self, total: int | None) -> int | None:
        """Return the machine's memory, or less where a control group allows no more."""
        limits = (parse.integer(self._text(command)) for command in (MEMORY_LIMIT, MEMORY_LIMIT_V1))
        return min(total, *(limit for limit in limits if limit), total) if total else None

    def _cpus(self) -> float | None:
        ticks = parse.cpu_ticks(self._text(STAT))
        allowed = parse.quota(self._text(CPU_QUOTA), self._text(CPU_QUOTA_V1))
        known = [float(ticks[2]) if ticks else None, parse.number(self._text(CPUS)), allowed]
        found = [value for value in known if value is not None]
        return min(found) if found else None

    def _steal(self) -> tuple[float | None, float, float | None]:
        """Return the stolen share between the looks, how long that was, and the share since boot."""
        before, after = (parse.cpu_ticks(self._text(command)) for command in (STAT, STAT_LATER))
        since_boot = before[1] / before[0] if before and before[0] else None
        if before is None or after is None or after[0] <= before[0]:
            return None, 0.0, since_boot
        window_s = self._connect.read(STAT_LATER, self._uri).received_at - self.stat_at
        return (after[1] - before[1]) / (after[0] - before[0]), round(window_s, 1), since_boot

    def _skew(self) -> tuple[float | None, float]:
        """Return the server's clock less ours, and to within how much: half the second look's duration."""
        done = self._connect.read(CLOCK, self._uri)
        ticks = parse.integer(done.stdout) or parse.integer(done.stdout.strip().removesuffix("N"))
        if ticks is None:
            return None, 0.0
        there = ticks / 1e9 if ticks > 1e15 else ticks + 0.5  # an older date prints seconds only
        here = (done.sent_at + done.received_at) / 2
        return round(there - here, 3), round((done.received_at - done.sent_at) / 2, 3)

    def _boot(self) -> str:
        uptime = parse.number(" ".join(self._text(STAT_LATER).split()[:1]))
        now = self._connect.read(STAT_LATER, self._uri).received_at
        return parse.since_epoch(now - uptime) if uptime else ""

    def _synchronized(self) -> bool | None:
        answer: Any = dict(line.split("=", 1) for line in self._text(SYNCHRONIZED).split() if "=" in line)
        return {"yes": True, "no": False}.get(answer.get("NTPSynchronized", ""))

    def _reboot(self, system: OperatingSystem | None) -> str | None:
        """Return since when a restart is due; only Debian and what is made of it leave that note."""
        if self._works(REBOOT):
            return parse.since_epoch(self._text(REBOOT))
        return "" if system and system.id in ("debian", "ubuntu") else None
