"""Servers that misbehave: each accepts connections on a loopback port and does one wrong thing for ever."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'`{{7*7}}"
ANSI = "\x1b[2J\x1b]0;owned\x07\x00"


def silent(connection: socket.socket, stop: threading.Event) -> None:
    """Accept and never answer."""
    stop.wait()


def drip(connection: socket.socket, stop: threading.Event) -> None:
    """Answer one byte a second."""
    _request(connection)
    for byte in (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n" + b" " * 900
    ):
        connection.sendall(bytes([byte]))
        if stop.wait(1.0):
            return


def endless(connection: socket.socket, stop: threading.Event) -> None:
    """Send 10 GB of body, or as much of it as anybody takes."""
    _request(connection)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n"
    )
    block = b"[" * 1_000_000
    while not stop.is_set():
        connection.sendall(block)


def half_header(connection: socket.socket, stop: threading.Event) -> None:
    """Close in the middle of a header."""
    _request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Ty")


def redirects(connection: socket.socket, stop: threading.Event) -> None:
    """Redirect to itself for ever."""
    while _request(connection):
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


def garbage(connection: socket.socket, stop: threading.Event) -> None:
    """Speak neither TLS nor HTTP."""
    connection.sendall(b"\x00\xff\x13garbage\r\n" * 20)
    _request(connection)


def html(connection: socket.socket, stop: threading.Event) -> None:
    """Answer everything with an HTML page and status 200."""
    page = f"<html><h1>It works{MARKUP}</h1></html>".encode()
    while _request(connection):
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
        connection.sendall(head.encode() + page)


def markup(connection: socket.socket, stop: threading.Event) -> None:
    """Put markup, ANSI and NUL into every header and field that it can."""
    evil = (MARKUP + ANSI).encode("latin-1")
    escaped = (MARKUP + "\\u001b[2J\\u0000\\ud800").replace('"', '\\"').replace("\\\\u", "\\u").encode()
    body = (
        b'{"status": "'
        + escaped
        + b'", "components": {"'
        + escaped
        + b'": "ok"}, "version": "'
        + escaped
        + b'"}'
    )
    while _request(connection):
        head = b"HTTP/1.1 200 OK\r\nX-Evil: " + evil.replace(b"\x00", b"") + b"\r\nServer: " + MARKUP.encode()
        head += b"\r\nSet-Cookie: " + MARKUP.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body)


def stalled_postgres(connection: socket.socket, stop: threading.Event) -> None:
    """Let a PostgreSQL client in, and stall in its first query."""
    length = struct.unpack("!I", connection.recv(4))[0]
    code = struct.unpack("!I", connection.recv(length - 4)[:4])[0]
    if code == 80877103:  # SSLRequest: no
        connection.sendall(b"N")
        length = struct.unpack("!I", connection.recv(4))[0]
        connection.recv(length - 4)
    ready = b"R" + struct.pack("!II", 8, 0)
    for name, value in ((b"server_version", b"17.0"), (b"client_encoding", b"UTF8")):
        pair = name + b"\0" + value + b"\0"
        ready += b"S" + struct.pack("!I", len(pair) + 4) + pair
    connection.sendall(ready + b"K" + struct.pack("!III", 12, 1, 1) + b"Z" + struct.pack("!I", 5) + b"I")
    stop.wait()


def _request(connection: socket.socket) -> bool:
    """Read one request's header; False when the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return False
        data += part
    return True


@contextmanager
def serve(behave: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """Serve a behaviour on a random loopback port; yields the port."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError, struct.error), connection:
            connection.settimeout(30)
            behave(connection, stop)

    def accept() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()
        time.sleep(0)
