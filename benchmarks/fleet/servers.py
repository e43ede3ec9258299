"""Some real SSH servers on one machine, far away: their keys, their target file, and what each of them saw."""

from __future__ import annotations

import contextlib
import getpass
import importlib
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.demo.server import sshd

DELAY_S = 0.020
"""Seconds that a round trip takes beyond loopback's: a server in another region of the continent."""
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey "{home}/host_key"
PidFile none
AuthorizedKeysFile "{home}/authorized_keys"
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
# The exchange of keys that costs least: fifty servers have their own processors, these share the runner's.
KexAlgorithms curve25519-sha256
# Not what the account of whoever runs this starts in its shells.
SetEnv "HOME={home}"
ForceCommand /usr/bin/awk -v "recording={home}/recording" -f "{script}"
"""
_ANSWERS = Path(__file__).with_name("recording.awk")


def record() -> str:
    """Run what is read of a server once here, and return its answers as `recording.awk` reads them."""
    host = importlib.import_module("pytest_deploycheck.probes.host")  # the package has the probe by that name
    found = []
    for command in (*host.FIRST, host.LISTENERS_OLD):
        begun = time.monotonic()
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
        took = f"{time.monotonic() - begun:.3f}"
        found.append("\x1f".join((command, str(done.returncode), took, done.stdout.decode(errors="replace"))))
    return "\x1e".join(found)


@dataclass(frozen=True)
class Load:
    """What one server was asked to do: logins, and commands of all of them together."""

    logins: int
    commands: int


class Fleet:
    """`count` SSH servers behind a relay that delays; started and stopped as a context."""

    def __init__(self, folder: Path, count: int, delay_s: float = DELAY_S) -> None:
        self.folder = folder
        self.delay_s = delay_s
        self.ports = _free_ports(2 * count)
        self._daemons: list[Daemon] = []

    @property
    def uris(self) -> list[str]:
        """The addresses of the servers, through the relay."""
        return [f"ssh://{getpass.getuser()}@127.0.0.1:{port}" for port in self.ports[::2]]

    @property
    def ssh_config(self) -> Path:
        """The configuration file by which they are reached."""
        return self.folder / "ssh_config"

    def target(self, count: int, limits: str = "") -> Path:
        """Write a target file that names the first servers."""
        uri, *more = self.uris[:count]
        path = self.folder / f"target-{count}.toml"
        path.write_text(
            '[target]\nname = "fleet"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
            f'[host]\nuri = "{uri}"\nmore = {more!r}\nssh_config = "ssh_config"\n[limits]\n{limits}\n'.replace(
                "'", '"'
            )
        )
        return path

    def load(self, number: int) -> Load:
        """Return what a server has logged so far."""
        log = (self.folder / f"sshd-{number}.log").read_text()
        return Load(log.count("Accepted publickey"), log.count("Starting session"))

    def __enter__(self) -> Fleet:
        reason = sshd.available()
        if reason:
            raise RuntimeError(reason)
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for name in ("host_key", "client_key"):
            if not (self.folder / name).exists():
                command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
                subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        (self.folder / "recording").write_text(record())
        (self.folder / "authorized_keys").write_bytes((self.folder / "client_key.pub").read_bytes())
        key = (self.folder / "host_key.pub").read_text().rsplit(maxsplit=1)[0]
        known = "".join(f"[127.0.0.1]:{port} {key}\n" for port in self.ports)
        (self.folder / "known_hosts").write_text(known)
        self.ssh_config.write_text(
            f'Host *\n  IdentityFile "{self.folder}/client_key"\n  IdentitiesOnly yes\n  IdentityAgent none\n'
            f'  UserKnownHostsFile "{self.folder}/known_hosts"\n  StrictHostKeyChecking yes\n'
        )
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        for number, port in enumerate(self.ports[1::2]):
            config = self.folder / f"sshd-{number}.conf"
            config.write_text(_CONFIG.format(port=port, home=self.folder, script=_ANSWERS))
            self._run(f"sshd-{number}", ["/usr/sbin/sshd", "-D", "-e", "-f", config], port)
        pairs = [f"{near}:{far}" for near, far in zip(self.ports[::2], self.ports[1::2], strict=True)]
        relay = Path(__file__).with_name("relay.py")
        self._run("relay", [sys.executable, relay, str(self.delay_s), *pairs], self.ports[-2])
        for daemon in self._daemons:
            daemon.wait_ready()

    def _run(self, name: str, argv: list[str | Path], port: int) -> None:
        daemon = Daemon(name, argv, home=self.folder, ready=lambda: answers(port), start_timeout=60)
        daemon.start()
        self._daemons.append(daemon)

    def __exit__(self, *error: object) -> None:
        for daemon in self._daemons:
            with contextlib.suppress(ProcessLookupError):
                daemon.signal(daemon.stop_signal)
        for daemon in self._daemons:
            daemon.stop()
        self._daemons.clear()


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now, below those that outgoing connections take."""
    found: list[int] = []
    start = 10000 + time.monotonic_ns() % 5000
    for port in range(start, 20000):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"no {count} free ports from {start} to 19999")
