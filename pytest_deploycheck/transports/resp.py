"""RESP: what a Redis or Valkey server answers, word for word, to a few commands that only read.

A client library hides what matters here: which refusal a stranger gets, before any password.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.verdict import Reason

CONNECT_TIMEOUT_S = 3.0
REPLY_TIMEOUT_S = 5.0
REPLY_MAX_BYTES = 2**20
PORT = 6379
READS = frozenset(
    {("PING",), ("AUTH",), ("INFO",), ("ACL", "LIST"), ("ACL", "WHOAMI"), ("CONFIG", "GET"), ("QUIT",)}
)


@dataclass(frozen=True)
class Place:
    """Where a server is and with what to log in, out of a redis://, rediss:// or unix:// address."""

    host: str
    port: int
    path: str
    tls: bool
    user: str
    password: str

    @classmethod
    def of(cls, address: str) -> Place:
        """Take an address apart; CannotLook when it is none. It is not repeated."""
        try:
            url = urlsplit(address)
            port = url.port or PORT
        except ValueError:
            raise CannotLook(Reason.NO_CONFIG, "redis.url is no address") from None
        scheme = url.scheme.replace("valkey", "redis")
        if scheme not in ("redis", "rediss", "unix") or not (url.hostname or url.path):
            raise CannotLook(Reason.NO_CONFIG, "redis.url must begin with redis://, rediss:// or unix://")
        path = url.path if scheme == "unix" else ""
        user, password = unquote(url.username or ""), unquote(url.password or "")
        return cls(url.hostname or "", port, path, scheme == "rediss", user, password)

    def __str__(self) -> str:
        """Return it without what is secret."""
        return self.path or f"{self.host}:{self.port}"


class Refused(Exception):
    """The server answered with an error: `word` is its first word, such as NOAUTH."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.word = text.partition(" ")[0]
        self.text = text


class Resp:
    """One connection to a server, without any login unless `auth` is called."""

    def __init__(
        self,
        place: Place,
        *,
        enter: Callable[[str], None],
        remaining: Callable[[], float],
        verify: str | bool = True,
    ) -> None:
        self.place = place
        self._enter = enter
        self._remaining = remaining
        self._verify = verify
        self._socket: socket.socket | None = None
        self._left = b""

    def ask(self, *words: str) -> Any:
        """Return the answer to one command: text, number, list or None; Refused when it is an error."""
        command = tuple(word.upper() for word in words)
        if command[:1] not in READS and command[:2] not in READS:
            raise CannotLook(Reason.NOT_ALLOWED, f"Redis command {words[0]} is not on the list of reads")
        self._enter("login" if command[0] == "AUTH" else "read")
        connection = self._open()
        parts = [word.encode() for word in words]
        text = b"".join([b"*%d\r\n" % len(parts), *(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)])
        try:
            connection.settimeout(max(0.1, min(REPLY_TIMEOUT_S, self._remaining())))
            connection.sendall(text)
            return self._reply()
        except TimeoutError:
            raise CannotLook(Reason.TIMEOUT, f"{self.place} gave no answer to {words[0]} in time") from None
        except OSError as error:
            raise Dead("redis", f"{self.place} broke off at {words[0]}: {error}") from None

    def word(self, *words: str) -> str:
        """Return how a command is answered, in one word: OK, PONG, or the error's first one."""
        try:
            return str(self.ask(*words))
        except Refused as refusal:
            return refusal.word

    def auth(self, password: str, user: str = "") -> str:
        """Log in and return the answer's first word, such as OK or WRONGPASS."""
        return self.word("AUTH", *([user] if user else []), password)

    def _open(self) -> socket.socket:
        if self._socket is not None:
            return self._socket
        try:
            wait = max(0.1, min(CONNECT_TIMEOUT_S, self._remaining()))
            if self.place.path:
                found = socket.socket(socket.AF_UNIX)
                found.settimeout(wait)
                found.connect(self.place.path)
            else:
                found = socket.create_connection((self.place.host, self.place.port), timeout=wait)
            if self.place.tls:
                context = ssl.create_default_context(
                    cafile=self._verify if isinstance(self._verify, str) else None
                )
                found = context.wrap_socket(found, server_hostname=self.place.host)
        except ssl.SSLError as error:
            raise CannotLook(
                Reason.NO_ACCESS, f"no TLS with {self.place}: {error.reason or error}; see target.ca_file"
            ) from None
        except TimeoutError:
            raise CannotLook(Reason.TIMEOUT, f"{self.place} accepts no connection in time") from None
        except OSError as error:
            raise Dead("redis", f"{self.place}: {error.strerror or error}") from None
        self._socket = found
        return found

    def _line(self) -> bytes:
        while b"\r\n" not in self._left:
            self._more()
        line, _, self._left = self._left.partition(b"\r\n")
        return line

    def _bytes(self, count: int) -> bytes:
        while len(self._left) < count + 2:
            self._more()
        found, self._left = self._left[:count], self._left[count + 2 :]
        return found

    def _more(self) -> None:
        assert self._socket is not None
        part = self._socket.recv(65_536)
        if not part:
            raise ConnectionError("the server closed the connection")
        self._left += part
        if len(self._left) > REPLY_MAX_BYTES:
            raise CannotLook(Reason.UNPARSEABLE, f"{self.place} answers more than {REPLY_MAX_BYTES} bytes")

    def _reply(self, depth: int = 0) -> Any:
        line = self._line()
        kind, rest = line[:1], line[1:].decode("utf-8", "replace")
        if kind == b"+":
            return rest
        if kind == b"-":
            raise Refused(rest)
        try:
            number = int(rest)
        except ValueError:
            number = -2
        if kind == b":" and number != -2:
            return number
        if kind == b"$" and -1 <= number <= REPLY_MAX_BYTES:
            return None if number < 0 else self._bytes(number).decode("utf-8", "replace")
        if kind == b"*" and -1 <= number <= REPLY_MAX_BYTES and depth < 4:
            return None if number < 0 else [self._reply(depth + 1) for _ in range(number)]
        raise CannotLook(Reason.UNPARSEABLE, f"{self.place} does not speak RESP: {line[:40]!r}")

    def close(self) -> None:
        """Close the connection; the next command opens another one, without any login."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket, self._left = None, b""
