"""OpenSSH's server on a loopback port: its own host key, one client key, no passwords, nothing forwarded."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path

from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.demo.server import certbot, services, wrappers
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World

# Where the server drops its rights as root; it refuses to start without the folder.
_PRIVSEP = Path("/run/sshd")


def available() -> str | None:
    """Return None, or why there is no SSH server on this machine."""
    for tool, package in (("sshd", "openssh-server"), ("ssh", "openssh-client")):
        if _find(tool) is None:
            return f"no {tool} on PATH or in /usr/sbin; Debian has it in the package {package}"
    return None


def daemon(world: World) -> Daemon:
    """Write keys, configuration, wrappers and the state of the services; describe the process."""
    home = world.path("server")
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    for name in ("host_key", "client_key"):
        _make_key(home / name)
    shutil.copyfile(home / "client_key.pub", home / "authorized_keys")
    services.write(world)
    certbot.write(world)
    wrappers.write(world)
    if os.geteuid() == 0:
        _PRIVSEP.mkdir(mode=0o755, exist_ok=True)
    port, user = world.port("ssh"), getpass.getuser()
    config = render("sshd_config", home / "sshd_config", home=home, port=port, user=user)
    host_key = (home / "host_key.pub").read_text().rsplit(maxsplit=1)[0]
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    render("ssh_config", home / "ssh_config", home=home)
    return Daemon(
        "sshd",
        # It starts itself again for each connection, so it wants to be called by its whole path.
        [str(_find("sshd")), "-D", "-e", "-f", config],
        home=home,
        ready=lambda: answers(port),
        log=world.path("logs", "sshd.log"),
    )


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Return how to reach the server; it is a laptop or CI runner, so that its size is held to less."""
    user, port = getpass.getuser(), world.port("ssh")
    return {
        "host": {
            "uri": f"ssh://{user}@127.0.0.1:{port}",
            "ssh_config": "server/ssh_config",
            "data_dirs": [str(folder) for folder in (world.dir / "postgres" / "data",) if folder.is_dir()],
        },
        "limits": {
            "host_min_mem_bytes": 1_000_000_000,
            "host_min_cpus": 1,
            "host_min_disk_bytes": 10e9,
            "host_min_free": 0.02,
            "host_steal_max": 1.0,
            "host_steal_window_s": 0.5,
        },
        "cert": {
            "folder": str(world.dir / certbot.FOLDER),
            "log": str(world.dir / certbot.FOLDER / "logs" / "letsencrypt.log"),
            "allowed_issuers": ["Token Service Issuing CA"],
        },
        "standins": {
            "apt": "settings, waiting updates and times of updates are those of a server that is up to date",
            "systemd": "what runs as units of systemd elsewhere are the demo's own processes",
            "certbot": "the folder is as certbot leaves it; the demo's own authority issued what is in it",
        },
    }


def _make_key(path: Path) -> None:
    if not path.exists():
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _find(tool: str) -> str | None:
    return shutil.which(tool, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
