"""A service in a few lines, for the shapes of correct services that the demo does not have."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes import registry
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load


@dataclass(frozen=True)
class Asked:
    """A request: `headers` by lower-case name, `json` the body when it is JSON, `text` the body as it is."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    json: Any
    text: str = ""

    @property
    def token(self) -> str:
        """The bearer token, empty without one."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Reply:
    """An answer; anything but text becomes JSON."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def serving(answer: Callable[[Asked], Reply]) -> Iterator[str]:
    """Serve every method by `answer`; yields the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # headers and body in one write

        def _serve(self) -> None:
            declared = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(declared) if declared < 1_000_000 else b""
            try:
                sent = json.loads(raw)
            except ValueError:
                sent = None
            url = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = answer(
                Asked(
                    self.command, url.path, parse_qs(url.query), headers, sent, raw.decode(errors="replace")
                )
            )
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            body = b"" if reply.status in (204, 304) else text.encode()
            self.send_response_only(reply.status)
            self.send_header("Date", self.date_time_string())
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            if declared >= 1_000_000:
                self.close_connection = True
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        do_GET = do_HEAD = do_POST = do_OPTIONS = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def look(
    folder: Path, base: str, probe: str, more: str = "", *, auth: str = "", allow: tuple[str, ...] = ()
) -> Observation:
    """Look at a service with one probe, through the gatherer as in a run.

    `more` is TOML for the target file, `auth` for its section of that name.
    """
    (folder / "secret").write_text("a-password-for-tests")
    account = '{ username = "%s", password = { file = "secret" } }'
    text = f"""
[target]
name = "shape"
environment = "dev"
base_url = "{base}"
[auth]
test_account = {account % "ann"}
test_account_b = {account % "bob"}
canary_account = {account % "canary"}
{auth}
[limits]
authz_max_rps = 2000
burst_max_rps = 200
{more}
"""
    path = folder / "target.toml"
    path.write_text(text)
    run = Run(load(path), allow=allow)
    return run.gather([probe], registry())[probe]
