"""Pre-Deployment Checklist, Infrastructure Setup: what the servers are made of, item 1 of the default checklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.host_facts import FileSystem, HostFacts, ServerFacts

CAPACITY = (
    "pre_deploy.infrastructure.capacity",
    "Server provisioned with adequate resources (4GB+ RAM, 2+ CPU cores, 50GB+ disk)",
)
GB = 1e9


@pytest.mark.checklist(CAPACITY[0], text=CAPACITY[1])
def test_capacity(host_facts: HostFacts, limits: Limits) -> None:
    """Every server has the memory and the processors, as much of them as programs there may use.

    A plan of 4 GB shows less, since firmware and kernel keep a part; a control group or a CPU set may leave
    programs less than the machine has.
    """
    assert host_facts.servers, "no server was looked at"
    for server in host_facts.servers:
        memory = _known(server.mem_total_bytes, server, "memory", "/proc/meminfo")
        assert memory >= limits.host_min_mem_bytes, (
            f"{server.uri} has {memory / GB:.2f} GB of memory, {limits.host_min_mem_bytes / GB:.2f} GB are asked for"
        )
        cpus = _known(server.cpus, server, "processors", "/proc/stat")
        assert cpus >= limits.host_min_cpus, (
            f"{server.uri} lets programs use {cpus:g} CPU cores, {limits.host_min_cpus:g} are asked for"
        )


@pytest.mark.checklist(CAPACITY[0], text=CAPACITY[1])
def test_capacity_of_disks(host_facts: HostFacts, limits: Limits) -> None:
    """The file systems that hold data are large enough, and they and the system's have bytes and inodes left.

    What holds data: the container engine's folder, databases' folders, and `host.data_dirs`; the system's
    own file system where nothing else is known to hold any.
    """
    assert host_facts.servers, "no server was looked at"
    for server in host_facts.servers:
        if not server.filesystems:
            unproven(Reason.UNPARSEABLE, f"{server.uri}: df tells of no file system; is coreutils installed?")
        for disk in _with_data(server):
            assert disk.size_bytes >= limits.host_min_disk_bytes, (
                f"{server.uri}: {_named(disk)} has {disk.size_bytes / GB:.1f} GB, "
                f"{limits.host_min_disk_bytes / GB:.1f} GB are asked for"
            )
        for disk in server.filesystems:
            share = disk.available_bytes / disk.size_bytes if disk.size_bytes else 0.0
            assert share >= limits.host_min_free, (
                f"{server.uri}: {_named(disk)} has {share:.1%} of its bytes free"
            )
            if disk.inodes:
                left = (disk.inodes_available or 0) / disk.inodes
                assert left >= limits.host_min_free, (
                    f"{server.uri}: {_named(disk)} has {left:.1%} of its inodes free"
                )


@pytest.mark.checklist(CAPACITY[0], text=CAPACITY[1])
def test_all_data_was_found(host_facts: HostFacts) -> None:
    """No place with data was left out: for its name, or because we may not ask where it is."""
    for server in host_facts.servers:
        if server.engine_denied:
            unproven(
                Reason.NO_ACCESS,
                f"{server.uri}: {server.user} may not ask the container engine where it keeps its data; set host.sudo",
            )
        if server.unread_paths:
            unproven(
                Reason.NOT_ALLOWED,
                f"{server.uri}: {', '.join(map(repr, server.unread_paths))} cannot be asked about: letters, digits and "
                "./@+-_ only; name a folder above it in host.data_dirs",
            )
    assert host_facts.servers, "no server was looked at"


@pytest.mark.checklist(CAPACITY[0], text=CAPACITY[1])
def test_declared_data_is_somewhere(host_facts: HostFacts) -> None:
    """Each folder that `host.data_dirs` declares is on a server, so that its file system was judged."""
    assert host_facts.servers, "no server was looked at"
    seen = {disk.path for server in host_facts.servers for disk in server.filesystems}
    missing = [path for path in host_facts.data_dirs if path not in seen]
    assert not missing, f"host.data_dirs: {', '.join(missing)} is on no server"


@pytest.mark.checklist(CAPACITY[0], text=CAPACITY[1])
def test_capacity_is_not_taken_away(host_facts: HostFacts, limits: Limits) -> None:
    """The machines under the servers give them the processor time that they are due.

    What counts is the time during the look; the share since boot, months perhaps, is shown beside it.
    """
    assert host_facts.servers, "no server was looked at"
    for server in host_facts.servers:
        steal = _known(server.steal, server, "stolen processor time", "/proc/stat")
        assert steal <= limits.host_steal_max, (
            f"{server.uri}: other guests took {steal:.1%} of the processor time within "
            f"{server.steal_window_s:g} s ({server.steal_since_boot or 0:.1%} since boot)"
        )


@pytest.mark.checklist(CAPACITY[0], text=CAPACITY[1])
def test_capacity_is_not_promised_twice(host_facts: HostFacts, limits: Limits) -> None:
    """The memory that running containers may take is there."""
    assert host_facts.servers, "no server was looked at"
    for server in host_facts.servers:
        promised = server.containers_mem_limit_bytes
        if promised is None:
            continue  # no container engine there, or none that we may ask: the engine's own item says so
        memory = _known(server.mem_total_bytes, server, "memory", "/proc/meminfo")
        assert promised / memory <= limits.host_containers_mem_max, (
            f"{server.uri}: containers may take {promised / GB:.2f} GB together, there are {memory / GB:.2f} GB"
        )


@pytest.mark.checklist(CAPACITY[0], text=CAPACITY[1])
def test_every_server_was_looked_at(host_facts: HostFacts) -> None:
    """No server of `host.more` is left out."""
    if host_facts.unreachable:
        unproven(Reason.NO_ACCESS, "; ".join(one.why for one in host_facts.unreachable))
    assert len(host_facts.servers) == host_facts.declared, (
        f"{len(host_facts.servers)} of {host_facts.declared} servers were looked at"
    )


def _known(value: float | None, server: ServerFacts, what: str, where: str) -> float:
    if value is None:
        unproven(Reason.UNPARSEABLE, f"{server.uri} tells of no {what} in {where}")
    return value


def _with_data(server: ServerFacts) -> list[FileSystem]:
    data = [disk for disk in server.filesystems if disk.holds != "system"]
    return data or list(server.filesystems)


def _named(disk: FileSystem) -> str:
    return f"the file system of {disk.path} ({disk.holds}, {disk.device} on {disk.mount})"
