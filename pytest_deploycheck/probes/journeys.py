"""The journeys probe: what synthetic users found who log in, look at their wallet and ask for a price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes.promql import client

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class Journey:
    """One journey: how its last runs ended (1 is well, the worst runner counts), and the age of the last one.

    Both None where Prometheus has no series of it.
    """

    name: str
    success: float | None
    age_s: float | None


@dataclass(frozen=True)
class JourneysFacts:
    """The declared journeys, and all that report under the metric."""

    metric: str
    run_metric: str
    journeys: tuple[Journey, ...]
    reported: tuple[str, ...]


@probe(facts=JourneysFacts, deadline=15, needs=("prom_gate",), uses={"prometheus": "GET"})
def journeys(target: Target, connect: Connections) -> JourneysFacts:
    """Ask Prometheus how each synthetic journey ended and when it was made."""
    section, prom = target.triggers, client(target, connect)
    label, now = section.journey_label, prom.now()
    success = {s.label(label): s.value for s in prom.instant(f"min by ({label}) ({section.journey_metric})")}
    ran = {s.label(label): s.value for s in prom.instant(f"max by ({label}) ({section.journey_run_metric})")}
    return JourneysFacts(
        metric=section.journey_metric,
        run_metric=section.journey_run_metric,
        journeys=tuple(
            Journey(name, success.get(name), round(now - ran[name], 1) if name in ran else None)
            for name in section.journeys
        ),
        reported=tuple(sorted(success)),
    )
