"""The regression probe: response times and errors since the deployment, beside those of the same hours before it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes.promql import PromQL, client, duration
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.monitoring import PrometheusSection
    from pytest_deploycheck.transports import Connections

STATUS_LABELS = ("status", "code", "status_code", "http_status_code", "http_response_status_code")
"""Labels that hold the status of an answer, as the usual client libraries name them."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of time, by Unix times: requests, the 95th percentile in seconds, the share of server errors.

    Each is None where Prometheus has no data of it.
    """

    start: float
    end: float
    requests: float | None
    p95_s: float | None
    error_ratio: float | None

    @property
    def per_s(self) -> float | None:
        """Requests per second."""
        span = self.end - self.start
        return None if self.requests is None or span <= 0 else self.requests / span


@dataclass(frozen=True)
class RegressionFacts:
    """Since the deployment, and before it.

    before: a whole number of periods (days) earlier, so that the same hours are compared.  first_deploy: the
    target file says that nothing was there before.  earlier_requests: all that were counted in the period before
    the deployment, None where nothing was.
    """

    after: Stretch
    before: Stretch
    first_deploy: bool
    earlier_requests: float | None
    deployed_at: str


@probe(facts=RegressionFacts, deadline=30, needs=("prom_gate",), uses={"prometheus": "GET"})
def regression(target: Target, connect: Connections) -> RegressionFacts:
    """Ask Prometheus for response times, errors and traffic since the deployment and before it."""
    deployed, section = target.release.deployed_at, target.prometheus
    assert section is not None  # its gate is open
    if deployed is None:
        raise CannotLook(Reason.NO_CONFIG, f"no release.deployed_at in {target.path.name}; add it")
    prom, period = client(target, connect), target.limits.regression_period_s
    now, began = prom.now(), deployed.timestamp()
    if now <= began:
        raise CannotLook(Reason.NO_CONFIG, "release.deployed_at lies in the future of Prometheus's clock")
    start = max(began, now - period)
    shift = math.ceil((now - began) / period) * period
    return RegressionFacts(
        after=_stretch(prom, section, start, now),
        before=_stretch(prom, section, start - shift, now - shift),
        first_deploy=target.release.first_deploy,
        earlier_requests=_requests(prom, section, period, began),
        deployed_at=deployed.isoformat(),
    )


def _stretch(prom: PromQL, section: PrometheusSection, start: float, end: float) -> Stretch:
    span = end - start
    requests = _requests(prom, section, span, end)
    buckets = f"sum by (le) (rate({section.latency_metric}_bucket[{duration(span)}]))"
    p95 = prom.value(f"histogram_quantile(0.95, {buckets})", at=end)
    if p95 is None:
        native = f"sum(rate({section.latency_metric}[{duration(span)}]))"
        p95 = prom.value(f"histogram_quantile(0.95, {native})", at=end)
    unit = 0.001 if re.search(r"_(?:ms|milliseconds)$", section.latency_metric) else 1.0
    return Stretch(
        start=round(start, 1),
        end=round(end, 1),
        requests=None if requests is None else round(requests, 1),
        p95_s=None if p95 is None else round(p95 * unit, 4),
        error_ratio=_errors(prom, section, span, end, requests),
    )


def _requests(prom: PromQL, section: PrometheusSection, span: float, end: float) -> float | None:
    return prom.value(f"sum(increase({section.traffic_metric}[{duration(span)}]))", at=end)


def _errors(
    prom: PromQL, section: PrometheusSection, span: float, end: float, requests: float | None
) -> float | None:
    """Return the share of server errors; None without requests, or where no label tells how they ended."""
    if not requests:
        return None
    labelled = " or ".join(f'{section.traffic_metric}{{{name}!=""}}' for name in STATUS_LABELS)
    if not prom.value(f"count(({labelled}))", at=end):
        return None
    failed = " or ".join(
        f'increase({section.traffic_metric}{{{name}=~"5.."}}[{duration(span)}])' for name in STATUS_LABELS
    )
    return round((prom.value(f"sum({failed})", at=end) or 0.0) / requests, 6)
