"""The load probe: evidence of a load test made elsewhere, or, with `--allow load`, one that is made now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pytest_deploycheck.load import report
from pytest_deploycheck.load.report import Report, Route
from pytest_deploycheck.load.runner import Plan, run
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.plots import Bars, Histogram, Series
from pytest_deploycheck.probes.load_saturation import Saturation, saturation
from pytest_deploycheck.probes.places import same_place
from pytest_deploycheck.transports.login import ACCESS
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

DEADLINE_S = 4 * 3600


@dataclass(frozen=True)
class LoadFacts:
    """What was tested, and what came of it.

    made_now: the test was run by this very look.  host, users, rps, duration_s, commit, started_at: as its
    manifest says; wanted_users, wanted_rps, allowed_hosts, released_commit: as the target file says; no
    wanted number is 0.  stopped: why the run ended early, if it did.  altered: files that are not those of
    the manifest.  users_peak, seconds: most users at a time, and the time between the first and the last
    line with users, by the history; None without one.  errors: (request, error, times).  exceptions:
    (message, times).  critical: names that must have been asked often.  saturation: what the servers used
    meanwhile; empty where it was another deployment's or nobody measured.  Plots: distribution, requests per
    second over time, and the 95th percentile of each route.
    """

    made_now: bool
    host: str
    allowed_hosts: tuple[str, ...]
    users: float
    wanted_users: float
    rps: float
    wanted_rps: float
    duration_s: float
    commit: str
    released_commit: str
    started_at: str
    stopped: tuple[str, ...]
    altered: tuple[str, ...]
    total: Route
    routes: tuple[Route, ...]
    errors: tuple[tuple[str, str, int], ...]
    exceptions: tuple[tuple[str, int], ...]
    users_peak: int | None
    seconds: float | None
    critical: tuple[str, ...]
    saturation: tuple[Saturation, ...]
    distribution: Histogram
    per_route: Bars
    throughput: Series


@probe(
    facts=LoadFacts,
    deadline=DEADLINE_S,
    safety="S2",
    uses={"load": "run", "files": "read write", "api": "GET", "prometheus": "GET"},
    exclusive=True,
)
def load(target: Target, connect: Connections) -> LoadFacts:
    """Run a load test where that is allowed, or read the report of the last one."""
    section = target.load
    if not connect.allowed("load"):
        if not section.report_dir:
            raise CannotLook(
                Reason.NO_CONFIG,
                f"no load.report_dir in {target.path.name}; add the folder of a Locust report, or run a load "
                "test now with --allow load",
            )
        return _facts(target, connect, report.read(target.file(section.report_dir)), made_now=False)
    plan = _plan(target, connect)
    if same_place(plan.host, target.target.base_url):
        connect.http("api").get(target.health.path)  # a dead service is not the load test's failure
    connect.socket_allowed("load", "run", plan.host)
    with TemporaryDirectory(prefix="deploycheck-load-") as scratch:
        folder = target.file(section.report_dir) if section.report_dir else Path(scratch)
        run(plan, folder, connect.remaining)
        return _facts(target, connect, report.read(folder), made_now=True)


def _plan(target: Target, connect: Connections) -> Plan:
    section, file = target.load, target.path.name
    host = (section.host or target.target.base_url).rstrip("/")
    if not any(same_place(host, allowed) for allowed in section.allowed_hosts):
        allowed = ", ".join(section.allowed_hosts) or "none"
        raise CannotLook(
            Reason.NOT_ALLOWED,
            f"no load test of {host}: load.allowed_hosts in {file} names {allowed}; add it if it may be",
        )
    own = target.file(section.locustfile) if section.locustfile else None
    if own is not None and not own.is_file():
        raise CannotLook(
            Reason.NO_CONFIG, f"load.locustfile {section.locustfile} does not exist beside {file}"
        )
    endpoints = section.endpoints or target.perf.endpoints
    if own is None and not endpoints:
        raise CannotLook(Reason.NO_CONFIG, f"no load.endpoints in {file}; add the paths that users wait for")
    account = target.auth.test_account
    plan = Plan(
        host=host,
        users=section.users,
        rps=section.rps,
        spawn_rate=section.spawn_rate,
        duration_s=section.duration_s,
        workers=section.workers,
        locustfile=own,
        account=(account.username, connect.secret(account.password)) if account else None,
        settings={
            "endpoints": endpoints,
            "ca_file": str(target.file(target.target.ca_file)) if target.target.ca_file else "",
            "login_path": target.auth.login_path,
            "username_field": target.auth.username_field,
            "token_names": list(ACCESS),
        },
        stop_fail_ratio=target.limits.load_stop_fail_ratio,
        commit=target.release.commit,
    )
    if plan.limit_s > DEADLINE_S - 60:
        raise CannotLook(
            Reason.NO_CONFIG, f"load.duration_s in {file} is too long for one look; run it apart"
        )
    return plan


def _facts(target: Target, connect: Connections, found: Report, *, made_now: bool) -> LoadFacts:
    section, manifest = target.load, found.manifest
    busy = [moment for moment in found.history if moment.users > 0]
    start = found.history[0].at if found.history else 0.0
    host = str(manifest["host"])
    try:
        users, rps, duration = (float(manifest[name]) for name in ("users", "rps", "duration_s"))
    except (TypeError, ValueError):
        raise CannotLook(
            Reason.UNPARSEABLE, "users, rps and duration_s in the manifest must be numbers"
        ) from None
    critical = section.critical or ([] if section.locustfile else section.endpoints or target.perf.endpoints)
    given = section.model_fields_set
    return LoadFacts(
        made_now=made_now,
        host=host,
        allowed_hosts=tuple(section.allowed_hosts),
        users=users,
        wanted_users=section.users if "users" in given else 0,
        rps=rps,
        wanted_rps=section.rps if "rps" in given else 0,
        duration_s=duration,
        commit=str(manifest["commit"]),
        released_commit=target.release.commit,
        started_at=found.started_at.isoformat(timespec="seconds"),
        stopped=tuple(str(why)[:300] for why in manifest.get("stopped") or ()),
        altered=found.altered,
        total=found.total,
        routes=found.routes,
        errors=found.errors[:20],
        exceptions=found.exceptions[:20],
        users_peak=max((moment.users for moment in found.history), default=None),
        seconds=busy[-1].at - busy[0].at if busy else None,
        critical=tuple(critical),
        saturation=_meanwhile(target, connect, found, host),
        distribution=Histogram(
            "Response times under load", "s", _buckets(found.histogram), target.limits.load_p95_s
        ),
        per_route=Bars(
            "Response time by route under load, 95th percentile",
            "s",
            tuple((one.name, one.p95_s) for one in found.routes if one.p95_s is not None),
            target.limits.load_p95_s,
        ),
        throughput=Series(
            "Requests per second under load",
            "requests/s",
            tuple((moment.at - start, round(moment.rps, 2)) for moment in found.history),
            datetime.fromtimestamp(start, found.started_at.tzinfo).isoformat(timespec="seconds"),
        ),
    )


def _meanwhile(target: Target, connect: Connections, found: Report, host: str) -> tuple[Saturation, ...]:
    """Return what the servers used during the test, where the Prometheus of the target file measures them."""
    if target.prometheus is None or not found.history or not same_place(host, target.target.base_url):
        return ()
    return saturation(target, connect, found.history[0].at, found.history[-1].at)


def _buckets(counts: tuple[tuple[float, int], ...]) -> tuple[tuple[float, int], ...]:
    """Gather Locust's many values under a dozen edges, each twice the one before or so."""
    edges = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
    last = max((at for at, _ in counts), default=0.0)
    shown = [edge for place, edge in enumerate(edges) if place == 0 or edges[place - 1] < last]
    return tuple(
        (edge, sum(n for at, n in counts if (shown[place - 1] if place else -1.0) < at <= edge))
        for place, edge in enumerate(shown)
    )
