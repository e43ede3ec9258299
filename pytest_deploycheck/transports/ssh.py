"""SSH: one connection a server for a whole run, by OpenSSH's own multiplexing, and clear words when there is none.

testinfra asks for a shared connection but names no place for its socket, so that every command connects anew. A
configuration file of the run's own names one and includes the user's file; of each option the first value counts.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

CONNECT_TIMEOUT_S = 10
"""Seconds for connecting, the greeting and the exchange of keys together."""
PERSIST_S = 60
"""Seconds that a connection may idle: what ends it when the runner was killed before it could close it."""
_LONGEST_FOLDER = 45
"""Characters: a socket's path must stay under 104 (macOS), and ssh adds a hash of 40 and 17 for itself."""
_CLOSE_S = 2.0
_OPTIONS = f"""\
Host *
  ControlMaster auto
  ControlPath "{{folder}}/%C"
  ControlPersist {PERSIST_S}
  ConnectTimeout {CONNECT_TIMEOUT_S}
  ServerAliveInterval 5
  ServerAliveCountMax 3
  BatchMode yes
  RequestTTY no
  ForwardAgent no
  ForwardX11 no
  PermitLocalCommand no
  LogLevel ERROR
"""


class Multiplexer:
    """A run's shared SSH connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._configs: dict[str, str] = {}
        self._closed = False

    def config(self, user_config: str = "") -> str:
        """Return the path of the run's file that includes `user_config`, or the usual two files.

        It is made on first use, in a folder that only we can enter.
        """
        if user_config and not Path(user_config).is_file():
            raise CannotLook(Reason.NO_CONFIG, f"host.ssh_config: there is no file {user_config}")
        with self._lock:
            if self._closed:
                raise OSError("the run is over")
            if user_config not in self._configs:
                self._configs[user_config] = self._write(user_config)
            return self._configs[user_config]

    def _write(self, user_config: str) -> str:
        """Write a file once, whole before anybody reads it: a client that reads half of it runs by its defaults."""
        if self._folder is None:
            usual = tempfile.gettempdir()
            short = usual if len(usual) < _LONGEST_FOLDER - len("/deploycheck-ssh-12345678") else "/tmp"  # noqa: S108
            self._folder = Path(tempfile.mkdtemp(prefix="deploycheck-ssh-", dir=short))
        files = [user_config] if user_config else ["~/.ssh/config", "/etc/ssh/ssh_config"]
        path = self._folder / f"config{len(self._configs)}"
        included = "".join(f'  Include "{file}"\n' for file in files)
        path.write_text(_OPTIONS.format(folder=self._folder) + included)
        return str(path)

    def close(self) -> None:
        """End every connection and remove the folder; afterwards nothing of this is left on the machine."""
        with self._lock:
            self._closed = True
            folder, self._folder = self._folder, None
        if folder is None:
            return
        configs = list(folder.glob("config*"))
        sockets = [entry for entry in folder.iterdir() if entry.is_socket()]
        asked = [_ask_to_end(configs[0], socket) for socket in sockets]
        ends = time.monotonic() + _CLOSE_S
        for process in asked:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.05, ends - time.monotonic()))
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _ask_to_end(config: Path, socket: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["ssh", "-F", str(config), "-S", str(socket), "-O", "exit", "any"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


_SENTENCES = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .* has changed",
        "it shows another host key than the one that is known: it was set up anew, or another machine answers in "
        "its place; compare the keys, then correct known_hosts",
    ),
    (
        r"No \S+ host key is known for|authenticity of host",
        "its host key is not known; compare it and add it to the known_hosts file that host.ssh_config names",
    ),
    (r"Host key verification failed", "its host key could not be verified; see known_hosts"),
    (
        r"Permission denied \(|Too many authentication failures|no mutual signature",
        "it refuses the login; check the user in host.uri and the IdentityFile in host.ssh_config",
    ),
    (r"[Cc]onnection timed out|Operation timed out|timed out during", "it gives no answer to SSH"),
    (r"Connection refused", "the connection is refused; is the SSH server running, on this port?"),
    (r"Could not resolve hostname", "its name has no address"),
    (r"No route to host|Network is unreachable", "there is no way to it from here"),
    (r"Connection (closed|reset)|kex_exchange_identification", "it ends the connection at once"),
    (
        r"ssh: (command )?not found|ssh: No such file",
        "there is no ssh on this machine; install OpenSSH's client",
    ),
    (
        r"sudo: .*(password|terminal)",
        "sudo asks for a password; allow the user NOPASSWD or set host.sudo = false",
    ),
    (
        r"(Can't open user config file|Bad configuration option|terminating, \d+ bad)",
        "host.ssh_config is not good",
    ),
)


def explain(errors: str) -> str:
    """Say in one sentence why a server ran nothing, from what the client printed; its own line follows."""
    lines = [line.strip() for line in errors.splitlines() if line.strip() and not line.startswith("@")]
    for pattern, sentence in _SENTENCES:
        found = next((line for line in lines if re.search(pattern, line)), "")
        if found or re.search(pattern, errors):
            return f"{sentence} ({found[:160]})" if found else sentence
    return lines[0][:160] if lines else "no word why"
