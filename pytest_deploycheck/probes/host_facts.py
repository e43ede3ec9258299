"""What the probe `host` saw of each server; other probes and checks read it as `host_facts`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileSystem:
    """The file system that holds a path.

    path: what was asked for.  holds: why it matters: "system", "containers", "database" or "data" (declared).
    inodes, inodes_available: None where the file system makes them as needed.
    """

    path: str
    holds: str
    mount: str
    device: str
    type: str
    size_bytes: int
    available_bytes: int
    inodes: int | None
    inodes_available: int | None


@dataclass(frozen=True)
class Listener:
    """A socket that waits for others: proto is tcp or udp, process empty where we may not see it.

    address: as `ss` shows it without brackets and interface; "*" and "::" are every address.
    """

    proto: str
    address: str
    port: int
    process: str

    @property
    def loopback(self) -> bool:
        """Whether only the server itself can reach it."""
        return self.address.startswith("127.") or self.address in ("::1", "::ffff:127.0.0.1")


@dataclass(frozen=True)
class UnitState:
    """A unit of systemd, in its own words; times are UTC in ISO 8601, empty when never or not told.

    enabled: UnitFileState ("enabled", "disabled", "static", …).  result: of its last run ("success", "exit-code").
    status: exit status of the last run, None without one.  triggers: what a timer or socket starts.
    last_trigger_at, next_at: of a timer.  started_at, ended_at: of a service's last main process.
    """

    name: str
    load: str
    active: str
    sub: str
    enabled: str
    result: str
    status: int | None = None
    triggers: str = ""
    last_trigger_at: str = ""
    next_at: str = ""
    started_at: str = ""
    ended_at: str = ""


@dataclass(frozen=True)
class OperatingSystem:
    """id and version of /etc/os-release; eol_on: last day of free security updates (ISO), empty if unknown."""

    id: str
    version: str
    name: str
    eol_on: str


@dataclass(frozen=True)
class ServerFacts:
    """One server that runs commands; None stands for what could not be read there.

    uri: its testinfra address.  mem_total_bytes: the smaller of the machine's and the control group's.
    cpus: cores that programs may use: online, by the CPU set, and by the control group's quota.
    steal: share of processor time that other guests took during `steal_window_s`; steal_since_boot: likewise.
    unread_paths: paths that hold data but have spaces or other signs in their names, so that they were not asked for.
    containers_mem_limit_bytes: sum of the memory limits of running containers; containers_without_mem_limit:
    how many have none.  docker_root: where the container engine keeps its data; engine_denied: there is one that we may not ask.  clock_skew_s: the server's clock
    less the runner's, known to within clock_skew_within_s.  ntp_synchronized: as timedatectl says.
    units: None where process 1 is not systemd.  sshd: effective settings by keyword in lower case, several values
    joined by spaces.  reboot_required_since: UTC, "" when none is, None where the system keeps no such note.
    """

    uri: str
    user: str
    hostname: str
    mem_total_bytes: int | None
    mem_available_bytes: int | None
    swap_total_bytes: int | None
    cpus: float | None
    load5: float | None
    steal: float | None
    steal_window_s: float
    steal_since_boot: float | None
    boot_at: str
    filesystems: tuple[FileSystem, ...]
    unread_paths: tuple[str, ...]
    docker_root: str
    engine_denied: bool
    containers_mem_limit_bytes: int | None
    containers_without_mem_limit: int | None
    os: OperatingSystem | None
    clock_skew_s: float | None
    clock_skew_within_s: float
    ntp_synchronized: bool | None
    listeners: tuple[Listener, ...] | None
    units: tuple[UnitState, ...] | None
    sshd: dict[str, str] | None
    reboot_required_since: str | None

    def unit(self, name: str) -> UnitState | None:
        """Return a unit by its whole name, None when systemd or the unit is not there."""
        found = (unit for unit in self.units or () if unit.name == name and unit.load != "not-found")
        return next(found, None)


@dataclass(frozen=True)
class Unreachable:
    """A server that runs no command, and what it said."""

    uri: str
    why: str


@dataclass(frozen=True)
class HostFacts:
    """The servers of the target, the main one first, and those that run no command.

    declared: how many the target file names.  data_dirs: what it says of where data is.
    """

    servers: tuple[ServerFacts, ...]
    unreachable: tuple[Unreachable, ...]
    declared: int
    data_dirs: tuple[str, ...]

    @property
    def main(self) -> ServerFacts:
        """The server that `host.uri` names; the probe's gate sees to it that it is there."""
        return self.servers[0]
