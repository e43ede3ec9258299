"""A small HTTP server with canned answers, for shapes that no server of the demo gives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from pytest_deploycheck.transports.http import Http


@dataclass(frozen=True)
class Canned:
    """An answer: status, body, and headers beside Content-Length."""

    body: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


Answer = Callable[[str, dict[str, list[str]]], Canned]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve GET by `answer(path, query)`; yields the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            found = answer(url.path, parse_qs(url.query))
            body = found.body.encode()
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

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


def client_of(base: str, gate: str = "") -> Http:
    """Return the transport's own client, without ledger and deadline."""
    return Http(base, gate=gate, enter=lambda action: None, remaining=lambda: 30.0)
