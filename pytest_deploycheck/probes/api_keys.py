"""Keys for other people's services: each is shown to its service with one reading request, and judged by the body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import env
from pytest_deploycheck.rules.placeholders import placeholder
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.environment import ApiKey
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Response


@dataclass(frozen=True)
class Kind:
    """How a service is asked whether it knows a key.

    url: its own address.  path: what is read; the words in braces come from the target file.  header: where the
    key goes; empty for Etherscan's, which has it in the query.  proves: keys of the answer's JSON of which one
    must be there, so that a page that says 200 to anything proves nothing; none: any JSON does.
    """

    url: str
    path: str
    header: str = "Authorization: Bearer {key}"
    proves: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "etherscan": Kind("https://api.etherscan.io/v2/api", "", ""),
    "grafana": Kind("", "/api/org", proves=("id", "name")),
    "sentry": Kind("https://sentry.io", "/api/0/projects/{org}/{project}/", proves=("id", "slug")),
    "bugsink": Kind("", "/api/canonical/0/projects/{project}/", proves=("id", "slug")),
    "pagerduty": Kind(
        "https://api.pagerduty.com", "/users?limit=1", "Authorization: Token token={key}", ("users",)
    ),
    "opsgenie": Kind(
        "https://api.opsgenie.com", "/v2/users?limit=1", "Authorization: GenieKey {key}", ("data",)
    ),
    "betterstack": Kind("https://uptime.betterstack.com", "/api/v2/monitors", proves=("data",)),
    "bearer": Kind("", "/"),
}
"""Paths and headers as the services document them."""


@dataclass(frozen=True)
class KeyAnswer:
    """What a service says to a key, without the key.

    present, placeholder: of the value in the environment file.  asked: the address, without the key.  status:
    None where it was not asked, or gave no answer (problem).  accepted: the service knows the key.  says: its
    refusal, in its own words.
    """

    name: str
    env_key: str
    kind: str
    present: bool
    placeholder: bool
    asked: str
    status: int | None
    accepted: bool
    says: str
    problem: str


@dataclass(frozen=True)
class ApiKeysFacts:
    """Every declared key. declared: how many there are."""

    declared: int
    keys: tuple[KeyAnswer, ...]


@probe(
    facts=ApiKeysFacts,
    deadline=40,
    needs=("ssh_gate",),
    uses={"host": "read", "api_keys": "GET"},
    reads=env.reads,
)
def api_keys(target: Target, connect: Connections) -> ApiKeysFacts:
    """Show each key of the environment file to its service, once, with a request that only reads."""
    declared = target.api_keys.keys
    if not declared:
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no api_keys.keys in {target.path.name}; add a name, env_key and kind for each service whose key "
            "the application has",
        )
    values = env.values(target, connect)
    return ApiKeysFacts(
        declared=len(declared),
        keys=tuple(_shown(target, connect, one, values.get(one.env_key, "").strip()) for one in declared),
    )


def _shown(target: Target, connect: Connections, one: ApiKey, value: str) -> KeyAnswer:
    kind = KINDS[one.kind]
    base = str(one.url or _known_url(target, one.kind) or kind.url)
    seen = KeyAnswer(
        name=one.name,
        env_key=one.env_key,
        kind=one.kind,
        present=bool(value),
        placeholder=placeholder(value, target.env.placeholder_patterns),
        asked="",
        status=None,
        accepted=False,
        says="",
        problem="",
    )
    if not value or seen.placeholder:
        return seen
    connect.learn_secret(value)
    if not base:
        return replace(seen, problem=f"no url for {one.name} in api_keys.keys; add it")
    try:
        path = (one.path or kind.path).format(**_words(target))
    except KeyError as missing:
        return replace(seen, problem=f"no errors.{missing.args[0]} in {target.path.name}; add it, or a path")
    header = one.header or kind.header
    name, _, content = header.partition(": ")
    headers = {name: content.replace("{key}", value)} if header else {}
    query = {} if header else {**_ETHERSCAN, "chainid": target.contract.chain_id, "apikey": value}
    http = connect.http("api_keys", base=base, headers=headers)
    try:
        answer = http.get(path, params=query, credentials=True)
    except (Dead, CannotLook) as why:
        return replace(seen, asked=base + path, problem=why.message)
    if unavailable := _unavailable(answer):
        return replace(seen, asked=base + path, problem=unavailable)
    accepted, says = JUDGES.get(one.kind, _by_status)(answer, kind)
    return replace(
        seen, asked=base + path, status=answer.status, accepted=accepted, says=says.replace(value, "…")[:200]
    )


_ETHERSCAN = {"module": "stats", "action": "ethsupply"}


def _known_url(target: Target, kind: str) -> str:
    """Return the address that another section of the target file has already."""
    if kind == "etherscan":
        return target.explorer.etherscan_url
    if kind == "grafana" and target.grafana is not None:
        return target.grafana.url
    if kind in ("sentry", "bugsink") and target.errors is not None:
        return target.errors.api_base
    return ""


def _words(target: Target) -> dict[str, str]:
    errors = target.errors
    words = {"org": errors.org, "project": errors.project} if errors is not None else {}
    return {name: value for name, value in words.items() if value}


def _unavailable(answer: Response) -> str:
    """Return why an answer says nothing about the key: the service is down, or too much was asked of it."""
    body = _json(answer)
    told = str(body.get("result", "")) if isinstance(body, dict) else ""
    limited = answer.status == 429 or "rate limit" in told.lower()
    if limited or answer.status >= 500:
        return f"answers {answer.status}{', rate limited' if limited else ''}; try again later"
    return ""


def _by_status(answer: Response, kind: Kind) -> tuple[bool, str]:
    """Accept a 2xx answer whose JSON holds what the service's does."""
    body = _json(answer)
    told: Any = ""
    if isinstance(body, dict):
        told = body.get("message") or body.get("error") or body.get("detail")
        told = told.get("message") if isinstance(told, dict) else told
    says = str(told or answer.text.strip()[:120])
    if not 200 <= answer.status < 300:
        return False, says
    if body is None or (kind.proves and not (isinstance(body, dict) and set(kind.proves) & body.keys())):
        return False, f"answers {answer.status}, but not as this service does"
    return True, ""


def _by_body(answer: Response, kind: Kind) -> tuple[bool, str]:
    """Accept what says OK in its body: Etherscan answers 200 to a wrong key as well."""
    body = _json(answer)
    if not isinstance(body, dict) or "status" not in body:
        return False, f"answers {answer.status} without the body of Etherscan's API"
    if str(body["status"]) == "1" and 200 <= answer.status < 300:
        return True, ""
    return False, f"{body.get('message', '')}: {body.get('result', '')}"


JUDGES: Mapping[str, Callable[[Response, Kind], tuple[bool, str]]] = {"etherscan": _by_body}


def _json(answer: Response) -> Any:
    try:
        return answer.json()
    except CannotLook:
        return None
