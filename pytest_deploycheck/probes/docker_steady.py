"""The second look at containers: whether they still are what they were some time ago."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes.docker_containers import moment
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.docker_facts import DockerFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

AGAIN = "docker inspect --format '{{.Id}} {{.RestartCount}} {{json .State}}' $(docker ps --all --quiet --no-trunc)"
DEADLINE_S = 330
"""Seconds, above the longest window that `limits.services_stable_s` can sensibly be."""


@dataclass(frozen=True)
class Later:
    """A container of the project that ran at the first look, and what became of it.

    gone: it is no longer there.  restarts, started_at: at the second look; `restarts_before` and
    `started_before` at the first.
    """

    label: str
    gone: bool
    running: bool
    health: str
    restarts_before: int
    restarts: int
    started_before: str
    started_at: str

    @property
    def steady(self) -> bool:
        """Whether the same process still runs."""
        return (
            not self.gone
            and self.running
            and self.restarts == self.restarts_before
            and self.started_at == self.started_before
        )


@dataclass(frozen=True)
class SteadyFacts:
    """Every container of the project that ran at the first look, seen again; window_s: seconds between the looks."""

    window_s: float
    containers: tuple[Later, ...]


@probe(facts=SteadyFacts, deadline=DEADLINE_S, needs=("ssh_gate", "docker_gate"), uses={"host": "read"})
def docker_steady(target: Target, connect: Connections, docker_facts: DockerFacts) -> SteadyFacts:
    """Look at the project's running containers again after a while: the second command on the server."""
    first = [one for one in docker_facts.own if one.running]
    began = connect.now()
    connect.sleep(target.limits.services_stable_s)
    again = read(connect.read(AGAIN).stdout)
    if again is None:
        raise CannotLook(Reason.UNPARSEABLE, "docker inspect printed no state of the containers")
    window = (connect.now() - began).total_seconds()
    found = []
    for one in first:
        restarts, state = again.get(one.id, (0, {}))
        health = state.get("Health") or state.get("Healthcheck")
        found.append(
            Later(
                label=one.label,
                gone=one.id not in again,
                running=state.get("Status") == "running",
                health=str((health if isinstance(health, dict) else {}).get("Status", "") or "none"),
                restarts_before=one.restarts,
                restarts=restarts,
                started_before=one.started_at,
                started_at=moment(state.get("StartedAt")),
            )
        )
    return SteadyFacts(round(window, 1), tuple(found))


def read(text: str) -> dict[str, tuple[int, dict[str, object]]] | None:
    """Return id -> restarts and state out of lines `ID RESTARTS JSON`; None when one is none of these."""
    found = {}
    for line in text.splitlines():
        id, _, rest = line.partition(" ")
        restarts, _, state = rest.partition(" ")
        try:
            found[id] = (int(restarts), dict(safe_json.loads(state)))
        except (ValueError, TypeError):
            return None
    return found
