"""HTTP: a client that refuses what a probe did not declare, bounds what it reads, and follows nothing.

A certificate that is not trusted does not stop a look: the certificate item carries that failure, and
headers can be judged all the same. But credentials are never sent over such a connection.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3.exceptions

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.transports.http_way import Way
from pytest_deploycheck.verdict import Reason

CONNECT_TIMEOUT_S = 3.05
READ_TIMEOUT_S = 10.0
BODY_MAX_BYTES = 4 * 2**20
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Response:
    """An answer: headers as a list so that duplicates stay visible, the body up to 4 MiB.

    ttfb_s: seconds to the end of the headers.  total_s: seconds to the end of the body.
    """

    method: str
    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool
    ttfb_s: float
    total_s: float

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        """The body as text, undecodable bytes replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body's JSON, or raise CannotLook(unparseable) naming the URL and how the body begins."""
        try:
            return safe_json.loads(self.body)
        except (ValueError, RecursionError):
            shown = self.text[:120].replace("\n", " ")
            raise CannotLook(
                Reason.UNPARSEABLE, f"{self.method} {self.url} answered {self.status} without JSON: {shown!r}"
            ) from None


class Http:
    """A client for one endpoint.

    `enter(action)` declares a request to the ledger; `remaining()` gives the seconds left to the probe.
    source: the address of this machine to ask from, where it has several.  addresses: where names lead that this
    machine does not resolve as the public does.
    """

    def __init__(
        self,
        base: str,
        *,
        gate: str,
        enter: Callable[[str], None],
        remaining: Callable[[], float],
        verify: str | bool = True,
        headers: Mapping[str, str] | None = None,
        bearer: str = "",
        shown: str = "",
        source: str = "",
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        self.base = base.rstrip("/")
        self.gate = gate
        self.shown = shown or self.base
        self._enter = enter
        self._remaining = remaining
        self._bearer = bearer
        self._session = requests.Session()
        # Proxies, .netrc and REQUESTS_CA_BUNDLE of the runner must not change what is seen.
        self._session.trust_env = False
        self._session.verify = verify
        self._session.mount("https://", Way(source, addresses or {}))
        if source or addresses:
            self._session.mount("http://", Way(source, addresses or {}))
        self._session.headers.clear()
        self._session.headers.update({"Accept": "*/*", "Accept-Encoding": "identity", **(headers or {})})

    def get(self, path: str, **options: Any) -> Response:
        """Send GET; see `request`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        """Send POST, where the probe declares it; see `request`."""
        return self.request("POST", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str | None] | None = None,
        credentials: bool = False,
        timeout: float = READ_TIMEOUT_S,
        body_max: int = BODY_MAX_BYTES,
    ) -> Response:
        """Send one request and return the answer, whatever its status; redirects are not followed.

        `credentials` says that the request itself carries a secret (a password in its body).
        Raises Dead when the endpoint refuses, CannotLook when there is no answer in time or no HTTP.
        """
        url = path if "://" in path else self.base + path
        if urlsplit(url)[:2] != urlsplit(self.base)[:2]:
            raise CannotLook(Reason.NOT_ALLOWED, f"{url} is not part of {self.shown}; no other host is asked")
        self._enter(method)
        sent: dict[str, str | None] = dict(headers or {})
        if self._bearer and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {self._bearer}"
        secret = credentials or bool(sent.get("Authorization"))
        options = {"params": params, "json": json, "data": data, "headers": sent}
        try:
            return self._send(method, url, options, timeout, body_max)
        except requests.exceptions.SSLError as error:
            if not _untrusted(error):
                raise Dead(
                    "tls" if self.gate == "net" else self.gate, _tls_words(self.shown, error)
                ) from None
            if secret or self.gate != "net":
                raise Dead(
                    "tls" if self.gate == "net" else self.gate,
                    f"the certificate of {self.shown} is not trusted ({_reason(error)}); "
                    "credentials are not sent over it",
                ) from None
            self._session.verify = False
            return self._send(method, url, options, timeout, body_max)

    def _send(
        self, method: str, url: str, options: dict[str, Any], timeout: float, body_max: int
    ) -> Response:
        wait = max(0.1, min(timeout, self._remaining()))
        started = time.monotonic()
        try:
            with self._session.request(
                method,
                url,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_TIMEOUT_S, wait), wait),
                **options,
            ) as answer:
                ttfb = time.monotonic() - started
                body, truncated = _read(answer, body_max, started + wait)
                pairs = tuple((str(k), str(v)) for k, v in answer.raw.headers.items())
                return Response(
                    method=method,
                    url=url,
                    status=answer.status_code,
                    headers=pairs,
                    body=body,
                    truncated=truncated,
                    ttfb_s=ttfb,
                    total_s=time.monotonic() - started,
                )
        except requests.exceptions.SSLError:
            raise
        except requests.exceptions.Timeout:
            raise CannotLook(
                Reason.TIMEOUT, f"{method} {self._place(url)} gave no answer in {wait:.0f} s"
            ) from None
        except (
            requests.exceptions.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            ValueError,
        ) as error:
            raise self._refusal(method, url, error) from None

    def _place(self, url: str) -> str:
        return self.shown + url.removeprefix(self.base).partition("?")[0]

    def _refusal(self, method: str, url: str, error: Exception) -> Exception:
        """Tell a refusal, which is a fact, from a conversation that broke, which is not."""
        for cause in _chain(error):
            if isinstance(cause, ConnectionRefusedError):
                return self._dead(f"connection refused at {self.shown}")
            if isinstance(cause, urllib3.exceptions.NameResolutionError | socket.gaierror):
                return self._dead(f"the name in {self.shown} does not resolve")
            if isinstance(cause, ssl.SSLError):
                return Dead("tls" if self.gate == "net" else self.gate, _tls_words(self.shown, cause))
            if isinstance(cause, TimeoutError):
                return CannotLook(Reason.TIMEOUT, f"{method} {self._place(url)} gave no answer in time")
        return CannotLook(
            Reason.UNPARSEABLE, f"{method} {self._place(url)} broke off: {_reason(error)[:160]}"
        )

    def _dead(self, message: str) -> Exception:
        return Dead(self.gate, message) if self.gate else CannotLook(Reason.NO_ACCESS, message)

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()


def _read(answer: requests.Response, limit: int, until: float) -> tuple[bytes, bool]:
    """Read a body up to `limit` bytes and up to the monotonic time `until`."""
    parts: list[bytes] = []
    size = 0
    while True:
        if time.monotonic() > until:
            raise requests.exceptions.Timeout
        part = answer.raw.read1(65_536, decode_content=True)
        if not part:
            return b"".join(parts), False
        parts.append(part)
        size += len(part)
        if size >= limit:
            return b"".join(parts)[:limit], True


def _chain(error: BaseException) -> list[BaseException]:
    """Return an exception, its causes and the exceptions it carries as arguments."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo and len(found) < 24:
        current = todo.pop(0)
        if current is None or any(current is seen for seen in found):
            continue
        found.append(current)
        reason = getattr(current, "reason", None)
        todo += [
            current.__cause__,
            current.__context__,
            reason if isinstance(reason, BaseException) else None,
        ]
        todo += [argument for argument in current.args if isinstance(argument, BaseException)]
    return found


def _untrusted(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _chain(error))


def _reason(error: BaseException) -> str:
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
    return str(_chain(error)[-1]) or type(error).__name__


def _tls_words(shown: str, error: BaseException) -> str:
    return f"no TLS handshake with {shown}: {_reason(error)[:160]}"
