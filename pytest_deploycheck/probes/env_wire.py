"""What the public can see of the configuration: files that are served by mistake, the mode, traces in refusals."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import env
from pytest_deploycheck.probes.fields import document
from pytest_deploycheck.rules.env_types import PRODUCTION

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

ALWAYS = ("/.env", "/.env.production", "/.env.local", "/.env.bak")
TRACES: dict[str, re.Pattern[str]] = {
    "a Python traceback": re.compile(
        r"Traceback \(most recent call last\)|File \\?(?:\"|&quot;|&#34;)[^\"\n]{1,200}?\\?(?:\"|&quot;|&#34;), line \d+"
    ),
    "a JavaScript stack": re.compile(
        r"(?:\bat |&nbsp;at )(?:async )?[\w.$<>&; \[\]-]{0,80}\(?[\w./\\:@-]*[/\\][\w./\\@-]+\.[cm]?[jt]sx?:\d+:\d+"
    ),
    "a Java or .NET stack": re.compile(
        r"\bat [\w.$]+\([\w$]+\.(?:java|kt|scala):\d+\)| in [A-Z]?:?[\w./\\]+\.cs:line \d+"
    ),
    "a Go stack": re.compile(r"goroutine \d+ \[|\.go:\d+ \+0x[0-9a-f]+"),
    "a PHP trace": re.compile(r"#\d+ [\w./\\-]+\.php\(\d+\)|(?:in|on) [\w./\\-]+\.php(?: on line |:)\d+"),
    "a Ruby trace": re.compile(r"[\w./-]+\.rb:\d+:in [`']"),
    "a framework's debug page": re.compile(
        r"DEBUG\s*=\s*True|Werkzeug Debugger|Whoops, looks like something went wrong|Ignition|Rails\.root:"
        r"|sf-dump|Developer Exception Page|__debugger__|wdb-debugger"
    ),
}
"""What shows the inside of a program, by the languages and frameworks that print it."""
_ASSIGNMENT = re.compile(r"(?m)^\s*(?:export\s+)?[A-Z][A-Z0-9_]{2,}\s*=")
_MODE_KEYS = (
    "environment",
    "env",
    "mode",
    "node_env",
    "app_env",
    "stage",
    "profile",
    "profiles",
    "deployment",
)
_DEBUG_KEYS = ("debug", "debug_mode", "is_debug")


@dataclass(frozen=True)
class Served:
    """The answer to a path that must not be served; assignments: lines of the form NAME=value; html: a page."""

    path: str
    status: int
    assignments: int
    html: bool


@dataclass(frozen=True)
class Refusal:
    """A provoked refusal; traces: what of the inside its body shows."""

    label: str
    method: str
    path: str
    status: int
    traces: tuple[str, ...]


@dataclass(frozen=True)
class EnvWireFacts:
    """What was seen from outside.

    fallback: a path that nobody has is answered 200 with a page, as single-page applications do.  modes: what
    version and health say of where they run, as (path, word); expected_modes: what they may say.  debugging:
    paths whose answer says that debugging is on.  unseen: refusals that could not be provoked, and why.
    """

    served: tuple[Served, ...]
    fallback: bool
    modes: tuple[tuple[str, str], ...]
    expected_modes: tuple[str, ...]
    debugging: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    unseen: tuple[str, ...]


@probe(
    facts=EnvWireFacts,
    deadline=30,
    needs=("api",),
    uses={"api": "GET", "login": "POST"},
    safety="S2",
)
def env_wire(target: Target, connect: Connections) -> EnvWireFacts:
    """Ask for environment files by their names, for version and health, and for a refusal of each usual kind."""
    http = connect.http("api")
    stranger = http.get(f"/deploycheck-{connect.run_id.lower()}")
    told = [
        (path, document(http.get(path))) for path in (target.health.version_path, target.health.path) if path
    ]
    environment = target.target.environment
    refusals, unseen = _refusals(target, connect, http, stranger)
    return EnvWireFacts(
        served=tuple(_served(http, path) for path in _paths(target)),
        fallback=stranger.status == 200 and _is_html(stranger),
        modes=tuple((path, word) for path, body in told for word in _words(body, _MODE_KEYS)),
        expected_modes=PRODUCTION
        if environment == "production"
        else tuple(dict.fromkeys((*PRODUCTION, environment))),
        debugging=tuple(
            path for path, body in told if any(word.lower() == "true" for word in _words(body, _DEBUG_KEYS))
        ),
        refusals=refusals,
        unseen=unseen,
    )


def _paths(target: Target) -> tuple[str, ...]:
    """Return the paths under which files come out when a folder is served that should not be."""
    names = (env.path(target), target.env.template)
    return tuple(dict.fromkeys((*ALWAYS, *(f"/{posixpath.basename(name)}" for name in names if name))))


def _served(http: Http, path: str) -> Served:
    answer = http.get(path)
    return Served(path, answer.status, len(_ASSIGNMENT.findall(answer.text)), _is_html(answer))


def _is_html(answer: Response) -> bool:
    return "html" in (answer.header("content-type") or "").lower() or answer.text[
        :200
    ].lstrip().lower().startswith(("<!doctype html", "<html"))


def _words(body: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """Yield the values under some keys, at the first two levels of a document."""
    for name, value in body.items() if isinstance(body, dict) else ():
        if str(name).lower() in keys and isinstance(value, str | bool):
            yield str(value)[:80]
        elif isinstance(value, dict):
            yield from (
                str(inner)[:80]
                for key, inner in value.items()
                if str(key).lower() in keys and isinstance(inner, str | bool)
            )


def _refusals(
    target: Target, connect: Connections, http: Http, stranger: Response
) -> tuple[tuple[Refusal, ...], tuple[str, ...]]:
    login = target.auth.login_path
    found = [_refusal("not found", f"GET /deploycheck-{connect.run_id.lower()}", stranger)]
    unseen = []
    tries: tuple[tuple[str, str, Any], ...] = (
        ("method not allowed", f"GET {login}", lambda: http.get(login)),
        ("no token", f"GET {target.auth.me_path}", lambda: http.get(target.auth.me_path)),
        ("malformed body", f"POST {login}", lambda: _malformed(connect, login)),
    )
    for label, what, ask in tries:
        try:
            answer = ask()
        except CannotLook as why:
            unseen.append(f"{label}: {why.message}")
            continue
        if answer.status < 400:
            unseen.append(f"{label}: {what} answers {answer.status}")
        else:
            found.append(_refusal(label, what, answer))
    return tuple(found), tuple(unseen)


def _malformed(connect: Connections, path: str) -> Response:
    """Send a body that is no JSON, and no credentials, to the login."""
    headers = {"Content-Type": "application/json"}
    return connect.http("login").request("POST", path, data=b'{"deploycheck":', headers=headers)


def _refusal(label: str, what: str, answer: Response) -> Refusal:
    method, _, path = what.partition(" ")
    traces = tuple(name for name, pattern in TRACES.items() if pattern.search(answer.text))
    return Refusal(label, method, path, answer.status, traces)
