"""Faults of the final checks: monitoring is not green, alerts fire or could not, indicators are out of their limits."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from pytest_deploycheck.claims import policy
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault
from tests.faults.ledgers import green_run, path_of
from tests.faults.tools import edited, reloaded, stopped, switched
from tests.probes.canned import Canned, serving

GREEN = "go_live.final.green"
CRITICAL = "go_live.final.no_critical"
PERF = "go_live.final.perf"
SCANS = "go_live.final.scans"
NEEDS = ("prometheus", "alertmanager", "exporters", "blackbox", "final")
LEDGER = ("people",)
SIGNED = tuple(policy.SIGN_OFFS)
NOW_ONLY = {"critical_recent_s": 1}
PERF_NOW = {"slo_window_s": 2}


def until(found: Callable[[], bool], within_s: float = 15.0) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + within_s
    while not found():
        assert time.monotonic() < ends, "the fault did not take effect; nothing would be shown by it"
        time.sleep(0.2)


def raised(demo: Deployment, name: str, state: str = "firing") -> bool:
    """Whether Prometheus says that an alert is in a state."""
    data = requests.get(f"{demo.world.url('prometheus')}/api/v1/alerts", timeout=5).json()["data"]["alerts"]
    return any(one["labels"]["alertname"] == name and one["state"] == state for one in data)


def known(demo: Deployment, name: str) -> bool:
    """Whether Alertmanager knows an alert, silenced or not."""
    found = requests.get(f"{demo.world.url('alertmanager')}/api/v2/alerts", timeout=5).json()
    return any(one["labels"]["alertname"] == name for one in found)


@contextmanager
def rule(demo: Deployment, text: str) -> Iterator[None]:
    """Load one more rule, and take it away again."""
    path = demo.world.path("prometheus", "rules", "zz-fault.yml")
    path.write_text(f"groups:\n  - name: fault\n    rules:\n      - {text}\n")
    demo.reload("prometheus")
    try:
        yield
    finally:
        path.unlink()
        demo.reload("prometheus")


@contextmanager
def silence(demo: Deployment, name: str, **lasts: float) -> Iterator[None]:
    """Silence alerts of a name."""
    base = f"{demo.world.url('alertmanager')}/api/v2"
    now = datetime.now(UTC)
    body = {
        "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(**(lasts or {"hours": 1}))).isoformat(),
        "createdBy": "tests",
        "comment": "a fault",
    }
    made = requests.post(f"{base}/silences", json=body, timeout=5)
    made.raise_for_status()
    try:
        yield
    finally:
        requests.delete(f"{base}/silence/{made.json()['silenceID']}", timeout=5)


# ---- All systems green ----


@fault(GREEN, "an exporter is down", probes=("green",), needs=NEEDS)
@contextmanager
def exporter_down(demo: Deployment) -> Iterator[None]:
    """Stop an exporter, and look once its scrapes fail."""
    with stopped(demo, "node_exporter"):
        until(lambda: _up(demo, "node") == 0)
        yield


@fault(GREEN, "an exporter flaps", probes=("green",), needs=NEEDS, limits={"green_failed_max": 0})
@contextmanager
def exporter_flaps(demo: Deployment) -> Iterator[None]:
    """Let an exporter be away for a moment, and be back when somebody looks."""
    with stopped(demo, "node_exporter"):
        until(lambda: _up(demo, "node") == 0)
    until(lambda: _up(demo, "node") == 1)
    yield


def _up(demo: Deployment, job: str) -> float | None:
    query = {"query": f'min(up{{job="{job}"}})'}
    found = requests.get(f"{demo.world.url('prometheus')}/api/v1/query", params=query, timeout=5).json()
    result = found["data"]["result"]
    return float(result[0]["value"][1]) if result else None


@fault(GREEN, "a job has lost a target", probes=("green",), needs=NEEDS)
@contextmanager
def target_lost(demo: Deployment) -> Iterator[None]:
    """Expect one target more than there is."""
    with edited(demo.target, ("app = 2", "app = 3")):
        yield


@fault(GREEN, "an item failed in the run before", probes=("ledger",), also=SIGNED, needs=LEDGER)
@contextmanager
def failed_before(demo: Deployment) -> Iterator[None]:
    """Enter a later run in which the login failed."""
    with ledger(demo):
        green_run(demo, **{"post_deploy.functional.auth": "failed"})
        yield


@contextmanager
def ledger(demo: Deployment, *, empty: bool = False) -> Iterator[None]:
    """Let the ledger be changed, or start an empty one, and put it back."""
    path = path_of(demo)
    before = path.read_bytes()
    if empty:
        path.unlink()
    try:
        yield
    finally:
        path.write_bytes(before)


@fault(
    GREEN,
    "there was no run before",
    probes=("ledger",),
    also=(*SIGNED, SCANS),
    needs=LEDGER,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def first_run(demo: Deployment) -> Iterator[None]:
    """Look for the first time."""
    with ledger(demo, empty=True):
        yield


@fault(
    GREEN,
    "an item was never proven",
    probes=("ledger",),
    also=SIGNED,
    needs=LEDGER,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def never_proven(demo: Deployment) -> Iterator[None]:
    """Enter a run in which the backups could not be seen."""
    with ledger(demo):
        green_run(demo, **{"operations.backup.restore": "unproven"})
        yield


@fault(
    GREEN,
    "all runs are of last week",
    probes=("ledger",),
    also=SIGNED,
    needs=LEDGER,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def last_week(demo: Deployment) -> Iterator[None]:
    """Have looked at everything, but days ago."""
    with ledger(demo, empty=True):
        green_run(demo, ago=timedelta(days=6))
        yield


# ---- No critical alerts ----


@fault(CRITICAL, "a critical alert fires", probes=("alerts_now",), needs=NEEDS, limits=NOW_ONLY)
@contextmanager
def critical_fires(demo: Deployment) -> Iterator[None]:
    """Load a critical rule whose condition holds."""
    with rule(demo, "{alert: FaultFires, expr: vector(1), labels: {severity: critical}}"):
        until(lambda: raised(demo, "FaultFires"))
        yield


@fault(CRITICAL, "a critical alert is silenced", probes=("alerts_now",), needs=NEEDS, limits=NOW_ONLY)
@contextmanager
def critical_silenced(demo: Deployment) -> Iterator[None]:
    """Hush it instead of mending what it is about."""
    with silence(demo, "FaultHushed"), sent(demo, "FaultHushed", severity="page"):
        yield


@fault(
    CRITICAL, "another system raises a critical alert", probes=("alerts_now",), needs=NEEDS, limits=NOW_ONLY
)
@contextmanager
def critical_sent(demo: Deployment) -> Iterator[None]:
    """Send one that no rule of Prometheus is behind."""
    with sent(demo, "FaultSent", severity="critical"):
        yield


@contextmanager
def sent(demo: Deployment, name: str, **labels: str) -> Iterator[None]:
    """Send an alert to Alertmanager, and say that it is over."""
    address = f"{demo.world.url('alertmanager')}/api/v2/alerts"
    now = datetime.now(UTC)
    alert = {"labels": {"alertname": name, **labels}, "startsAt": now.isoformat()}
    ends = (now + timedelta(minutes=2)).isoformat()
    requests.post(address, json=[{**alert, "endsAt": ends}], timeout=5).raise_for_status()
    try:
        until(lambda: known(demo, name))
        yield
    finally:
        over = datetime.now(UTC).isoformat()
        requests.post(address, json=[{**alert, "endsAt": over}], timeout=5).raise_for_status()
        until(lambda: not known(demo, name))


@fault(
    CRITICAL,
    "a critical alert is about to fire",
    probes=("alerts_now",),
    needs=NEEDS,
    limits={**NOW_ONLY, "critical_pending_max_s": 0},
)
@contextmanager
def critical_pending(demo: Deployment) -> Iterator[None]:
    """Let its condition hold, but not yet for as long as it must."""
    with rule(demo, "{alert: FaultWaits, expr: vector(1), for: 1h, labels: {severity: critical}}"):
        until(lambda: raised(demo, "FaultWaits", "pending"))
        time.sleep(0.3)
        yield


@fault(
    CRITICAL,
    "a critical alert fired a moment ago",
    probes=("alerts_now",),
    needs=NEEDS,
    limits={"critical_recent_s": 30},
)
@contextmanager
def critical_fired(demo: Deployment) -> Iterator[None]:
    """Let it fire, and be over when somebody looks."""
    with rule(demo, "{alert: FaultWasThere, expr: vector(1), labels: {severity: critical}}"):
        until(lambda: raised(demo, "FaultWasThere"))
        time.sleep(1.2)
    until(lambda: not raised(demo, "FaultWasThere"))
    yield


@fault(CRITICAL, "the watchdog is gone", probes=("alerts_now",), needs=NEEDS, limits=NOW_ONLY)
@contextmanager
def watchdog_gone(demo: Deployment) -> Iterator[None]:
    """Let the always-firing alert never fire."""
    path = demo.world.path("prometheus", "rules", "monitoring.yml")
    with reloaded(demo, "prometheus", path, ("expr: vector(1)\n", "expr: vector(1) > 1\n")):
        until(lambda: not raised(demo, "Watchdog"))
        yield
    until(lambda: raised(demo, "Watchdog") and known(demo, "Watchdog"))


@fault(CRITICAL, "no rule is loaded", probes=("alerts_now",), needs=NEEDS, limits=NOW_ONLY)
@contextmanager
def no_rules(demo: Deployment) -> Iterator[None]:
    """Look for the rules in another folder."""
    path = demo.world.path("prometheus", "prometheus.yml")
    with reloaded(demo, "prometheus", path, ("  - rules/*.yml\n", "  - rule/*.yml\n")):
        until(lambda: not raised(demo, "Watchdog"))
        yield
    until(lambda: raised(demo, "Watchdog") and known(demo, "Watchdog"))


@fault(CRITICAL, "a rule cannot be evaluated", probes=("alerts_now",), needs=NEEDS, limits=NOW_ONLY)
@contextmanager
def rule_fails(demo: Deployment) -> Iterator[None]:
    """Load a rule that joins series which do not match one to one."""
    with rule(demo, "{alert: FaultJoins, expr: up * on() up > 5, labels: {severity: warning}}"):
        until(lambda: _health(demo, "FaultJoins") == "err")
        yield


def _health(demo: Deployment, name: str) -> str:
    groups = requests.get(f"{demo.world.url('prometheus')}/api/v1/rules", timeout=5).json()["data"]["groups"]
    return next((str(r["health"]) for group in groups for r in group["rules"] if r["name"] == name), "")


@fault(CRITICAL, "rules are not evaluated any more", probes=("alerts_now",), needs=NEEDS, limits=NOW_ONLY)
@contextmanager
def evaluation_stopped(demo: Deployment) -> Iterator[None]:
    """Stand between the look and a Prometheus whose rules were last evaluated ten minutes ago."""
    address = demo.world.url("prometheus")

    def answer(path: str, query: dict[str, list[str]]) -> Canned:
        got = requests.get(f"{address}{path}", params=query, timeout=5)
        document = got.json() if "json" in got.headers.get("Content-Type", "") else None
        if path != "/api/v1/rules" or document is None:
            return Canned(got.text, got.status_code)
        then = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
        for group in document["data"]["groups"]:
            for one in (group, *group["rules"]):
                one["lastEvaluation"] = then
        return Canned(json.dumps(document))

    with serving(answer) as base, edited(demo.target, (f'url = "{address}"', f'url = "{base}"')):
        yield


@fault(CRITICAL, "alerts go to another Alertmanager", probes=("alerts_now",), needs=NEEDS, limits=NOW_ONLY)
@contextmanager
def elsewhere(demo: Deployment) -> Iterator[None]:
    """Point Prometheus elsewhere; ours is restarted, so that it knows nothing from before."""
    path = demo.world.path("prometheus", "prometheus.yml")
    port = demo.world.port("alertmanager")
    block = f'alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: ["127.0.0.1:{port}"]\n'
    with reloaded(demo, "prometheus", path, (block, block.replace(str(port), "9"))):
        demo.restart("alertmanager")
        yield
    until(lambda: known(demo, "Watchdog"), 30)


# ---- Performance ----


def target_says(*changes: tuple[str, str]) -> Any:
    """Return an injection that edits the target file."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with edited(demo.target, *changes):
            yield

    return inject


CONNECTIONS = "max(deploycheck_connections_used) / max(deploycheck_connections_max)"
RELAXED = {**PERF_NOW, "slo_error_ratio_max": 1, "slo_p95_s": 1000}
for name, change, becomes in (
    ("a metric was renamed", ("[prometheus]\n", '[prometheus]\nlatency_metric = "renamed"\n'), Verdict.UNPROVEN),
    ("a query is mistyped", (CONNECTIONS, "max((deploycheck_connections_used"), Verdict.UNPROVEN),
    ("an indicator gives many values", (CONNECTIONS, "up"), Verdict.UNPROVEN),
    ("an indicator is beyond its limit", ("limit = 0.8", "limit = 0.0001"), Verdict.FAILED),
):  # fmt: skip
    fault(PERF, name, probes=("slo",), needs=NEEDS, limits=RELAXED, becomes=becomes)(target_says(change))

fault(
    PERF,
    "nobody uses it",
    probes=("slo",),
    needs=NEEDS,
    limits={**RELAXED, "slo_traffic_min_rps": 100_000},
    becomes=Verdict.UNPROVEN,
)(target_says())


@fault(
    PERF,
    "a few requests in a hundred fail",
    probes=("slo",),
    needs=NEEDS,
    limits={**PERF_NOW, "slo_p95_s": 1000, "slo_error_ratio_max": 0.01},
)
@contextmanager
def errors(demo: Deployment) -> Iterator[None]:
    """Let the API break on tokens that it cannot read, and send such ones."""
    address = f"http://127.0.0.1:{demo.world.port('app1')}/me"
    with switched(demo, bad_token_500=True), requests.Session() as session:
        # A series that begins with a number has not grown: it must have been seen before.
        for pause in (1.6, 0, 0, 0, 2.2):
            session.get(address, headers={"Authorization": "Bearer x"}, timeout=5)
            time.sleep(pause)
        yield


@fault(
    PERF,
    "responses take seconds",
    probes=("slo",),
    needs=NEEDS,
    limits={**PERF_NOW, "slo_error_ratio_max": 1, "slo_p95_s": 1},
)
@contextmanager
def slow(demo: Deployment) -> Iterator[None]:
    """Let one route wait, and ask it often."""
    address = f"http://127.0.0.1:{demo.world.port('app1')}/chain"
    with switched(demo, slow_routes={"/chain": 1.5}), ThreadPoolExecutor(15) as pool:
        list(pool.map(lambda _: requests.get(address, timeout=15), range(15)))
        time.sleep(2.2)
        yield
