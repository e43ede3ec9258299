"""The routes that the service really answers, as its request counter names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

METHOD_LABELS = ("method", "http_method", "verb", "http_request_method")
STATUS_LABELS = ("status", "code", "status_code", "http_status_code", "http_response_status_code")
ROUTES_MAX = 500
_ABSENT = ("404", "405")


@dataclass(frozen=True)
class Route:
    """A route that was answered other than by "there is nothing here"; method is empty where nobody tells."""

    method: str
    route: str


@dataclass(frozen=True)
class ApiRoutesFacts:
    """All routes that the counter `metric` has by its `label`; undocumented: those that are so on purpose."""

    metric: str
    label: str
    routes: tuple[Route, ...]
    undocumented: tuple[str, ...]


@probe(facts=ApiRoutesFacts, deadline=15, needs=("prom_gate",), uses={"prometheus": "GET"})
def api_routes(target: Target, connect: Connections) -> ApiRoutesFacts:
    """Ask Prometheus which routes were answered."""
    section = target.prometheus
    assert section is not None  # its gate is open
    prom = promql.client(target, connect)
    by = ", ".join((section.route_label, *METHOD_LABELS, *STATUS_LABELS))
    found = prom.instant(f"count by ({by}) ({section.traffic_metric} > 0)")
    told = [sample for sample in found if sample.label(section.route_label)]
    if not told:
        raise CannotLook(
            Reason.NO_EVIDENCE,
            f"{section.traffic_metric} has no series with the label {section.route_label!r}; set prometheus.route_label",
        )
    routes = {
        (_first(sample, METHOD_LABELS).upper(), sample.label(section.route_label)[:200])
        for sample in told
        if _first(sample, STATUS_LABELS) not in _ABSENT
    }
    return ApiRoutesFacts(
        metric=section.traffic_metric,
        label=section.route_label,
        routes=tuple(Route(*one) for one in sorted(routes)[:ROUTES_MAX]),
        undocumented=tuple(target.api.undocumented),
    )


def _first(sample: promql.Sample, names: tuple[str, ...]) -> str:
    return next((sample.label(name) for name in names if sample.label(name)), "")
