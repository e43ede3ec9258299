"""The engine: dockerd in process, mount and network namespaces of its own, over DIR/docker.

Run as `python -m pytest_deploycheck.demo.docker.engine DIR`, it stays beside the engine and tidies up after it.
Whatever ends it ends the process namespace, and with that every container; mounts, networks and packet filter
rules are the namespaces' own and go with them. Each start begins with an empty engine.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from pytest_deploycheck.demo import images
from pytest_deploycheck.demo.docker import tools
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

_CGROUPS = Path("/sys/fs/cgroup")
_TIDY_S = 1.5
# /run is hidden, so that neither an engine nor a containerd of this machine is found and used.
_INSIDE = """
mount -t tmpfs tmpfs /run
ip link set lo up
"$1" -m pytest_deploycheck.demo.registry "$2" &
shift 2
exec "$@"
"""


def available() -> str | None:
    """Return None, or why this machine runs no engine of the demo's own."""
    return tools.missing()


def daemon(world: World) -> Daemon:
    """Write the configuration and describe the process."""
    images.ensure(world)
    home = world.path("docker")
    home.mkdir(parents=True, exist_ok=True)
    configure(world)
    client = world.path("docker", "client", "config.json")
    client.write_text(json.dumps({"cliPluginsExtraDirs": [str(tools.plugins())]}) + "\n")
    return Daemon(
        "docker",
        [sys.executable, "-m", "pytest_deploycheck.demo.docker.engine", world.dir],
        home=home,
        env={"PATH": tools.search_path()},
        log=world.path("logs", "docker.log"),
        ready=lambda: answers(world),
    )


def configure(world: World, **changes: object) -> None:
    """Write daemon.json; `changes` override its keys, for a fault."""
    values: dict[str, object] = {
        "hosts": [f"unix://{socket_path(world)}"],
        "data-root": str(world.path("docker", "data")),
        "exec-root": "/run/docker",
        "pidfile": "/run/docker.pid",
        "cgroup-parent": f"/{cgroup(world)}",
        "dns": ["127.0.0.1"],
        "live-restore": True,
        "log-driver": "json-file",
        "shutdown-timeout": 1,
        **(
            {}
            if shutil.which("iptables", path=tools.search_path())
            else {"iptables": False, "ip6tables": False}
        ),
    }
    world.path("docker", "daemon.json").write_text(json.dumps({**values, **changes}, indent=1) + "\n")


def socket_path(world: World) -> Path:
    """Return where the engine listens."""
    return world.path("docker", "docker.sock")


def cgroup(world: World) -> str:
    """Return the name of the control group that every container is under."""
    return f"deploycheck-{hashlib.sha256(str(world.dir).encode()).hexdigest()[:12]}"


def client_environment(world: World) -> dict[str, str]:
    """Return the environment by which the docker command asks this engine."""
    return {
        "DOCKER_HOST": f"unix://{socket_path(world)}",
        "DOCKER_CONFIG": str(world.path("docker", "client")),
    }


def inside(world: World) -> list[str]:
    """Return the command that runs another one in the engine's network: its arguments are appended."""
    pid = world.path("docker", "namespace").read_text().strip()
    return ["nsenter", f"--net=/proc/{pid}/ns/net", "--"]


def answers(world: World) -> bool:
    """Whether the engine answers on its socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        connection.connect(str(socket_path(world)))
        client = http.client.HTTPConnection("localhost")
        client.sock = connection
        client.request("GET", "/_ping")
        return client.getresponse().status == 200


def run(world: World) -> int:
    """Run the engine until SIGTERM or SIGINT, or until it ends; the exit status."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    _tidy(world)
    dockerd = [str(tools.find("dockerd")), "--config-file", str(world.path("docker", "daemon.json"))]
    command = ["unshare", "--pid", "--mount", "--net", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    command += ["sh", "-ec", _INSIDE, "inside", sys.executable, str(world.dir), *dockerd]
    engine = subprocess.Popen(command)
    try:
        first = _first_inside(engine)
        world.path("docker", "namespace").write_text(f"{first}\n")
        while engine.poll() is None and not ended.wait(0.1):
            pass
    finally:
        status = _end(engine)
        _tidy(world)
    return 0 if ended.is_set() else abs(status) or 1


def _end(engine: subprocess.Popen[bytes]) -> int:
    """Kill the first process inside, and the whole namespace with it; `unshare` then ends by itself."""
    inside = _first_inside(engine)
    with contextlib.suppress(ProcessLookupError):
        os.kill(inside or engine.pid, signal.SIGKILL)
    try:
        return engine.wait(1)
    except subprocess.TimeoutExpired:
        engine.kill()
        return engine.wait()


def _first_inside(engine: subprocess.Popen[bytes]) -> int:
    """Return the number, out here, of the process that is the first one in the namespace."""
    children = Path(f"/proc/{engine.pid}/task/{engine.pid}/children")
    while engine.poll() is None:
        with contextlib.suppress(OSError):
            found = children.read_text().split()
            if found and Path(f"/proc/{found[0]}/ns/net").readlink() != Path("/proc/self/ns/net").readlink():
                return int(found[0])
        time.sleep(0.005)
    return 0


def _tidy(world: World) -> None:
    """Take away what an engine leaves outside of its namespaces: its files, its socket, its control groups."""
    socket_path(world).unlink(missing_ok=True)
    world.path("docker", "namespace").unlink(missing_ok=True)
    shutil.rmtree(world.path("docker", "data"), ignore_errors=True)
    deadline = time.monotonic() + _TIDY_S
    while (left := _cgroups(world)) and time.monotonic() < deadline:
        for folder in left:
            with contextlib.suppress(OSError):  # until the last process in it is gone
                folder.rmdir()
        time.sleep(0.01)


def _cgroups(world: World) -> list[Path]:
    """Return the engine's control groups, the innermost first."""
    name = cgroup(world)
    tops = [*_CGROUPS.glob(name), *_CGROUPS.glob(f"*/{name}")]
    return [Path(folder) for top in tops for folder, _, _ in os.walk(top, topdown=False)]


if __name__ == "__main__":
    sys.exit(run(World.load(Path(sys.argv[1]))))
