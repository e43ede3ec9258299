"""The Prometheus probe: whether everything is scraped, has been for a while, and whether the numbers move.

A target that is up proves little: the exporter may have lost the server behind it, the whole job may be
missing, and a counter may stand still while it is scraped every second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes.prometheus_targets import JobScrapes, ScrapeTarget, job_scrapes, scraped
from pytest_deploycheck.probes.promql import PromQL, QueryRefused, client, duration, seconds

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http

PUBLIC_PATHS = ("/prometheus/api/v1/status/buildinfo", "/api/v1/status/buildinfo")
"""Where proxies usually put Prometheus; none may answer outsiders."""
MOVEMENT_WAIT_MAX_S = 75.0
PATIENCE_S = 8.0
"""So long a look waits for a history that is only just too short."""


@dataclass(frozen=True)
class Backend:
    """What an exporter says of the server behind it."""

    metric: str
    job: str
    instance: str
    up: bool


@dataclass(frozen=True)
class Movement:
    """Requests that were sent through the public door, and by how much the counter grew meanwhile.

    metric, path: what was asked for and where.  sent: requests answered below 500.  grown: by all instances
    together, None when the counter has no series.  waited_s: until then.  still: instances that counted
    nothing within the window while the others counted `others` requests each on average.
    """

    metric: str
    path: str
    sent: int
    grown: float | None
    waited_s: float
    still: tuple[str, ...]
    others: float


@dataclass(frozen=True)
class PrometheusFacts:
    """One Prometheus and what it collects.

    jobs: required job -> least number of targets.  dropped: targets that relabelling dropped, by job.
    scrapes: by job over `window_s` seconds.  metrics: required metric -> its number of series now.
    reload_ok: whether the configuration on its disk was accepted, None when unknown.  retention_s: how long
    data is kept, None when bounded by size only (`retention` is the setting).  oldest_s: age of the oldest
    data.  head_age_s: age of the newest sample.  movement: None when the API took no request.  exposed:
    public paths at which it answers anybody, None when the public door answers nothing.
    """

    version: str
    jobs: tuple[tuple[str, int], ...]
    targets: tuple[ScrapeTarget, ...]
    dropped: tuple[tuple[str, int], ...]
    window_s: float
    scrapes: tuple[JobScrapes, ...]
    backends: tuple[Backend, ...]
    metrics: tuple[tuple[str, int], ...]
    movement: Movement | None
    reload_ok: bool | None
    retention: str
    retention_s: float | None
    oldest_s: float | None
    head_age_s: float | None
    exposed: tuple[str, ...] | None

    def of(self, job: str) -> tuple[ScrapeTarget, ...]:
        """Return the active targets of a job."""
        return tuple(target for target in self.targets if target.job == job)


@probe(
    facts=PrometheusFacts,
    deadline=110,
    needs=("prom_gate",),
    uses={"prometheus": "GET", "api": "GET", "login": "POST"},
)
def prometheus(target: Target, connect: Connections) -> PrometheusFacts:
    """Read targets, their history, required metrics and storage; send a few requests and see them counted."""
    section, limits = target.prometheus, target.limits
    assert section is not None  # else its gate were closed
    prom = client(target, connect)
    runtime = _object(prom, "status/runtimeinfo")
    retention = str(runtime.get("storageRetention", ""))
    interval = max((t.interval_s for t in scraped(prom, limits.prom_window_s)[0]), default=15.0)
    movement = _movement(target, connect, prom, interval)
    metrics = tuple((name, int(prom.value(f"count({name})") or 0)) for name in section.required_metrics)
    oldest = _history(prom, connect, limits.prom_window_s)
    # Last, since the history of a fresh deployment grows while the counter is waited for.
    targets, dropped = scraped(prom, limits.prom_window_s)
    return PrometheusFacts(
        version=str(_object(prom, "status/buildinfo").get("version", "")),
        jobs=tuple(section.jobs.items()),
        targets=targets,
        dropped=dropped,
        window_s=limits.prom_window_s,
        scrapes=job_scrapes(prom, limits.prom_window_s),
        backends=_backends(prom, section.backends),
        metrics=metrics,
        movement=movement,
        reload_ok=runtime.get("reloadConfigSuccess"),
        retention=retention,
        retention_s=_retention_s(retention),
        oldest_s=oldest,
        head_age_s=_try(prom, "time() - max(timestamp(up))"),
        exposed=_exposed(connect.http("api")),
    )


def _object(prom: PromQL, path: str) -> dict[str, Any]:
    """Return an object of the status API; compatible servers lack some of them."""
    try:
        found = prom.get(path)
    except CannotLook:
        return {}
    return found if isinstance(found, dict) else {}


def _history(prom: PromQL, connect: Connections, window_s: float) -> float | None:
    """Return how far the data reaches back, after a moment's patience when it is only just too short."""
    waited = 0.0
    while True:
        oldest = _try(prom, "time() - min(prometheus_tsdb_lowest_timestamp_seconds)")
        missing = window_s - oldest if oldest is not None else 0.0
        if missing <= 0 or missing > PATIENCE_S or waited > PATIENCE_S:
            return round(oldest, 1) if oldest is not None else None
        connect.sleep(min(missing + 0.2, 1.0))
        waited += 1.0


def _try(prom: PromQL, query: str) -> float | None:
    try:
        return prom.value(query)
    except QueryRefused:
        return None


def _retention_s(setting: str) -> float | None:
    """Return the time bound of a setting such as "30d", "15d or 50GiB" or "50GiB"."""
    return next((span for part in setting.split(" or ") if (span := seconds(part))), None)


def _backends(prom: PromQL, metrics: list[str]) -> tuple[Backend, ...]:
    if not metrics:
        return ()
    found = prom.instant(f'{{__name__=~"{"|".join(metrics)}"}}')
    return tuple(
        Backend(s.label("__name__"), s.label("job"), s.label("instance"), s.value == 1)
        for s in sorted(found, key=lambda sample: sample.labels)
    )


def _exposed(http: Http) -> tuple[str, ...] | None:
    try:
        answers = [(path, http.get(path)) for path in PUBLIC_PATHS]
    except (Dead, CannotLook):
        return None
    return tuple(path for path, got in answers if got.status == 200 and b'"goVersion"' in got.body)


def _movement(target: Target, connect: Connections, prom: PromQL, interval_s: float) -> Movement | None:
    """Send requests that any product counts, and wait for two scrapes at most until they show."""
    section, limits = target.prometheus, target.limits
    assert section is not None
    query = f"sum by (instance) ({section.traffic_metric})"
    before = _counted(prom, query)
    try:
        path, http = _ordinary_request(target, connect)
        nonces = [f"{connect.run_id}-m{number}" for number in range(limits.prom_movement_requests)]
        answers = [http.get(path, params={"dc": nonce}) for nonce in nonces]
    except (Dead, CannotLook):
        return None
    sent = sum(answer.status < 500 for answer in answers)
    patience = min(max(2 * interval_s + 3.0, limits.prom_movement_s), MOVEMENT_WAIT_MAX_S)
    waited = 0.0
    step = max(0.2, interval_s / 4)
    while True:
        grown = _growth(before, _counted(prom, query))
        if grown is None or grown >= sent or waited >= patience:
            break
        connect.sleep(step)
        waited += step
    still, others = _standing_still(prom, section.traffic_metric, limits.prom_window_s)
    return Movement(section.traffic_metric, path, sent, grown, round(waited, 2), still, others)


def _ordinary_request(target: Target, connect: Connections) -> tuple[str, Http]:
    """Return a route of the API itself, logged in where possible: health checks are often not counted."""
    if target.auth.test_account is not None and target.auth.me_path:
        try:
            return target.auth.me_path, connect.api("test_account")
        except (CannotLook, Dead):
            pass  # the item of the login carries that
    public = [operation.partition(" ")[2] for operation in target.auth.public_ops if operation[:4] == "GET "]
    ordinary = [path for path in public if "{" not in path and not path.startswith(target.health.path)]
    return (ordinary or [target.health.path])[0], connect.http("api")


def _counted(prom: PromQL, query: str) -> dict[str, float]:
    return {sample.label("instance"): sample.value for sample in prom.instant(query)}


def _growth(before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    """Return how much the counters grew together; one that was set back counts from zero."""
    if not after:
        return None
    total = 0.0
    for name, value in after.items():
        known = before.get(name, 0.0)
        total += value - known if value >= known else value
    return total


def _standing_still(prom: PromQL, metric: str, window_s: float) -> tuple[tuple[str, ...], float]:
    grown = prom.instant(f"sum by (instance) (increase({metric}[{duration(window_s)}]))")
    moving = [sample.value for sample in grown if sample.value > 0]
    still = tuple(sorted(sample.label("instance") for sample in grown if sample.value == 0))
    return still, round(sum(moving) / len(moving), 1) if moving else 0.0
