"""Checks of the servers' capacity as functions of made-up facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits, Recorded
from pytest_deploycheck.probes.host_facts import FileSystem, HostFacts, ServerFacts, Unreachable
from tests.suites.checks import suite

SUITE = "pre_deploy/test_infrastructure.py"
GB = 10**9
ROOT = FileSystem("/", "system", "/", "/dev/vda1", "ext4", 80 * GB, 60 * GB, 1000, 900)
DOCKER = replace(ROOT, path="/var/lib/docker", holds="containers")
SERVER = ServerFacts(
    uri="ssh://a", user="root", hostname="a", mem_total_bytes=4_100_000_000, mem_available_bytes=2 * GB,
    swap_total_bytes=0, cpus=2.0, load5=0.1, steal=0.0, steal_window_s=5.0, steal_since_boot=0.001,
    boot_at="2026-01-01T00:00:00+00:00", filesystems=(ROOT, DOCKER), unread_paths=(), docker_root="/var/lib/docker", engine_denied=False,
    containers_mem_limit_bytes=3 * GB, containers_without_mem_limit=0, os=None, clock_skew_s=0.0,
    clock_skew_within_s=0.01, ntp_synchronized=True, listeners=(), units=None, sshd=None,
    reboot_required_since=None,
)  # fmt: skip
HEALTHY = HostFacts((SERVER,), (), 1, ())


def judge(facts: HostFacts) -> None:
    """Run every check of the file that the facts are for."""
    for name, function in suite(SUITE).items():
        wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
        if "host_facts" in wanted:
            values: dict[str, Any] = {"host_facts": facts, "limits": Recorded(Limits(), "test")}
            function(**{key: values[key] for key in wanted})
        assert name.startswith("test_")


def server(**changes: Any) -> HostFacts:
    """Return healthy facts of one server with some changed."""
    return replace(HEALTHY, servers=(replace(SERVER, **changes),))


def test_a_server_of_the_smallest_plan_passes() -> None:
    """A plan of 4 GB and two cores passes, with less memory than its name says."""
    judge(HEALTHY)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mem_total_bytes": 3_100_000_000}, "3.10 GB of memory, 3.87 GB are asked for"),
        ({"cpus": 1.5}, "lets programs use 1.5 CPU cores, 2 are asked for"),
        ({"steal": 0.2}, "other guests took 20.0% of the processor time within 5 s"),
        ({"containers_mem_limit_bytes": 5 * GB}, "containers may take 5.00 GB together, there are 4.10 GB"),
        ({"filesystems": (ROOT, replace(DOCKER, size_bytes=20 * GB))}, "/var/lib/docker .* has 20.0 GB"),
        (
            {"filesystems": (replace(ROOT, available_bytes=8 * GB), DOCKER)},
            "/ .* has 10.0% of its bytes free",
        ),
        ({"filesystems": (ROOT, replace(DOCKER, inodes_available=10))}, "has 1.0% of its inodes free"),
        ({"filesystems": (replace(ROOT, size_bytes=40 * GB, available_bytes=30 * GB),)}, "has 40.0 GB"),
        ({"filesystems": (ROOT, replace(DOCKER, size_bytes=0, available_bytes=0))}, "has 0.0 GB"),
    ],
)
def test_what_is_too_little_fails(changes: dict[str, Any], words: str) -> None:
    """Each figure below its limit fails, and the sentence names the server, what was seen and what is asked for."""
    with pytest.raises(AssertionError, match=f"ssh://a.*{words}"):
        judge(server(**changes))


def test_a_small_system_beside_large_data_passes() -> None:
    """Where data has a file system of its own, the system's may be small, as long as it is not full."""
    small = replace(ROOT, size_bytes=20 * GB, available_bytes=10 * GB)
    judge(server(filesystems=(small, DOCKER)))


def test_inodes_that_are_made_as_needed_are_not_judged() -> None:
    """Btrfs and its like have no number of inodes."""
    judge(server(filesystems=(replace(ROOT, inodes=None, inodes_available=None), DOCKER)))


def test_a_server_without_an_engine_passes() -> None:
    """A database server has no containers whose limits could be too much."""
    judge(server(containers_mem_limit_bytes=None, docker_root=""))


@pytest.mark.parametrize("name", ["mem_total_bytes", "cpus", "steal"])
def test_what_was_not_seen_is_unproven(name: str) -> None:
    """A figure that could not be read proves nothing."""
    with pytest.raises(Unproven, match="ssh://a tells of no"):
        judge(server(**{name: None}))


def test_an_engine_that_may_not_be_asked_is_unproven() -> None:
    """Where data is cannot be known from an engine that the user may not ask."""
    with pytest.raises(Unproven, match=r"root may not ask the container engine .* set host\.sudo"):
        judge(server(engine_denied=True, docker_root=""))


def test_a_path_that_cannot_be_asked_about_is_unproven() -> None:
    """A folder with a space in its name may be on any disk."""
    with pytest.raises(Unproven, match="'/srv/my data' cannot be asked about"):
        judge(server(unread_paths=("/srv/my data",)))


def test_no_file_system_is_unproven() -> None:
    """Without any file system nothing is said about disks."""
    with pytest.raises(Unproven, match="df tells of no file system"):
        judge(server(filesystems=()))


def test_a_server_out_of_reach_is_named() -> None:
    """A further server that runs no command leaves the item unproven, and a smaller one fails it."""
    gone = Unreachable("ssh://b", "ssh://b runs no command: the connection is refused")
    with pytest.raises(Unproven, match="ssh://b runs no command"):
        judge(replace(HEALTHY, unreachable=(gone,), declared=2))
    small = replace(SERVER, uri="ssh://b", cpus=1.0)
    with pytest.raises(AssertionError, match="ssh://b lets programs use 1"):
        judge(replace(HEALTHY, servers=(SERVER, small), declared=2))


def test_declared_data_must_be_somewhere() -> None:
    """A declared folder that no server has fails; on one of two servers it is enough."""
    with pytest.raises(AssertionError, match=r"host\.data_dirs: /srv/data is on no server"):
        judge(replace(HEALTHY, data_dirs=("/srv/data",)))
    data = replace(ROOT, path="/srv/data", holds="data")
    other = replace(SERVER, uri="ssh://b", filesystems=(ROOT, data))
    judge(HostFacts((SERVER, other), (), 2, ("/srv/data",)))


def test_no_server_at_all_fails() -> None:
    """An empty population never passes."""
    with pytest.raises(AssertionError, match="no server was looked at"):
        judge(HostFacts((), (), 0, ()))
