"""The same question for operations that would change something: sent with a body that nothing can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes.authz import Pace, Tried
from pytest_deploycheck.probes.fields import Fields, document

if TYPE_CHECKING:
    from pytest_deploycheck.probes.operations import OperationsFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

CONTENT_TYPE = "application/x-deploycheck"
_CREDENTIALS = (("no token", None), ("garbage", "Bearer deploycheck.not-a.token"))


@dataclass(frozen=True)
class WriteAccess:
    """One operation: how no token and a bad one were answered; made: the id of what it made by mistake."""

    name: str
    refused: tuple[Tried, ...]
    made: str


@dataclass(frozen=True)
class AuthzWritesFacts:
    """All operations with an unsafe method that are not public."""

    problem: str
    accesses: tuple[WriteAccess, ...]


@probe(
    facts=AuthzWritesFacts,
    deadline=60,
    safety="S2",
    allow="negative-writes",
    uses={"api": "POST PUT PATCH DELETE"},
)
def authz_writes(target: Target, connect: Connections, operations_facts: OperationsFacts) -> AuthzWritesFacts:
    """Send every unsafe operation without a good token: nil ids, and a body that no service can read."""
    http = connect.http("api")
    pace = Pace(connect, target.limits.authz_max_rps)
    found = []
    closed = [one for one in operations_facts.operations if not one.safe and not one.public]
    for one in closed[: target.limits.authz_routes_max]:
        tried, made = [], ""
        for says, credential in _CREDENTIALS:
            pace.wait()
            headers = {"Content-Type": CONTENT_TYPE, "Authorization": credential}
            answer = http.request(one.method, one.path, data=b"deploycheck", headers=headers)
            tried.append(Tried(says, answer.status))
            if 200 <= answer.status < 300:
                made = (
                    Fields(target.api.fields).text(document(answer), "id") or answer.header("location") or "?"
                )
        found.append(WriteAccess(one.name, tuple(tried), made[:100]))
    return AuthzWritesFacts(operations_facts.problem, tuple(found))
