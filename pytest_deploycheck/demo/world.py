"""Where a deployment lives: its folder, its ports, its secrets and its release, all of them plain files."""

from __future__ import annotations

import fcntl
import json
import os
import random
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import history

DOMAINS = ("tokens.test", "www.tokens.test")
"""The service's names beside localhost, as its certificate and its name servers have them."""
STATE_FILE = "world.json"
# Below the usual ephemeral range (32768 and up), where an outgoing connection could take a port first.
_BLOCKS = range(20000, 30000, 40)
_KEYS = {"signer_key"}


@dataclass(frozen=True)
class Release:
    """What was deployed, and when."""

    version: str
    commit: str  # 40 hex digits: the newest commit of the repository in DIR/repository
    deployed_at: str  # UTC, ISO 8601: the first start of this folder, less what it has lived by then


@dataclass
class World:
    """The folder of one deployment; it is created on first use and read back by any other process.

    Two deployments never share a port: each owns a block of forty, guarded by an abstract Unix socket, which
    belongs to the network namespace just as ports do and vanishes with the process that holds it.

    lived: for how long the deployment has been live when the folder is made; it stays what it was then.
    """

    dir: Path
    lived: timedelta = timedelta()
    _guard: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False, compare=False)
    _claim: socket.socket | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.dir = Path(self.dir).absolute()
        self.dir.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not (self.dir / STATE_FILE).exists():
                release = {
                    "version": "1.4.2",
                    "deployed_at": (datetime.now(UTC) - self.lived).isoformat(timespec="seconds"),
                }
                state = {"release": release, "block": self._claim_block(), "ports": {}}
                self._write({**state, "lived_s": self.lived.total_seconds()})
            lived = timedelta(seconds=self._read().get("lived_s", 0.0))
        if self.lived not in (timedelta(), lived):
            raise ValueError(f"{self.dir} holds a deployment that had lived {lived}; choose another folder")
        self.lived = lived

    @classmethod
    def load(cls, directory: Path) -> World:
        """Open an existing deployment; FileNotFoundError when the folder holds none."""
        if not (Path(directory) / STATE_FILE).is_file():
            raise FileNotFoundError(
                f"{directory} holds no deployment (no {STATE_FILE} in it); "
                f"start one with: deploycheck demo up {directory}"
            )
        return cls(Path(directory))

    @property
    def release(self) -> Release:
        """The release that this deployment claims to run; its commit is made when it is first asked for.

        It is made again where the repository does not have it, as when somebody deleted that.
        """
        folder = self.dir / "repository" / "token-service.git"
        state = self._read()
        if not history.has(folder, state["release"].get("commit", "")):
            with self._locked():
                state = self._read()
                release: dict[str, str] = state["release"]
                if not history.has(folder, release.get("commit", "")):
                    at = datetime.fromisoformat(release["deployed_at"])
                    release["commit"] = history.make(folder, release["version"], at)
                    self._write(state)
        return Release(**state["release"])

    @property
    def block(self) -> int:
        """The first of this deployment's own forty ports, by which other numbers can be its own as well."""
        return int(self._read()["block"])

    def path(self, *parts: str) -> Path:
        """Name a path under the folder; the folders above it exist afterwards."""
        path = self.dir.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def port(self, name: str) -> int:
        """Return the loopback port of a name, allocated on first use and the same ever after."""
        with self._locked():
            state = self._read()
            ports: dict[str, int] = state["ports"]
            if name not in ports:
                taken = set(ports.values())
                block = range(state["block"], state["block"] + _BLOCKS.step)
                free = next((port for port in block if port not in taken and is_free(port)), None)
                if free is None:
                    raise RuntimeError(f"no free port left for {name} in {block.start}-{block.stop - 1}")
                ports[name] = free
                self._write(state)
            return ports[name]

    def ports(self) -> dict[str, int]:
        """Return every port allocated so far, by name."""
        return dict(self._read()["ports"])

    def url(self, name: str, scheme: str = "http") -> str:
        """Return the address of a service; the edge is named localhost, as in its certificate."""
        host = "localhost" if name.startswith("edge") else "127.0.0.1"
        return f"{'https' if name == 'edge' else scheme}://{host}:{self.port(name)}"

    def secret(self, name: str) -> str:
        """Return a secret, made on first use: 32 url-safe characters, for a key 0x and 64 hex digits."""
        path = self.path("secrets", name)
        with self._locked():
            path.parent.chmod(0o700)
            if not path.exists():
                value = "0x" + secrets.token_hex(32) if name in _KEYS else _password()
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(value)
            return path.read_text().strip()

    def reserve(self) -> None:
        """Keep other deployments off this one's ports while this process lives."""
        with self._guard:
            if self._claim is None:
                self._claim = _claim(self._read()["block"])

    def release_ports(self) -> None:
        """Give up the reservation."""
        with self._guard:
            if self._claim is not None:
                self._claim.close()
                self._claim = None

    def _claim_block(self) -> int:
        for block in random.sample(_BLOCKS, len(_BLOCKS)):
            self._claim = _claim(block)
            if self._claim is not None:
                return block
        raise RuntimeError(f"all {len(_BLOCKS)} port blocks are taken by running deployments")

    def _read(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.dir / STATE_FILE).read_text())
        return state

    def _write(self, state: dict[str, Any]) -> None:
        scratch = self.dir / f"{STATE_FILE}.{os.getpid()}"
        scratch.write_text(json.dumps(state, indent=2) + "\n")
        scratch.replace(self.dir / STATE_FILE)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._guard, (self.dir / f".{STATE_FILE}.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def is_free(port: int) -> bool:
    """Whether a loopback port could be listened on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _claim(block: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0deploycheck-demo-ports-{block}")
    except OSError:
        claim.close()
        return None
    return claim


def _password() -> str:
    while not (value := secrets.token_urlsafe(24))[0].isalnum():
        pass
    return value
