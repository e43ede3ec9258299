"""Faults of Infrastructure Setup, the servers: too small, too full, promised twice, or out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault
from tests.faults.tools import edited

CAPACITY = "pre_deploy.infrastructure.capacity"
SERVER = ("server",)
PLAN = {"host_min_mem_bytes": 3_865_470_566, "host_min_cpus": 2, "host_min_disk_bytes": 46.5e9}
"""The checklist's own limits, which the demo lowers for laptops."""
CONFIG_LINE = 'ssh_config = "server/ssh_config"'


def run(*command: str | Path) -> None:
    """Run a command that must succeed."""
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def root_only() -> None:
    """Skip where file systems cannot be mounted."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")


@contextmanager
def sshd_in(
    demo: Deployment, files: Mapping[str, Path] | None = None, *, prefix: tuple[str, ...] = ()
) -> Iterator[None]:
    """Restart the SSH server where it sees other files in the place of the kernel's, as in a container."""
    root_only()
    daemon = demo.service("sshd")
    before = list(daemon.argv)
    binds = " && ".join(f"mount --bind {source} {place}" for place, source in (files or {}).items()) or "true"
    daemon.argv = [*prefix, "unshare", "--mount", "sh", "-c", f'{binds} && exec "$@"', "sh", *before]
    try:
        demo.restart("sshd")
        yield
    finally:
        daemon.argv = before
        demo.restart("sshd")


@contextmanager
def disk(demo: Deployment, size: str, *options: str) -> Iterator[Path]:
    """Mount a new file system of some size; its image is sparse, so that it costs next to nothing."""
    root_only()
    image, mount = demo.world.path("faults", "disk.img"), demo.world.path("faults", "disk")
    mount.mkdir(exist_ok=True)
    run("truncate", "-s", size, image)
    run("mkfs.ext4", "-q", "-F", *options, image)
    run("mount", "-o", "loop", image, mount)
    try:
        yield mount
    finally:
        run("umount", mount)
        image.unlink()


@contextmanager
def data_on(demo: Deployment, mount: Path) -> Iterator[None]:
    """Declare that data lies on a file system."""
    text = demo.target.read_text()
    key = next(line for line in text.splitlines() if line.startswith("data_dirs = "))
    with edited(demo.target, (key, f"data_dirs = [{json.dumps(str(mount))}]")):
        yield


@contextmanager
def docker_is(demo: Deployment, script: str) -> Iterator[None]:
    """Put another program in the place of the server's docker command."""
    wrapper = demo.world.path("server", "bin", "docker")
    before = wrapper.read_bytes() if wrapper.exists() else None
    wrapper.write_text(f"#!/bin/sh\n{script}\n")
    wrapper.chmod(0o755)
    try:
        yield
    finally:
        wrapper.unlink()
        if before is not None:
            wrapper.write_bytes(before)
            wrapper.chmod(0o755)


@contextmanager
def docker_says(demo: Deployment, info: Mapping[str, object], inspected: list[object]) -> Iterator[None]:
    """Let the server's docker command tell something else of the engine and its containers."""
    for name, value in (("info", info), ("inspect", inspected)):
        demo.world.path("faults", f"{name}.json").write_text(json.dumps(value))
    folder = demo.world.path("faults")
    with docker_is(demo, f'[ "$1" = ps ] && echo one && exit\nexec cat {folder}/"$1".json'):
        yield


def meminfo(demo: Deployment, kilobytes: int) -> Path:
    """Write what the kernel says on a machine of some memory."""
    path = demo.world.path("faults", "meminfo")
    path.write_text(
        f"MemTotal: {kilobytes} kB\nMemFree: 900000 kB\nMemAvailable: 1000000 kB\nSwapTotal: 0 kB\n"
    )
    return path


@fault(CAPACITY, "a server with 3 GB of memory", probes=("host",), needs=SERVER, limits=PLAN)
@contextmanager
def small_memory(demo: Deployment) -> Iterator[None]:
    """Show the memory of a smaller plan: it is enough for a rounded limit of 3, and not for the checklist's 4."""
    with sshd_in(demo, {"/proc/meminfo": meminfo(demo, 3_050_000)}):
        yield


@fault(CAPACITY, "one processor of two by the CPU set", probes=("host",), needs=SERVER, limits=PLAN)
@contextmanager
def one_cpu(demo: Deployment) -> Iterator[None]:
    """Let everything on the server run on one processor only."""
    with sshd_in(demo, prefix=("taskset", "-c", "0")):
        yield


@fault(CAPACITY, "half a processor by the control group", probes=("host",), needs=SERVER)
@contextmanager
def cpu_quota(demo: Deployment) -> Iterator[None]:
    """Show the quota that a container with half a processor has."""
    group = demo.world.path("faults", "cgroup")
    group.mkdir(exist_ok=True)
    (group / "cpu.max").write_text("50000 100000\n")
    with sshd_in(demo, {"/sys/fs/cgroup": group}):
        yield


@fault(CAPACITY, "less memory by the control group", probes=("host",), needs=SERVER)
@contextmanager
def memory_quota(demo: Deployment) -> Iterator[None]:
    """Show the limit that a container with half a gigabyte has, on a machine with more."""
    group = demo.world.path("faults", "cgroup")
    group.mkdir(exist_ok=True)
    (group / "memory.max").write_text("536870912\n")
    with sshd_in(demo, {"/sys/fs/cgroup": group}):
        yield


@fault(
    CAPACITY,
    "other guests take a third of the processors",
    probes=("host",),
    needs=SERVER,
    limits={"host_steal_max": 0.05, "host_steal_window_s": 0.5},
)
@contextmanager
def stolen(demo: Deployment) -> Iterator[None]:
    """Show counters of which every third tick is stolen."""
    path, over = demo.world.path("faults", "stat"), threading.Event()

    def count() -> None:
        ticks = 1000
        while True:
            ticks += 10
            path.write_text(f"cpu  {ticks} 0 {ticks} 0 0 0 0 {ticks} 0 0\ncpu0 1 0 1 0 0 0 0 1 0 0\n")
            if over.wait(0.05):
                return

    path.write_text("")
    thread = threading.Thread(target=count)
    thread.start()
    try:
        with sshd_in(demo, {"/proc/stat": path}):
            yield
    finally:
        over.set()
        thread.join()


@fault(CAPACITY, "data on a disk of 1 GB", probes=("host",), needs=SERVER)
@contextmanager
def small_data_disk(demo: Deployment) -> Iterator[None]:
    """Keep the database on a small file system of its own, beside a large one of the system."""
    with disk(demo, "1G") as mount, data_on(demo, mount):
        yield


@fault(CAPACITY, "the container engine's folder on a disk of 1 GB", probes=("host",), needs=SERVER)
@contextmanager
def small_engine_disk(demo: Deployment) -> Iterator[None]:
    """Report a data root of the engine that is a small file system of its own."""
    with disk(demo, "1G") as mount, docker_says(demo, {"DockerRootDir": str(mount)}, []):
        yield


@fault(CAPACITY, "a database's volume on a disk of 1 GB", probes=("host",), needs=SERVER)
@contextmanager
def small_volume(demo: Deployment) -> Iterator[None]:
    """Mount a small file system into the container of the database, which nobody declared."""
    with disk(demo, "1G") as mount:
        volume = {"Type": "bind", "Source": str(mount), "Destination": "/var/lib/postgresql/data", "RW": True}
        container = {"State": {"Running": True}, "HostConfig": {"Memory": 0}, "Mounts": [volume]}
        with docker_says(demo, {"DockerRootDir": "/"}, [container]):
            yield


@fault(CAPACITY, "no inode left where data is", probes=("host",), needs=SERVER)
@contextmanager
def no_inodes(demo: Deployment) -> Iterator[None]:
    """Fill a large file system with empty files until it takes no more."""
    with disk(demo, "12G", "-N", "256") as mount, data_on(demo, mount):
        for number in range(20_000):
            try:
                (mount / str(number)).touch()
            except OSError:
                break
        yield


@fault(CAPACITY, "a full disk where data is", probes=("host",), needs=SERVER)
@contextmanager
def full_disk(demo: Deployment) -> Iterator[None]:
    """Reserve nearly all of a large file system."""
    with disk(demo, "12G", "-N", "256") as mount, data_on(demo, mount):
        free = os.statvfs(mount).f_bavail * os.statvfs(mount).f_frsize
        run("fallocate", "-l", str(int(free * 0.99)), mount / "full")
        yield


@fault(CAPACITY, "containers may take more memory than there is", probes=("host",), needs=SERVER)
@contextmanager
def promised_twice(demo: Deployment) -> Iterator[None]:
    """Run two containers, each with a limit of more than half the memory there could be."""
    one = {"State": {"Running": True}, "HostConfig": {"Memory": 2**46}, "Mounts": []}
    with docker_says(demo, {"DockerRootDir": "/"}, [one, one]):
        yield


@fault(CAPACITY, "the engine may not be asked", probes=("host",), needs=SERVER, becomes=Verdict.UNPROVEN)
@contextmanager
def engine_closed(demo: Deployment) -> Iterator[None]:
    """Log in as a user to whom the engine's socket is closed: nobody can see on which disk its data is."""
    said = (
        "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"
    )
    with docker_is(demo, f"echo {said} >&2; exit 1"):
        yield


@fault(CAPACITY, "the declared folder of data is nowhere", probes=("host",), needs=SERVER)
@contextmanager
def data_nowhere(demo: Deployment) -> Iterator[None]:
    """Declare a folder that the server does not have."""
    with data_on(demo, Path("/srv/nowhere")):
        yield


@contextmanager
def second_server(demo: Deployment, files: Mapping[str, Path]) -> Iterator[None]:
    """Run another server of the deployment, which sees other files, and name it in the target file."""
    root_only()
    world = demo.world
    port, home = world.port("ssh_second"), world.path("faults", "second")
    home.mkdir(exist_ok=True)
    config = home / "sshd_config"
    first = world.path("server", "sshd_config").read_text()
    config.write_text(first.replace(f"Port {world.port('ssh')}", f"Port {port}"))
    known = world.path("server", "known_hosts")
    key = known.read_text().split(" ", 1)[1]
    binds = " && ".join(f"mount --bind {source} {place}" for place, source in files.items())
    argv: list[str | Path] = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        f'{binds} && exec "$@"',
        "sh",
        "/usr/sbin/sshd",
        "-D",
        "-e",
        "-f",
        config,
    ]
    daemon = Daemon("second", argv, home=home, ready=lambda: answers(port))
    uri = next(line for line in demo.target.read_text().splitlines() if line.startswith("uri = ")).split('"')[
        1
    ]
    more = f'{CONFIG_LINE}\nmore = ["{uri.rpartition(":")[0]}:{port}"]'
    with ExitStack() as stack:
        stack.enter_context(
            edited(known, (known.read_text(), f"{known.read_text()}[127.0.0.1]:{port} {key}"))
        )
        stack.enter_context(edited(demo.target, (CONFIG_LINE, more)))
        stack.callback(daemon.stop)
        daemon.start()
        daemon.wait_ready()
        yield


@fault(CAPACITY, "the second server is too small", probes=("host",), needs=SERVER, limits=PLAN)
@contextmanager
def small_second(demo: Deployment) -> Iterator[None]:
    """Add a server with half the memory, behind one that is large enough."""
    with second_server(demo, {"/proc/meminfo": meminfo(demo, 2_000_000)}):
        yield


@fault(
    CAPACITY, "the second server runs no command", probes=("host",), needs=SERVER, becomes=Verdict.UNPROVEN
)
@contextmanager
def silent_second(demo: Deployment) -> Iterator[None]:
    """Name a second server that is not there."""
    more = f'{CONFIG_LINE}\nmore = ["ssh://nobody@127.0.0.1:1"]'
    with edited(demo.target, (CONFIG_LINE, more)):
        yield


@fault(
    CAPACITY, "the server's host key is another one", probes=("host",), needs=SERVER, becomes=Verdict.UNPROVEN
)
@contextmanager
def other_host_key(demo: Deployment) -> Iterator[None]:
    """Pin another key than the server's: something else may be answering in its place."""
    known = demo.world.path("server", "known_hosts")
    key = demo.world.path("server", "client_key.pub").read_text().rsplit(maxsplit=1)[0]
    with edited(known, (known.read_text().split(" ", 1)[1], key + "\n")):
        yield


@fault(CAPACITY, "the server refuses the key", probes=("host",), needs=SERVER, becomes=Verdict.UNPROVEN)
@contextmanager
def refused_key(demo: Deployment) -> Iterator[None]:
    """Let the server know another client's key only."""
    allowed = demo.world.path("server", "authorized_keys")
    with edited(allowed, (allowed.read_text(), demo.world.path("server", "host_key.pub").read_text())):
        yield
