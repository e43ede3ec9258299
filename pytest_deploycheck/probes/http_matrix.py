"""The response matrix: one answer of every class that a service gives, and the headers that came with it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.rules.headers import PROTECTIVE, TELLTALE, Cookie, cookie

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

TOO_LARGE_BYTES = 1 << 30
"""Declared for the upload that is too large. Nothing is sent: the request is a GET whose body never comes."""

_WAIT_FOR_REFUSAL_S = 2.0
_BODILESS = (204, 205, 304)


@dataclass(frozen=True)
class Answer:
    """One answer.

    label: its class.  headers: (lower-case name, value) of those that are judged, duplicates kept.
    cookies: what it set.  body: it has content that a browser could show.
    """

    label: str
    method: str
    path: str
    status: int
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[Cookie, ...]
    body: bool

    def by_name(self) -> dict[str, list[str]]:
        """Return the headers as name -> values."""
        found: dict[str, list[str]] = {}
        for name, value in self.headers:
            found.setdefault(name, []).append(value)
        return found


@dataclass(frozen=True)
class Unseen:
    """A class of answer that could not be provoked, and why."""

    label: str
    why: str


@dataclass(frozen=True)
class HttpMatrixFacts:
    """All answers.

    secure: they came over https from a host with a name, so that HSTS means something.  html: the host
    serves pages.  hsts_subdomains, exempt, allow_extra: from `[headers]`, the names in lower case.
    """

    secure: bool
    html: bool
    hsts_subdomains: bool
    exempt: tuple[str, ...]
    allow_extra: tuple[str, ...]
    answers: tuple[Answer, ...]
    unseen: tuple[Unseen, ...]

    def why_unseen(self, label: str) -> str:
        """Return why a class was not seen."""
        return next((one.why for one in self.unseen if one.label == label), "it was not asked for")


@probe(facts=HttpMatrixFacts, deadline=40, needs=("api",), uses={"api": "GET OPTIONS", "login": "POST"})
def http_matrix(target: Target, connect: Connections) -> HttpMatrixFacts:
    """Provoke one answer of every class (200, 401, 404, 405, redirect, preflight, too large, private)."""
    look = _Look(target, connect)
    look.gather()
    url = urlsplit(target.target.base_url)
    headers = target.headers
    return HttpMatrixFacts(
        secure=url.scheme == "https" and not _is_address(str(url.hostname)),
        html=headers.profile == "html",
        hsts_subdomains=headers.hsts_subdomains,
        exempt=tuple(name.lower() for name in headers.exempt),
        allow_extra=tuple(name.lower() for name in headers.allow_extra),
        answers=tuple(look.answers),
        unseen=tuple(look.unseen),
    )


class _Look:
    """Sends the requests one after the other and keeps what came back."""

    def __init__(self, target: Target, connect: Connections) -> None:
        self.target, self.connect = target, connect
        self.http = connect.http("api")
        self.answers: list[Answer] = []
        self.unseen: list[Unseen] = []

    def gather(self) -> None:
        health, auth = self.target.health.path, self.target.auth
        self.note("public", "GET", health)
        for path in self.target.headers.paths:
            self.note(f"path {path}", "GET", path)
        self.note("unauthenticated", "GET", auth.me_path)
        self.note("not found", "GET", f"/deploycheck-{self.connect.run_id.lower()}")
        self.note_wanted("method not allowed", (405, 501), ("GET", auth.login_path), ("OPTIONS", health))
        redirects = (("GET", f"{health.rstrip('/')}/"), ("GET", f"{auth.me_path.rstrip('/')}/"))
        self.note_wanted("redirect", range(300, 400), *redirects)
        origin = {"Origin": self.target.target.base_url, "Access-Control-Request-Method": "GET"}
        self.note("preflight", "OPTIONS", auth.me_path, headers=origin)
        self.note_too_large(health)
        self.note_private()

    def note(
        self,
        label: str,
        method: str,
        path: str,
        *,
        http: Http | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> None:
        try:
            answer = (http or self.http).request(method, path, headers=headers, timeout=timeout)
        except CannotLook as why:
            self.unseen.append(Unseen(label, why.message))
            return
        self.answers.append(_answer(label, path, answer))

    def note_wanted(self, label: str, statuses: object, *tries: tuple[str, str]) -> None:
        """Keep the first answer with one of the wanted statuses."""
        seen = []
        for method, path in tries:
            try:
                answer = self.http.request(method, path)
            except CannotLook as why:
                seen.append(why.message)
                continue
            if answer.status in statuses:  # type: ignore[operator]
                self.answers.append(_answer(label, path, answer))
                return
            seen.append(f"{method} {path} answers {answer.status}")
        self.unseen.append(Unseen(label, "; ".join(seen)))

    def note_too_large(self, path: str) -> None:
        """Declare a body that is too large and send none: only a refusal before reading it can be seen."""
        http = self.connect.http("api")
        label = "too large"
        sent = {"Content-Length": str(TOO_LARGE_BYTES), "Connection": "close"}
        before = len(self.answers)
        self.note(label, "GET", path, http=http, headers=sent, timeout=_WAIT_FOR_REFUSAL_S)
        http.close()
        if len(self.answers) > before and self.answers[-1].status not in (413, 400):
            status = self.answers.pop().status
            self.unseen.append(Unseen(label, f"a declared body of 1 GiB is answered with {status}"))

    def note_private(self) -> None:
        """Look at the login that the run was opened with, and at an answer for one user only."""
        labels = ("login", "authenticated")
        if not self.connect.has_account("test_account"):
            why = f"no auth.test_account in {self.target.path.name}; add username and password"
            self.unseen += [Unseen(label, why) for label in labels]
            return
        try:
            http = self.connect.api()
            login = self.connect.login_answer()
            if login is not None:
                self.answers.append(_answer("login", self.target.auth.login_path, login))
            self.note("authenticated", "GET", self.target.auth.me_path, http=http)
        except (Dead, CannotLook) as why:
            self.unseen += [Unseen(label, why.message) for label in labels]


def _answer(label: str, path: str, answer: Response) -> Answer:
    kept = tuple(
        (name.lower(), value[:1000])
        for name, value in answer.headers
        if name.lower() in PROTECTIVE or name.lower() in TELLTALE
    )
    return Answer(
        label=label,
        method=answer.method,
        path=path,
        status=answer.status,
        headers=kept,
        cookies=tuple(cookie(value) for value in answer.all("set-cookie")),
        body=label != "preflight" and answer.status not in _BODILESS and not 300 <= answer.status < 400,
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
