"""Faults of what warns early, of scans at go-live, and of dependencies that are never updated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from pytest_deploycheck.demo import history, images
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.repository import checkout, git, remote
from pytest_deploycheck.verdict import Verdict
from tests.faults.code_tools import ago, parent, replaced, reported, rewritten
from tests.faults.final import NEEDS, SCANS, SIGNED, ledger, silence, until
from tests.faults.harness import fault
from tests.faults.ledgers import green_run
from tests.faults.tools import edited, reloaded, signed_again, switches_in, unsaid

ALERTS = "operations.maintenance.alerts"
DEPS = "post_go_live.ongoing.deps"
RULES = "post_deploy.monitoring.rules"
RUNBOOKS = "operations.documentation.runbooks"
LOOK = ("slow_alerts",)


# ---- Monitoring alerts configured ----


def rule_changed(file: str, mark: str, *changes: tuple[str, str]) -> Callable[[Deployment], Any]:
    """Return an injection that changes a rule, where it is loaded and where it was released; mark: shows that it is."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with (
            edited(demo.world.path("release", "rules", file), *changes),
            reloaded(demo, "prometheus", demo.world.path("prometheus", "rules", file), *changes),
        ):
            until(lambda: _loaded(demo, mark))
            yield

    return inject


def _loaded(demo: Deployment, text: str) -> bool:
    """Whether a text occurs in the rules that Prometheus has loaded."""
    answer = requests.get(f"{demo.world.url('prometheus')}/api/v1/rules", timeout=5)
    rules = [rule for group in answer.json()["data"]["groups"] for rule in group["rules"]]
    return any(text in f"{rule['name']} {rule['query']} {rule['labels']}" for rule in rules)


fault(ALERTS, "nobody is told of old restore tests", probes=LOOK, also=(RULES, RUNBOOKS), needs=NEEDS)(
    rule_changed(
        "backup.yml",
        "Quiet",
        ("RestoreTestTooOld", "Quiet"),
        ("restore_test_last_success", "backup_last_success"),
    )
)
fault(ALERTS, "a rule's metric does not exist", probes=LOOK, also=(RULES, RUNBOOKS), needs=NEEDS)(
    rule_changed("host.yml", "node_reboot_wanted", ("node_reboot_required", "node_reboot_wanted"))
)
fault(ALERTS, "a rule is not what was tested", probes=LOOK, also=(RULES, RUNBOOKS), needs=NEEDS)(
    rule_changed("host.yml", "> 7", ("node_reboot_required > 0", "node_reboot_required > 7"))
)
fault(ALERTS, "a rule has no severity", probes=LOOK, also=(RULES, RUNBOOKS), needs=NEEDS)(
    rule_changed(
        "backup.yml",
        "'team': 'data'",
        ("for: 1h\n        labels: {severity: ticket}", "for: 1h\n        labels: {team: data}"),
    )
)


def routes_changed(*changes: tuple[str, str]) -> Callable[[Deployment], Any]:
    """Return an injection that changes Alertmanager's routes."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        nobody = ("receivers:\n", "receivers:\n  - name: nobody\n")
        path = demo.world.path("alertmanager", "alertmanager.yml")
        with reloaded(demo, "alertmanager", path, *changes, nobody):
            time.sleep(0.7)
            yield

    return inject


fault(ALERTS, "tickets go nowhere", probes=LOOK, needs=NEEDS)(
    routes_changed(
        (
            '- receiver: tickets\n      matchers: [severity=~"warning|ticket"]',
            '- receiver: nobody\n      matchers: [severity=~"warning|ticket"]',
        )
    )
)
fault(ALERTS, "the watchdog's alert goes nowhere", probes=LOOK, needs=NEEDS)(
    routes_changed(("- receiver: deadman\n", "- receiver: nobody\n"))
)


@fault(ALERTS, "a silence of a month", probes=LOOK, needs=NEEDS)
@contextmanager
def long_silence(demo: Deployment) -> Iterator[None]:
    """Hush an alert for a month."""
    with silence(demo, "DiskFullSoon", days=30):
        yield


@fault(ALERTS, "the outside watcher hears nothing", probes=LOOK, needs=NEEDS)
@contextmanager
def unheard(demo: Deployment) -> Iterator[None]:
    """Let the dead man's switch be waited for in vain."""
    with switches_in(demo.world.path("webhook", "switches.json"), grace_s=-1):
        yield


@fault(ALERTS, "a test of a rule fails", probes=LOOK, needs=NEEDS)
@contextmanager
def test_fails(demo: Deployment) -> Iterator[None]:
    """Expect an alert that does not come."""
    with edited(demo.world.path("release", "rule_tests", "database.yml"), ("1500000000x120", "15x120")):
        yield


@fault(ALERTS, "a rule was never shown firing", probes=LOOK, needs=NEEDS)
@contextmanager
def untested(demo: Deployment) -> Iterator[None]:
    """Lose the tests of the backups' rules."""
    path = demo.world.path("release", "rule_tests", "backup.yml")
    path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        path.with_suffix(".away").rename(path)


@fault(ALERTS, "nobody outside listens", probes=LOOK, needs=NEEDS, becomes=Verdict.UNPROVEN)
@contextmanager
def no_deadman(demo: Deployment) -> Iterator[None]:
    """Name no outside watcher."""
    line = f'deadman_url = "{demo.world.url("webhook")}/deadman"\n'
    with edited(demo.target, (line, "")):
        yield


# ---- Security scans clean ----


@fault(SCANS, "a scan is of the commit before", probes=("sarif",), also=("deploy.code.scan",))
@contextmanager
def other_commit(demo: Deployment) -> Iterator[None]:
    """Scan what was there before the release."""
    with reported(demo, "sarif/bandit.sarif", lambda text: text, commit=parent(demo)):
        yield


@fault(
    SCANS, "a scan of the code is of the day before yesterday", probes=("sarif",), becomes=Verdict.UNPROVEN
)
@contextmanager
def old_scan(demo: Deployment) -> Iterator[None]:
    """Scan early enough for the deployment, but not today."""
    with reported(demo, "sarif/gitleaks.sarif", lambda text: text, produced_at=ago(days=2)):
        yield


@fault(SCANS, "an image's scan is of the day before yesterday", probes=("scans",), becomes=Verdict.UNPROVEN)
@contextmanager
def old_image_scan(demo: Deployment) -> Iterator[None]:
    """Let every image's scan be two days old."""
    folder = demo.world.path("reports", "images")
    before = {path: path.read_text() for path in folder.glob("*.json")}
    for path, text in before.items():
        document = json.loads(text)
        document["CreatedAt"] = ago(days=2)
        path.write_text(json.dumps(document))
    try:
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)


def audit(change: Callable[[dict[str, Any]], object]) -> Callable[[Deployment], Any]:
    """Return an injection that changes what security signed of the contract's audit."""
    return lambda demo: signed_again(demo, SCANS, change)


for name, change in (
    ("the audit is of another contract", lambda values: values["facts"].update(artifact_sha256="0" * 64)),
    ("a finding of the audit is open", lambda values: values["facts"].update(open_findings=1)),
    ("the audit's report is not there", lambda values: values["artifacts"].clear()),
):
    fault(SCANS, name, probes=("evidence",), needs=("people",))(audit(change))

fault(
    SCANS,
    "nobody vouches for an audit of the contract",
    probes=("evidence",),
    needs=("people",),
    becomes=Verdict.UNPROVEN,
)(lambda demo: unsaid(demo, SCANS))


@fault(SCANS, "a developer accepts a finding", probes=("evidence",), also=SIGNED, needs=("people",))
@contextmanager
def accepted_by_developer(demo: Deployment) -> Iterator[None]:
    """Waive the scan of the code as whoever wrote it."""
    with waiver(demo, "backend", days=20):
        yield


@fault(SCANS, "a finding is accepted for half a year", probes=("evidence",), also=SIGNED, needs=("people",))
@contextmanager
def accepted_for_long(demo: Deployment) -> Iterator[None]:
    """Waive the scan of the code for longer than security may."""
    with waiver(demo, "security", days=170):
        yield


@contextmanager
def waiver(demo: Deployment, role: str, *, days: int) -> Iterator[None]:
    """Sign a waiver of the scan of the code, and take it away again."""
    people = People(demo.world)
    path = people.say(
        "waiver",
        "deploy.code.scan",
        role,
        "It cannot be reached.",
        valid=timedelta(days=days),
        requested_by="backend@token.test" if role != "backend" else "qa@token.test",
    )
    try:
        yield
    finally:
        for one in path.parent.glob(f"{path.name}*"):
            one.unlink()


@fault(
    SCANS,
    "TLS failed in the run before",
    probes=("ledger",),
    also=(*SIGNED, "go_live.final.green"),
    needs=("people",),
)
@contextmanager
def tls_failed(demo: Deployment) -> Iterator[None]:
    """Enter a later run in which TLS was weak."""
    with ledger(demo):
        green_run(demo, **{"pre_deploy.security.tls": "failed"})
        yield


# ---- Regular dependency updates ----


@contextmanager
def branch_at(demo: Deployment, *, days: float, **changed: bytes) -> Iterator[None]:
    """Let the runner's clone know another head of the branch, committed so many days ago; the remote stays.

    changed: more at the end of the lock file.
    """
    place = checkout(demo.world)
    name = "refs/remotes/origin/main"
    before = git(place, "rev-parse", name)
    objects = history.Objects(place / ".git" / "objects")
    code = dict(history.content(remote(demo.world), demo.world.release.commit))
    code["requirements.lock"] += changed.get("lock", b"")
    head = objects.commit(objects.tree(code), datetime.now(UTC) - timedelta(days=days), "Another head")
    git(place, "update-ref", name, head)
    try:
        yield
    finally:
        git(place, "update-ref", name, before)


@fault(DEPS, "no update for two months", probes=("lock_history", "dependencies"))
@contextmanager
def never_updated(demo: Deployment) -> Iterator[None]:
    """Let the lock files be of two months ago, while there is something newer."""
    listed = json.dumps([{"name": "fastapi", "version": "0.1.0", "latest_version": "0.2.0"}])
    with (
        branch_at(demo, days=60),
        reported(demo, "dependencies/pip-outdated.json", lambda _: listed),
    ):
        yield


@fault(DEPS, "an update is not released for weeks", probes=("lock_history",))
@contextmanager
def never_released(demo: Deployment) -> Iterator[None]:
    """Let the branch hold a newer lock file since three weeks."""
    with branch_at(demo, days=21, lock=b"idna==3.99\n"):
        yield


@fault(
    DEPS,
    "the newest audit is of last month",
    probes=("dependencies",),
    also=("deploy.code.deps", SCANS),
    becomes=Verdict.FAILED,
)
@contextmanager
def old_audit(demo: Deployment) -> Iterator[None]:
    """Let nobody have audited for weeks."""
    with reported(demo, "dependencies/npm-audit.json", lambda text: text, produced_at=ago(days=30)):
        yield


@fault(DEPS, "production runs another image", probes=("dependencies",), also=("deploy.code.deps",))
@contextmanager
def other_image(demo: Deployment) -> Iterator[None]:
    """Let the bill of materials be of an image that does not run."""
    digest = images.digests(demo.world)[images.PRODUCT]
    with reported(demo, f"sbom/{images.PRODUCT}.json", replaced(digest, f"sha256:{'1' * 64}")):
        yield


@fault(DEPS, "a severe vulnerability is open", probes=("dependencies",), also=("deploy.code.deps", SCANS))
@contextmanager
def vulnerable(demo: Deployment) -> Iterator[None]:
    """Let npm count what it does not list."""
    change = rewritten(lambda body: body["metadata"]["vulnerabilities"].update(critical=1))
    with reported(demo, "dependencies/npm-audit.json", change):
        yield


@fault(DEPS, "the clone has no branch", probes=("lock_history",), becomes=Verdict.UNPROVEN)
@contextmanager
def no_branch(demo: Deployment) -> Iterator[None]:
    """Ask for a branch that the clone does not know."""
    with edited(demo.target, ('branch = "main"', 'branch = "trunk"')):
        yield
