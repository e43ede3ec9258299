"""The auth probe: a session from login to logout, and every credential that must be refused.

It runs alone, after the other probes: where a product allows one session a user, or where a logout ends
all of them, their tokens would die under them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import jwt
from pytest_deploycheck.probes.fields import document
from pytest_deploycheck.probes.session import RefreshFacts, Session, logout, refresh
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

REFUSALS = (400, 401, 403)
"""RFC 6750, 3.1: invalid_request, invalid_token, insufficient_scope."""
_PRIVATE = re.compile(
    r"(?i)^(?:e_?mail|phone|phone_?number|address|birth_?date|dob|ssn|tax_?id|iban|card|password|passwd|pwd|secret"
    r"|private_?key|mnemonic|seed|api_?key)$"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}")


@dataclass(frozen=True)
class TokenClaims:
    """What an access token says, without its values.

    alg: the header's algorithm, empty for an opaque token.  names: its claims.  missing: required ones
    that it lacks.  private: claims that hold personal data or secrets.  ttl_s: its lifetime in seconds,
    from exp and iat or from the login's answer; None when neither tells.  refresh_ttl_s: the same of the
    refresh token.
    """

    alg: str
    names: tuple[str, ...]
    missing: tuple[str, ...]
    private: tuple[str, ...]
    ttl_s: float | None
    refresh_ttl_s: float | None


@dataclass(frozen=True)
class Refusal:
    """How a bad credential was answered; `challenge`: with WWW-Authenticate; `says`: what was sent."""

    says: str
    status: int
    challenge: bool

    @property
    def refused(self) -> bool:
        """Whether it was refused, and not by accident."""
        return self.status in REFUSALS


@dataclass(frozen=True)
class AuthFacts:
    """One session and all refusals.

    algs: the algorithms that the target file allows.  account_status, names_account: what the account's
    own path answers to the new token, and whether that is this account.  wrong_password, unknown_user:
    how these logins are refused; alike: by answers that do not tell one from the other.  resigned_status:
    the answer to a token that was signed again with the key of `auth.jwt_secret`; None without that key.
    key_known: whether that key signed the token, None when none is configured.  refused: the tokens that
    must be.  control_status: the good token's answer after all of these.  refresh, logout_dead: None
    where the product has none; logout_dead: whether the refresh token died with the logout.
    """

    login_path: str
    account_path: str
    algs: tuple[str, ...]
    token: TokenClaims
    account_status: int
    names_account: bool
    wrong_password: Refusal
    unknown_user: Refusal
    alike: bool
    key_known: bool | None
    resigned_status: int | None
    refused: tuple[Refusal, ...]
    control_status: int
    rotation_required: bool
    refresh: RefreshFacts | None
    logout_dead: bool | None

    @property
    def expired(self) -> tuple[Refusal, ...]:
        """The expired tokens among the refused; one that we signed counts only if our signature does."""
        signed = self.resigned_status is not None and self.resigned_status < 300
        return tuple(
            one
            for one in self.refused
            if one.says == "captured, expired" or (one.says == "expired" and (signed or not one.refused))
        )


@probe(
    facts=AuthFacts,
    deadline=60,
    needs=("api",),
    uses={"api": "GET POST", "login": "POST"},
    safety="S2",
    exclusive=True,
)
def auth(target: Target, connect: Connections) -> AuthFacts:
    """Log in, use, refresh and end a session; try two wrong logins and tokens that must be refused."""
    section = target.auth
    if section.test_account is None:
        message = f"no auth.test_account in {target.path.name}; add username and password"
        raise CannotLook(Reason.NO_CONFIG, message)
    wrong = _patient(connect, lambda: connect.login("test_account", f"not-{connect.run_id}"))
    stranger = f"deploycheck-{connect.run_id[-8:]}"
    form = {section.username_field: stranger, "password": f"not-{connect.run_id}"}
    login = connect.http("login")
    unknown = _patient(connect, lambda: login.post(section.login_path, json=form, credentials=True))
    # After the wrong ones, so that a service which now refuses everybody is found out.
    session = log_in(connect)
    http = connect.http("api")
    me = _ask(connect, http, section.me_path, session.access)
    parsed = jwt.parse(session.access)
    sign = _signer(target, connect, parsed)
    resigned = None
    if parsed is not None and sign is not None:
        resigned = _ask(connect, http, section.me_path, jwt.control(parsed, sign)).status
    refused = tuple(
        _refusal(says, _ask(connect, http, section.me_path, token))
        for says, token in _bad_tokens(target, connect, session.access, parsed, sign)
    )
    control = _ask(connect, http, section.me_path, session.access)

    def use(token: str) -> int:
        return _ask(connect, http, section.me_path, token).status

    renewed, session = refresh(session, http, section.refresh_path, use)
    if renewed is not None and section.logout_path and use(session.access) in REFUSALS:
        session = log_in(connect)  # the replay of the old refresh token ended the whole session, as it may
    return AuthFacts(
        login_path=section.login_path,
        account_path=section.me_path,
        algs=tuple(section.alg),
        token=_claims(target, session, parsed),
        account_status=me.status,
        names_account=_names(me, section.test_account.username, parsed),
        wrong_password=_refusal("wrong password", wrong),
        unknown_user=_refusal("unknown user", unknown),
        alike=_shape(wrong, section.test_account.username) == _shape(unknown, stranger),
        key_known=None if section.jwt_secret is None or parsed is None else sign is not None,
        resigned_status=resigned,
        refused=refused,
        control_status=control.status,
        rotation_required=section.refresh_rotation,
        refresh=renewed,
        logout_dead=logout(session, http, section.logout_path, section.refresh_path),
    )


def log_in(connect: Connections) -> Session:
    """Log the test account in for a session of our own; a refusal is the dead gate acct."""
    answer = _patient(connect, lambda: connect.login("test_account"))
    session = Session.of(answer)
    if session is None:
        raise Dead("acct", f"login of test_account answers {answer.status} and gives no token")
    connect.learn_secret(session.access)
    connect.learn_secret(session.refresh)
    return session


def _patient(connect: Connections, ask: Callable[[], Response]) -> Response:
    """Ask once more when told to come back soon; a rate limit's refusal proves nothing about credentials."""
    answer = ask()
    if answer.status == 429:
        wait = answer.header("retry-after") or "1"
        connect.sleep(min(float(wait) if wait.isdigit() else 1.0, 10.0) + 0.1)
        answer = ask()
    if answer.status == 429:
        raise CannotLook(Reason.NO_EVIDENCE, f"{answer.url} is rate limited (429) for this runner; try later")
    return answer


def _ask(connect: Connections, http: Http, path: str, token: str | None) -> Response:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return _patient(connect, lambda: http.get(path, headers=headers))


def _refusal(says: str, answer: Response) -> Refusal:
    return Refusal(says, answer.status, answer.header("www-authenticate") is not None)


def _signer(target: Target, connect: Connections, parsed: jwt.Parsed | None) -> jwt.Sign | None:
    if parsed is None or target.auth.jwt_secret is None:
        return None
    return jwt.signer(parsed, connect.secret(target.auth.jwt_secret))


def _bad_tokens(
    target: Target, connect: Connections, token: str, parsed: jwt.Parsed | None, sign: jwt.Sign | None
) -> Iterator[tuple[str, str | None]]:
    yield "no token", None
    if parsed is None:
        yield "garbage", "deploycheck.not-a.token"
        yield "tampered", token[:-1] + ("A" if token[-1] != "A" else "B")
    else:
        pem = b""
        if parsed.alg.startswith("RS") and target.auth.jwks_path:
            keys = connect.http("api").get(target.auth.jwks_path)
            pem = jwt.public_pem(document(keys), str(parsed.header.get("kid", "")))
        for variant in jwt.variants(parsed, sign=sign, public_pem=pem):
            yield variant.name, variant.token
    if target.auth.expired_token is not None:
        captured = connect.secret(target.auth.expired_token).strip()
        old = jwt.parse(captured)
        if old is not None and not 0 < float(old.claims.get("exp", 0)) < connect.now().timestamp():
            raise CannotLook(
                Reason.NO_CONFIG, "the token of auth.expired_token has not expired; capture another"
            )
        yield "captured, expired", captured


def _claims(target: Target, session: Session, parsed: jwt.Parsed | None) -> TokenClaims:
    claims = parsed.claims if parsed else {}
    private = (
        name
        for name, value in claims.items()
        if name not in target.auth.allowed_claims
        and (_PRIVATE.match(name) or (isinstance(value, str) and _EMAIL.fullmatch(value)))
    )
    old = jwt.parse(session.refresh)
    return TokenClaims(
        alg=parsed.alg if parsed else "",
        names=tuple(claims),
        missing=tuple(name for name in target.auth.required_claims if name not in claims) if parsed else (),
        private=tuple(private),
        ttl_s=jwt.lifetime(claims) if parsed else session.expires_in_s,
        refresh_ttl_s=jwt.lifetime(old.claims) if old else session.refresh_expires_in_s,
    )


def _names(answer: Response, username: str, parsed: jwt.Parsed | None) -> bool:
    """Whether an account's own path names it: by its user name, or by the id that its token is for."""
    subject = str(parsed.claims.get("sub", "")) if parsed else ""
    values = {value.lower() for value in _values(document(answer))}
    return username.lower() in values or (subject != "" and subject.lower() in values)


def _shape(answer: Response, username: str) -> tuple[int, str, str]:
    """Return what of an answer an outsider can tell users apart by: ids, times and the name are taken out."""
    text = answer.text.replace(username, "")
    text = re.sub(r"[0-9a-fA-F]{8}[0-9a-fA-F-]{8,}|\d[\d:.TZ+-]*", "#", text)
    return answer.status, (answer.header("content-type") or ""), text


def _values(body: Any) -> Iterator[str]:
    if isinstance(body, dict | list):
        for entry in body.values() if isinstance(body, dict) else body:
            yield from _values(entry)
    elif body is not None:
        yield str(body)
