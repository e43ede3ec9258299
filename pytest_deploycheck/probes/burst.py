"""The burst probe: each rate limit is driven over its edge, tried for ways around it, and left to recover."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.plots import Bars
from pytest_deploycheck.probes.burst_row import PolicyRow, Row
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.edge import RatePolicy
    from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class BurstFacts:
    """All policies of `[rate]`; the plot compares where each refused first with its limit."""

    rows: tuple[PolicyRow, ...]
    plot: Bars


@probe(
    facts=BurstFacts,
    deadline=95,
    needs=("api",),
    uses={"api": "GET", "login": "POST"},
    safety="S2",
    allow="burst",
    exclusive=True,
)
def burst(target: Target, connect: Connections) -> BurstFacts:
    """Send more requests than each rate-limit policy allows, from one source, within the request limits."""
    policies = target.rate.policies
    if not policies:
        message = f"no policies in [rate] of {target.path.name}; add route, limit and window_s of each"
        raise CannotLook(Reason.NO_CONFIG, message)
    rows = _side_by_side(target, connect, policies)
    bars = tuple(
        (f"{row.method} {row.route} (limit {row.limit})", float(row.refused_at or row.sent)) for row in rows
    )
    return BurstFacts(rows, Bars("Requests until the first refusal", "requests", bars))


def _side_by_side(target: Target, connect: Connections, policies: list[RatePolicy]) -> tuple[PolicyRow, ...]:
    """Try the rows at once: they have routes and counters of their own, and each waits for its window."""
    found: dict[int, PolicyRow] = {}
    errors: list[BaseException] = []

    def attempt(number: int, policy: RatePolicy) -> None:
        try:
            found[number] = Row(target, connect, policy).run()
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=attempt, args=(number, policy), daemon=True)
        for number, policy in enumerate(policies)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(connect.remaining())
    if errors:
        raise errors[0]
    connect.remaining()
    return tuple(found[number] for number in range(len(policies)))
