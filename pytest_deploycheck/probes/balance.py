"""Which backends answer: a few requests through the public door, each over a connection of its own."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Response

REQUESTS = 20
INSTANCE_HEADERS = (
    *(
        "instance",
        "x-instance",
        "x-instance-id",
        "x-served-by",
        "x-backend",
        "x-backend-server",
        "x-upstream",
    ),
    *("x-pod-name", "x-hostname", "x-container-id", "x-node", "server-instance"),
)
"""Usual names of the header by which an instance says which one it is."""


@dataclass(frozen=True)
class BalanceFacts:
    """What twenty requests to the health path met.

    statuses: how often each status came.  instances: answers of each instance, by the name it gives itself
    in `header`; both are empty where none does.  echoed: a forged sender address came back in an answer.
    """

    path: str
    requests: int
    statuses: tuple[tuple[int, int], ...]
    header: str
    instances: tuple[tuple[str, int], ...]
    echoed: bool
    mode: str
    min_backends: int


@probe(facts=BalanceFacts, deadline=30, needs=("api",), uses={"api": "GET"})
def balance(target: Target, connect: Connections) -> BalanceFacts:
    """Ask the health path twenty times, each time with a forged sender address, and see who answers."""
    forged = f"203.0.113.{secrets.randbelow(254) + 1}"  # RFC 5737: nobody's address
    marks = {"Connection": "close", "X-Forwarded-For": forged, "Cache-Control": "no-cache"}
    http = connect.http("api", headers=marks)
    path = target.health.path
    answers = [http.get(f"{path}?deploycheck={connect.run_id}-{number}") for number in range(REQUESTS)]
    header = target.lb.instance_header.lower() or _instance_header(answers)
    named = Counter(value for answer in answers if header and (value := answer.header(header)))
    return BalanceFacts(
        path=path,
        requests=len(answers),
        statuses=tuple(sorted(Counter(answer.status for answer in answers).items())),
        header=header,
        instances=tuple(sorted(named.items())),
        echoed=any(_holds(answer, forged) for answer in answers),
        mode=target.lb.mode,
        min_backends=target.lb.min_backends,
    )


def _instance_header(answers: list[Response]) -> str:
    return next((name for name in INSTANCE_HEADERS if all(answer.header(name) for answer in answers)), "")


def _holds(answer: Response, text: str) -> bool:
    return text in answer.text or any(text in value for _, value in answer.headers)
