"""The authorization probe: every safe operation without a token, with every bad one, and with a good one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import jwt
from pytest_deploycheck.probes.fields import Fields, document
from pytest_deploycheck.probes.operations import Operation, OperationsFacts, plain, with_id

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

HIDDEN = (
    "/metrics /admin /admin/ /docs /redoc /swagger /swagger-ui/ /swagger-ui/index.html /swagger.json "
    "/api-docs /v2/api-docs /v3/api-docs /graphql /graphiql /playground /debug /debug/vars /debug/pprof/ "
    "/actuator /actuator/env /actuator/health /server-status /nginx_status /stub_status /console "
    "/phpinfo.php /.env /.git/config /.git/HEAD /config.json /trace /heapdump /internal /status /_debug /rails/info/routes"
).split()
"""Routes that are seldom in a specification and often left open."""

CATCH_ALL_BYTES = 128
"""By how much two copies of a catch-all page may differ: they may name the path, or carry a nonce."""


@dataclass(frozen=True)
class Tried:
    """One credential that must be refused, and the status of the answer."""

    says: str
    status: int


@dataclass(frozen=True)
class Access:
    """One operation.

    refused: the answer to no token and to every bad one.  granted: the answer to the test account's good
    token, None without an account.
    """

    name: str
    admin: bool
    refused: tuple[Tried, ...]
    granted: int | None


@dataclass(frozen=True)
class ForeignObject:
    """One user's object: the answers to its owner and to another user."""

    name: str
    owner: int
    other: int


@dataclass(frozen=True)
class OpenRoute:
    """A route outside the specification that answers 2xx to anybody."""

    path: str
    status: int
    content_type: str


@dataclass(frozen=True)
class AuthzFacts:
    """All operations with a safe method that are not public, and routes that nobody documents.

    problem: why there is no OpenAPI document.  skipped: operations beyond the limit, not asked.  resigned:
    the answer to a token that we signed again with the service's key, None without that key: unless it is
    accepted, the refusal of expired and misdirected tokens shows little.  objects: None when they could not
    be looked at, because of objects_problem.  unknown: status for a path that does not exist.
    """

    problem: str
    public: tuple[str, ...]
    accesses: tuple[Access, ...]
    skipped: tuple[str, ...]
    resigned: int | None
    objects: tuple[ForeignObject, ...] | None
    objects_problem: str
    hidden_asked: int
    open_routes: tuple[OpenRoute, ...]
    unknown: int


@probe(
    facts=AuthzFacts,
    deadline=90,
    needs=("acct",),
    safety="S2",
    uses={"api": "GET HEAD", "login": "POST"},
)
def authz(target: Target, connect: Connections, operations_facts: OperationsFacts) -> AuthzFacts:
    """Ask every safe operation with no token, bad tokens and a good one; look for routes nobody documents."""
    return _Look(target, connect).facts(operations_facts)


class Pace:
    """Keeps requests at or below a rate."""

    def __init__(self, connect: Connections, per_s: float) -> None:
        self._connect, self._gap_s = connect, 1 / max(per_s, 0.1)
        self._next = time.monotonic()

    def wait(self) -> None:
        """Wait until the next request may be sent."""
        ahead = self._next - time.monotonic()
        if ahead > 0:
            self._connect.sleep(ahead)
        self._next = max(self._next, time.monotonic()) + self._gap_s


class _Look:
    """Paced requests with and without tokens."""

    def __init__(self, target: Target, connect: Connections) -> None:
        self.target, self.connect = target, connect
        self.http: Http = connect.http("api")
        self.token = connect.token()
        self.pace = Pace(connect, target.limits.authz_max_rps)

    def facts(self, known: OperationsFacts) -> AuthzFacts:
        closed = [one for one in known.operations if one.safe and not one.public]
        limit = self.target.limits.authz_routes_max
        bad, resigned = self.bad_tokens()
        owned = self.owned_id()
        objects, objects_problem = self.foreign([one for one in closed if one.own_object], owned)
        unknown = self.ask("GET", f"/deploycheck-{self.connect.run_id.lower()}")
        return AuthzFacts(
            problem=known.problem,
            public=tuple(one.name for one in known.operations if one.public),
            accesses=tuple(self.access(one, bad, owned) for one in closed[:limit]),
            skipped=tuple(one.name for one in closed[limit:]),
            resigned=resigned,
            objects=objects,
            objects_problem=objects_problem,
            hidden_asked=len(HIDDEN),
            open_routes=tuple(self.hidden(known, unknown)),
            unknown=unknown.status,
        )

    def ask(self, method: str, path: str, token: str | None = None) -> Response:
        """Ask once, and once more when a rate limit says when to come back."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        self.pace.wait()
        answer = self.http.request(method, path, headers=headers)
        if answer.status == 429:
            wait = answer.header("retry-after") or "1"
            self.connect.sleep(min(float(wait) if wait.isdigit() else 1.0, 10.0) + 0.1)
            answer = self.http.request(method, path, headers=headers)
        return answer

    def bad_tokens(self) -> tuple[list[tuple[str, str | None]], int | None]:
        """Return what must be refused, and the answer to the token that we signed again."""
        parsed = jwt.parse(self.token)
        found: list[tuple[str, str | None]] = [("no token", None), ("garbage", "deploycheck.not-a.token")]
        if parsed is None:
            return [
                *found,
                ("a tampered token", f"{self.token[:-1]}{'A' if self.token[-1] != 'A' else 'B'}"),
            ], None
        secret = self.target.auth.jwt_secret
        sign = jwt.signer(parsed, self.connect.secret(secret)) if secret is not None else None
        variants = jwt.variants(parsed, sign=sign, public_pem=self.public_key(parsed))
        found += [(variant.name, variant.token) for variant in variants if variant.name != "garbage"]
        if sign is None:
            return found, None
        return found, self.ask("GET", self.target.auth.me_path, jwt.control(parsed, sign)).status

    def public_key(self, parsed: jwt.Parsed) -> bytes:
        if not parsed.alg.startswith(("RS", "PS")) or not self.target.auth.jwks_path:
            return b""
        keys = self.ask("GET", self.target.auth.jwks_path)
        return jwt.public_pem(document(keys), str(parsed.header.get("kid", "")))

    def owned_id(self) -> str:
        """Return the id of an object of the test account, empty when it has none."""
        path = self.target.api.wallet_path
        body = document(self.ask("GET", path, self.token)) if path else None
        return Fields(self.target.api.fields).text(body, "id") or ""

    def access(self, one: Operation, bad: list[tuple[str, str | None]], owned: str) -> Access:
        path = with_id(one.template, owned) if one.own_object and owned else one.path
        refused = tuple(Tried(says, self.ask(one.method, path, token).status) for says, token in bad)
        return Access(one.name, one.admin, refused, self.ask(one.method, path, self.token).status)

    def foreign(self, objects: list[Operation], owned: str) -> tuple[tuple[ForeignObject, ...] | None, str]:
        """Ask for the test account's objects as themselves and as another user."""
        file = self.target.path.name
        if not objects:
            return None, f"no GET operation in auth.object_ops of {file}; add those that take an object's id"
        if not self.connect.has_account("test_account_b"):
            return None, f"no auth.test_account_b in {file}; add username and password of another user"
        if not owned:
            return None, f"{self.target.api.wallet_path} of the test account shows no id"
        try:
            other = self.connect.token("test_account_b")
        except (Dead, CannotLook) as why:
            return None, why.message
        found = []
        for one in objects:
            path = with_id(one.template, owned)
            owner, stranger = self.ask(one.method, path, self.token), self.ask(one.method, path, other)
            found.append(ForeignObject(one.name, owner.status, stranger.status))
        return tuple(found), ""

    def hidden(self, known: OperationsFacts, unknown: Response) -> Iterator[OpenRoute]:
        """Yield the undocumented routes that are open; an application that answers every path is not one."""
        listed = {plain(one.name) for one in known.operations}
        public = {plain(name) for name in self.target.auth.public_ops}
        for path in HIDDEN:
            if plain(f"GET {path}") in listed | public:
                continue
            try:
                answer = self.ask("GET", path)
            except CannotLook:
                continue
            if 200 <= answer.status < 300 and not _alike(answer, unknown):
                yield OpenRoute(path, answer.status, (answer.header("content-type") or "")[:80])


def _alike(answer: Response, unknown: Response) -> bool:
    """Whether an answer is the page that a single-page application gives for every path."""
    same = (answer.status, answer.header("content-type")) == (unknown.status, unknown.header("content-type"))
    return same and abs(len(answer.body) - len(unknown.body)) <= CATCH_ALL_BYTES
