"""The cross-origin policy as browsers meet it: preflights and plain requests, from origins good and evil."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import env
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

_WAIT_MAX_S = 2.0
_STRANGER = "https://evil.example"


@dataclass(frozen=True)
class CorsAnswer:
    """One answer to one origin.

    how: "preflight", "request", "signed in" (with a token) or "error" (a path that nobody has).  evil: why the
    origin must get nothing, empty for an allowed one.  allow: every Access-Control-Allow-Origin header.
    methods: those that a preflight allows, in capitals.  vary: the answer says that it depends on the origin.
    max_age_s: how long browsers may keep a preflight's answer.
    """

    path: str
    how: str
    method: str
    origin: str
    evil: str
    status: int
    allow: tuple[str, ...]
    credentials: bool
    methods: tuple[str, ...]
    vary: bool
    max_age_s: int | None


@dataclass(frozen=True)
class CorsFacts:
    """All answers, and what the environment file says.

    allowed: the origins that the target file names.  configured: those in the environment file, under key; None
    where they could not be seen (configured_problem), or are not there by declaration (no key).  unseen:
    requests without a usable answer.
    """

    allowed: tuple[str, ...]
    key: str
    configured: tuple[str, ...] | None
    configured_problem: str
    answers: tuple[CorsAnswer, ...]
    unseen: tuple[str, ...]

    def fixed(self, answer: CorsAnswer) -> bool:
        """Whether the path gives every origin the same permission, so that there is nothing to vary."""
        alike = [one for one in self.answers if (one.path, one.how) == (answer.path, answer.how)]
        return len(alike) > 1 and all(one.allow == answer.allow for one in alike)


@probe(
    facts=CorsFacts,
    deadline=40,
    needs=("api",),
    after=("ssh_gate", "acct"),
    uses={"api": "GET OPTIONS", "login": "POST", "host": "read"},
    reads=env.reads,
)
def cors(target: Target, connect: Connections) -> CorsFacts:
    """Send a preflight and a plain request to each group of routes, from every allowed origin and eight evil ones."""
    section = target.cors
    if section.allowed_origins is None:
        message = (
            f"no cors.allowed_origins in {target.path.name}; add the origins of your pages, or [] for none"
        )
        raise CannotLook(Reason.NO_CONFIG, message)
    look = _Look(connect, tuple(section.allowed_origins), target.target.base_url)
    http = connect.http("api")
    for path in section.route_groups or [target.auth.me_path]:
        look.group(http, path)
    if not section.route_groups:
        look.preflights(http, target.auth.login_path, "POST")
    look.error(http, f"/deploycheck-{connect.run_id.lower()}")
    if connect.has_account("test_account"):
        try:
            look.signed_in(connect.api(), target.auth.me_path)
        except (Dead, CannotLook) as why:
            look.unseen.append(f"signed in: {why.message}")
    configured, problem = _configured(target, connect)
    return CorsFacts(
        allowed=tuple(section.allowed_origins),
        key=target.env.cors_key,
        configured=configured,
        configured_problem=problem,
        answers=tuple(look.answers),
        unseen=tuple(look.unseen),
    )


def evil_origins(allowed: tuple[str, ...], base_url: str) -> dict[str, str]:
    """Return origin -> why it must get nothing, made from the first allowed origin or from our own address."""
    good = urlsplit(allowed[0] if allowed else base_url)
    host, port = good.hostname or "localhost", f":{good.port}" if good.port else ""
    parent = host.partition(".")[2] if host.count(".") > 1 else host
    found = {
        _STRANGER: "a stranger",
        f"https://{host}.evil.example": "begins like an allowed one",
        f"https://evil{host}{port}": "ends like an allowed one",
        f"http://{host}{port}": "without TLS",
        f"https://{host}:8443": "another port",
        "null": "null, which any sandboxed frame can send",
        f"https://deploycheck-unlisted.{parent}{port}": "an unlisted subdomain",
    }
    if "." in host:
        found[f"https://{host.replace('.', 'x', 1)}{port}"] = "an unescaped dot"
    return {origin: why for origin, why in found.items() if origin not in allowed}


class _Look:
    """Sends the requests one after the other and keeps what came back."""

    def __init__(self, connect: Connections, allowed: tuple[str, ...], base_url: str) -> None:
        self._connect = connect
        url = urlsplit(base_url)
        own = f"{url.scheme}://{url.netloc}"
        # Where no page may call, the origin that a page of ours would have is refused as well.
        self._own = () if allowed else ((own, "no origin is allowed"),)
        self._origins = [(origin, "") for origin in allowed]
        self._origins += [*self._own, *evil_origins(allowed, base_url).items()]
        self.answers: list[CorsAnswer] = []
        self.unseen: list[str] = []

    def group(self, http: Http, path: str) -> None:
        self.preflights(http, path, "GET")
        for origin, evil in self._origins:
            self._ask(http, path, "request", "GET", origin, evil)

    def preflights(self, http: Http, path: str, method: str) -> None:
        for origin, evil in self._origins:
            self._ask(http, path, "preflight", method, origin, evil)

    def error(self, http: Http, path: str) -> None:
        """Look at a refusal; one by the edge itself may lack the permission, so only evil origins count."""
        for origin, evil in self._origins:
            if evil:
                self._ask(http, path, "error", "GET", origin, evil)

    def signed_in(self, http: Http, path: str) -> None:
        for origin, evil in (self._origins[0], (_STRANGER, "a stranger")):
            self._ask(http, path, "signed in", "GET", origin, evil)

    def _ask(self, http: Http, path: str, how: str, method: str, origin: str, evil: str) -> None:
        headers = {"Origin": origin}
        if how == "preflight":
            headers |= {
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization,content-type",
            }
        verb = "OPTIONS" if how == "preflight" else "GET"
        try:
            answer = self._patient(http, verb, path, headers)
        except CannotLook as why:
            self.unseen.append(f"{how} of {path} from {origin}: {why.message}")
            return
        if answer.status == 429:
            self.unseen.append(f"{how} of {path} from {origin}: rate limited (429)")
            return
        self.answers.append(read(answer, path, how, method, origin, evil))

    def _patient(self, http: Http, verb: str, path: str, headers: dict[str, str]) -> Response:
        answer = http.request(verb, path, headers=headers)
        if answer.status == 429:
            asked = answer.header("retry-after") or ""
            self._connect.sleep(min(float(asked) if asked.isdigit() else 1.0, _WAIT_MAX_S))
            answer = http.request(verb, path, headers=headers)
        return answer


def read(answer: Response, path: str, how: str, method: str, origin: str, evil: str) -> CorsAnswer:
    """Return what an answer permits to an origin."""
    age = (answer.header("access-control-max-age") or "").strip()
    return CorsAnswer(
        path=path,
        how=how,
        method=method,
        origin=origin,
        evil=evil,
        status=answer.status,
        allow=tuple(value.strip()[:200] for value in answer.all("access-control-allow-origin")),
        credentials=(answer.header("access-control-allow-credentials") or "").strip().lower() == "true",
        methods=tuple(_list(answer, "access-control-allow-methods")),
        vary=bool({"ORIGIN", "*"} & set(_list(answer, "vary"))),
        max_age_s=int(age) if age.isdigit() else None,
    )


def _list(answer: Response, name: str) -> Iterator[str]:
    for value in answer.all(name):
        yield from (part.strip().upper() for part in value.split(",") if part.strip())


def _configured(target: Target, connect: Connections) -> tuple[tuple[str, ...] | None, str]:
    """Return the origins of the environment file; they are no secret."""
    key = target.env.cors_key
    if not key:
        return None, ""
    try:
        values = env.values(target, connect)
    except (Dead, CannotLook) as why:
        return None, why.message
    if key not in values:
        return None, (
            f"{env.path(target) or 'env.rendered'} has no {key}; name the key in env.cors_key, or set it to "
            '"" where the origins are configured elsewhere'
        )
    text = re.sub(r"[\[\]\"']", "", values[key])
    return tuple(part for part in re.split(r"[\s,;]+", text) if part), ""
