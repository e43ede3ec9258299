"""Faults of rollback triggers: the plan and its alerts, and holes and slowness that nobody may overlook."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck.demo import triggers
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults import tools
from tests.faults.alerting import ALERTING, routes
from tests.faults.harness import fault
from tests.faults.monitoring import RULES, until
from tests.faults.tools import edited, reloaded, signed_again

VULN = "rollback.triggers.vuln"
PERF = "rollback.triggers.perf"
CORRUPTION = "rollback.triggers.corruption"
CHAIN = "rollback.triggers.chain"
BUGS = "rollback.triggers.bugs"
VULNS = "post_deploy.security.vulns"
NEEDS = ("prometheus", "alertmanager", "exporters", "triggers", "people")
# An administrator's event that another fault caused is counted for an hour by the alert on it; a runbook of an alert that
# is gone is one too many.
THEME = (RULES, CHAIN, "operations.documentation.runbooks")
Changes = tuple[tuple[str, str], ...]
Injection = Callable[[Deployment], AbstractContextManager[None]]


def rules_of(demo: Deployment) -> list[tuple[str, ...]]:
    """Return the rules that Prometheus has loaded."""
    with urllib.request.urlopen(f"{demo.world.url('prometheus')}/api/v1/rules", timeout=5) as answer:
        groups = json.load(answer)["data"]["groups"]
    return [
        (one["name"], one["query"], str(one.get("duration")), str(one.get("labels")))
        for group in groups
        for one in group["rules"]
    ]


@contextmanager
def ruled(demo: Deployment, file: str, *changes: tuple[str, str]) -> Iterator[None]:
    """Change a rule file, and wait until it is in force, no longer; the probe waits for the first evaluation."""
    before = rules_of(demo)
    with reloaded(demo, "prometheus", demo.world.path("prometheus", "rules", file), *changes):
        until(lambda: rules_of(demo) != before)
        yield
    until(lambda: rules_of(demo) == before)


def planned(*changes: tuple[str, str]) -> Injection:
    """Return an injection that changes the rollback plan."""
    return lambda demo: edited(triggers.path_of(demo.world), *changes)


def loaded(file: str, *changes: tuple[str, str]) -> Injection:
    """Return an injection that changes rules on the server."""
    return lambda demo: ruled(demo, file, *changes)


def both(*injections: Injection) -> Injection:
    """Return an injection of several faults at once."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with ExitStack() as stack:
            for one in injections:
                stack.enter_context(one(demo))
            yield

    return inject


def rule(file: str, alert: str) -> Injection:
    """Return an injection that takes an alert away from Prometheus."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        text = demo.world.path("prometheus", "rules", file).read_text()
        _head, mark, rest = text.partition(f"      - alert: {alert}\n")
        assert mark, f"{file} has no {alert}"
        after = rest.find("      - alert: ")
        cut = mark + (rest if after < 0 else rest[:after])
        with ruled(demo, file, (cut, "")):
            yield

    return inject


for item, name, change in (
    (VULN, "the plan accepts scans of last week", (("scan_max_age_h = 26", "scan_max_age_h = 168"),)),
    (VULN, "plan and rule disagree on old scans", (('when = "> 93600"', 'when = "> 86400"'),)),
    (PERF, "plan and rule disagree on the burn", (('when = "> 1.44 %"', 'when = "> 1 %"'),)),
    (PERF, "the plan has the rule look over other windows", (('over = ["1h", "5m"]', 'over = ["2h", "5m"]'),)),
    (PERF, "the plan has the rule hold for longer", (('holds = "5m"\n\n[corruption]', 'holds = "15m"\n\n[corruption]'),)),
    (PERF, "the plan has another factor", (("regression_factor = 1.5", "regression_factor = 3"),)),
    (PERF, "nobody decides", (('decider = "the on-call engineer"\nregression', 'decider = ""\nregression'),)),
    (PERF, "a criterion that is none", (('when = "> 1.44 %"', 'when = "when it is slow"'),)),
    (CORRUPTION, "the plan relies on an alert that is not loaded", (('"DatabaseChecksumFailures"', '"PagesBroken"'),)),
    (CHAIN, "the plan forgets the nonce", (('"SignerNonceStuck"\nwhen = "> 5"\nholds = "5m"', '"RpcDown"\nwhen = "== 0"'),)),
    (CHAIN, "the plan does not say when to pause", (("pause_when", "pause_perhaps"),)),
    (BUGS, "the plan lets a bug hit fifty users", (("users_max = 10", "users_max = 50"),)),
    (BUGS, "nobody takes reports", (('intake = "mia, lead of support: reports tagged release-regression"', ""),)),
    (BUGS, "the plan does not speak of bugs", (("[bugs]", "[insects]"), ("[[bugs.detector]]", "[[insects.detector]]"))),
):  # fmt: skip
    fault(item, name, probes=("detectors",), also=THEME, needs=NEEDS)(planned(*change))

for item, file, alert in (
    (VULN, "security.yml", "ImageVulnerable"),
    (VULN, "security.yml", "ImageScanTooOld"),
    (PERF, "burn-rate.yml", "ErrorBudgetFastBurn"),
    (CORRUPTION, "database.yml", "DatabaseChecksumFailures"),
    (CHAIN, "chain.yml", "ChainHeadOld"),
    (BUGS, "rollback.yml", "JourneyFailing"),
):
    fault(item, f"{alert} is not loaded", probes=("detectors",), also=THEME, needs=NEEDS)(rule(file, alert))

for item, name, injection in (
    (PERF, "the rule's threshold was raised", loaded("burn-rate.yml", ("14.4 * 0.001", "20 * 0.001"))),
    (PERF, "fast burn is a matter of tickets", loaded("burn-rate.yml", ("severity: page", "severity: ticket"))),
    (
        PERF,
        "plan and rule agree on too much",
        both(
            planned(('when = "> 1.44 %"', 'when = "> 5 %"')),
            loaded("burn-rate.yml", ("14.4 * 0.001", "50 * 0.001")),
        ),
    ),
    (
        PERF,
        "fast burn fires",
        both(
            planned(('when = "> 1.44 %"', 'when = ">= 0"'), ('holds = "1m"\n\n[[perf', 'holds = "0s"\n\n[[perf')),
            loaded("burn-rate.yml", ("> 14.4 * 0.001", ">= 0"), ('for: 1m', 'for: 0s'), (',status=~"5.."', "")),
        ),
    ),
    (CHAIN, "the age of the head may be a day", loaded("chain.yml", ("> 120", "> 86400"))),
    (BUGS, "the journeys' alert looks at another metric", loaded("rollback.yml", ("journey_success", "jorney_success"))),
):  # fmt: skip
    fault(item, name, probes=("detectors",), also=THEME, needs=NEEDS)(injection)


@fault(PERF, "there is no plan", probes=("detectors",), needs=NEEDS, becomes=Verdict.UNPROVEN,
       also=(VULN, CORRUPTION, CHAIN, BUGS))  # fmt: skip
@contextmanager
def plan_gone(demo: Deployment) -> Iterator[None]:
    """Take the plan away."""
    path = triggers.path_of(demo.world)
    path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        path.with_suffix(".away").rename(path)


@fault(
    PERF,
    "pages go nowhere",
    probes=("detectors",),
    needs=NEEDS,
    also=(ALERTING, VULN, CORRUPTION, *THEME, BUGS),
)
@contextmanager
def unpaged(demo: Deployment) -> Iterator[None]:
    """Send what is to be paged to a receiver without any integration."""
    with routes(
        demo, ("- receiver: pager", "- receiver: nobody"), ("receivers:\n", "receivers:\n  - name: nobody\n")
    ):
        time.sleep(0.5)
        yield


def scan(change: Callable[[dict[str, Any]], object]) -> Injection:
    """Return an injection that changes the report about nginx's image."""
    return lambda demo: tools.json_edited(demo.world.path("reports", "images", "nginx.json"), change)


def critical(report: dict[str, Any]) -> None:
    """Make the report's finding a critical one with a fix, published since the last scan."""
    report["Results"][0]["Vulnerabilities"][0].update(Severity="CRITICAL", FixedVersion="2.36-9+deb12u9")


def old(report: dict[str, Any]) -> None:
    """Let the scan be of the day before yesterday."""
    report["CreatedAt"] = (datetime.now(UTC) - timedelta(hours=47)).isoformat().replace("+00:00", "Z")


def foreign(report: dict[str, Any]) -> None:
    """Let the scan be of another image than the one that runs."""
    report["Metadata"].update(RepoDigests=["nginx@sha256:" + "0" * 64], ImageID="sha256:" + "1" * 64)


for name, changed in (
    ("a new critical hole", critical),
    ("the scan is stale", old),
    ("another image was scanned", foreign),
):
    fault(VULN, name, probes=("known_holes",), also=(VULNS, "go_live.final.scans"), needs=NEEDS)(
        scan(changed)
    )


def issue(title: str, *labels: str) -> Injection:
    """Return an injection of an open issue in the team's tracker."""
    entry = {"title": title, "state": "open", "labels": list(labels)}
    return lambda demo: tools.json_edited(
        demo.world.path("issues", "issues.json"), lambda issues: issues.append(entry)
    )


fault(VULN, "somebody reported a hole", probes=("known_holes",), needs=NEEDS)(
    issue("Tokens can be forged", "security-critical")
)


@fault(VULN, "security knows of a disclosure", probes=("evidence",), needs=NEEDS)
@contextmanager
def disclosed(demo: Deployment) -> Iterator[None]:
    """Let security say that somebody has reported a hole."""
    with signed_again(demo, VULN, lambda values: values["facts"].update(open_disclosures=1)):
        yield
