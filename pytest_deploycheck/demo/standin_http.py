"""A small HTTP server for stand-ins: a function from request to response, and a listener that can go away."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

MAX_BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    path: str  # percent-decoded
    query: dict[str, list[str]]
    headers: Message
    body: bytes = b""

    def first(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter."""
        return self.query.get(name, [default])[0]

    @property
    def bearer(self) -> str | None:
        """The token of an Authorization header of the Bearer scheme."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else None

    @property
    def basic(self) -> tuple[str, str] | None:
        """User and password of an Authorization header of the Basic scheme."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        with contextlib.suppress(ValueError):
            user, _, password = base64.b64decode(value).decode().partition(":")
            return user, password
        return None


@dataclass(frozen=True)
class Response:
    """What is answered: text as it is, anything else as JSON."""

    body: Any = ""
    status: int = 200
    content_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


App = Callable[[Request], Response]


class Listener:
    """One port that serves one app, opened and closed at will.

    `label` is sent as X-Stand-In with every answer; an empty label marks a server that stands in for nothing.
    """

    def __init__(self, port: int, app: App, label: str = "") -> None:
        self.port = port
        self._app = app
        self._label = label
        self._server: _Server | None = None

    @property
    def open(self) -> bool:
        """Whether the port is listened on."""
        return self._server is not None

    def start(self) -> None:
        """Listen; OSError when the port is taken."""
        if self._server is None:
            self._server = _Server(self.port, self._app, self._label)
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Close the port and every connection that is still open, so that clients see a dead server."""
        server, self._server = self._server, None
        if server is not None:
            server.ended = True
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, port: int, app: App, label: str) -> None:
        self.app = app
        self.label = label
        self.ended = False
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20  # headers and body leave in one write
    disable_nagle_algorithm = True
    timeout = 60

    def _serve(self) -> None:
        if self.server.ended:
            self.close_connection = True
            return
        split = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            self._send(Response(f"body of {length} bytes is over {MAX_BODY_BYTES}\n", 413))
            return
        body = self.rfile.read(length)
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        query = parse_qs(split.query, keep_blank_values=True)
        if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            query |= parse_qs(body.decode(), keep_blank_values=True)
        try:
            response = self.server.app(Request(self.command, unquote(split.path), query, self.headers, body))
        except Exception as error:  # a stand-in answers like a server: a bug is a 500, not a hang
            response = Response({"message": f"{type(error).__name__}: {error}"}, 500)
        if self.server.ended:
            self.close_connection = True
            return
        self._send(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _send(self, response: Response) -> None:
        kind, body = _encode(response)
        self.send_response(response.status)
        if response.status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        if self.server.label:
            self.send_header("X-Stand-In", self.server.label)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and response.status != 204:
            self.wfile.write(body)

    def version_string(self) -> str:
        """Return the Server header."""
        return "stand-in" if self.server.label else "deploycheck-demo"

    def log_message(self, format: str, *args: Any) -> None:
        """Write no access log."""


def _encode(response: Response) -> tuple[str, bytes]:
    if isinstance(response.body, bytes):
        return response.content_type or "application/octet-stream", response.body
    if isinstance(response.body, str):
        return response.content_type or "text/plain; charset=utf-8", response.body.encode()
    return response.content_type or "application/json", json.dumps(response.body).encode()


def method_not_allowed(allowed: str) -> Response:
    """Return the refusal of a method, naming those that are served."""
    return Response("405 method not allowed\n", 405, headers={"Allow": allowed})


class Switches:
    """A JSON object in a file, read again when the file changes; a half-written file changes nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._values: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """Return the switches as they are now."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._seen, self._values = None, {}
            return self._values
        seen = (stat.st_mtime_ns, stat.st_size)
        if seen != self._seen:
            with contextlib.suppress(ValueError):
                values = json.loads(self.path.read_text())
                if isinstance(values, dict):
                    self._seen, self._values = seen, values
        return self._values

    def get(self, name: str, default: Any = None) -> Any:
        """One switch."""
        return self.read().get(name, default)
