"""A certificate authority for tests: Debian's pebble, which issues what is asked for without looking."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.process import Daemon, answers

LIFETIME_S = 6 * 86400


@dataclass(frozen=True)
class Authority:
    """A running ACME server: its directory's address, and the file of the authority of its own certificate."""

    directory: str
    ca: Path
    daemon: Daemon

    def certbot(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run certbot with all its files in a folder."""
        folders = [
            part for name in ("config", "work", "logs") for part in (f"--{name}-dir", str(folder / name))
        ]
        return subprocess.run(
            ["certbot", *words, "--non-interactive", *folders],
            env={**os.environ, "REQUESTS_CA_BUNDLE": str(self.ca), "TZ": "UTC"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def free_ports(count: int) -> list[int]:
    """Return ports that are free now."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in opened]


@contextmanager
def authority(folder: Path) -> Iterator[Authority]:
    """Run pebble with certificates of six days."""
    issuer = certs.authority("Test ACME server")
    chain, key = certs.leaf(issuer)
    folder.mkdir(exist_ok=True)
    for name, content in (("ca.pem", issuer.pem()), ("api.pem", chain), ("api.key", key)):
        (folder / name).write_bytes(content)
    api, management, http, tls = free_ports(4)
    settings = {
        "listenAddress": f"127.0.0.1:{api}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(folder / "api.pem"),
        "privateKey": str(folder / "api.key"),
        "httpPort": http,
        "tlsPort": tls,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "certificateValidityPeriod": LIFETIME_S,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    daemon = Daemon(
        "pebble",
        ["pebble", "-config", folder / "pebble.json"],
        home=folder,
        ready=lambda: answers(api),
        env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_VA_ALWAYS_VALID": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
    )
    daemon.start()
    try:
        daemon.wait_ready()
        yield Authority(f"https://localhost:{api}/dir", folder / "ca.pem", daemon)
    finally:
        daemon.stop()
