"""Faults of documentation, updates and maintenance: what is written is not there, not true, or nobody stands by it."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults import tools
from tests.faults.communication import facts, later, said
from tests.faults.harness import fault
from tests.faults.operations_tools import changed, documented, targeted, written
from tests.faults.tools import edited, unsaid

DEPLOY = "operations.documentation.deploy"
RUNBOOKS = "operations.documentation.runbooks"
TROUBLESHOOTING = "operations.documentation.troubleshooting"
CONTACTS = "operations.documentation.contacts"
API = "operations.documentation.api"
UPDATES = "operations.maintenance.updates"
WINDOWS = "operations.maintenance.windows"
CACHE = (
    "### redis: the cache does not answer\n\n- **Symptom:** `/health` says `redis` is `down`",
    "### thing: it does not answer\n\n- **Symptom:** `/health` says `thing` is `down`",
)
WRITTEN = ("repository", "people")
REVIEWED = ("people",)

for item, name, inject, also in (
    (DEPLOY, "compose changed after the guide", changed(compose=('"80:80", ', "")), ()),
    (DEPLOY, "a variable was renamed", changed(template=("JWT_SECRET=", "TOKEN_SECRET=")), (RUNBOOKS, UPDATES)),
    (DEPLOY, "a service was renamed", changed(compose=("  token-api:\n", "  api:\n")), (RUNBOOKS,)),
    (DEPLOY, "the guide is gone", changed(deploy=None), ()),
    (DEPLOY, "nobody says how to go back", changed(deploy=("## Rollback", "## Thanks")), ()),
    (DEPLOY, "it is for an older version", changed(deploy=('">= 1.4"', '"1.3.x"')), ()),
    (DEPLOY, "a link leads nowhere", changed(deploy=("(updates.md)", "(upgrades.md)")), ()),
    (DEPLOY, "it is not finished", changed(deploy=("Then the smoke stage", "TODO: the smoke stage")), ()),
    (DEPLOY, "it names a script that is gone", changed(deploy=("docker compose ps\n", "./scripts/smoke.sh\n")), ()),
    (TROUBLESHOOTING, "an entry without a fix", changed(troubleshooting=("- **Fix:** put the fallback", "- put the fallback")), ()),
    (TROUBLESHOOTING, "nothing about 503", changed(troubleshooting=("503", "an error")), ()),
    (TROUBLESHOOTING, "one page that says see the logs", changed(troubleshooting=("\n", " ")), ()),
    (TROUBLESHOOTING, "the cache is not in it", changed(troubleshooting=CACHE), ()),
    (TROUBLESHOOTING, "a component without an entry", targeted('["db", "redis", "rpc", "queue"]', '["db", "mailer"]'), ()),
    (UPDATES, "nothing about a major version", changed(updates=("major", "new")), ()),
    (UPDATES, "nobody proposes updates", changed(bot=None), ()),
    (UPDATES, "the procedure is gone", changed(updates=None), (DEPLOY,)),
):  # fmt: skip
    fault(item, name, probes=("docs",), also=also, needs=WRITTEN)(inject)

fault(
    UPDATES,
    "dependencies have not changed for long",
    probes=("docs",),
    needs=WRITTEN,
    limits={"deps_update_max_age_d": 0.001},
)(lambda demo: nullcontext())


def also_at(path: str) -> Callable[[dict[str, Any]], object]:
    """Return a change that documents the health check at another path as well."""

    def change(values: dict[str, Any]) -> None:
        copy = json.loads(json.dumps(values["paths"]["/health"]))
        copy["get"]["operationId"] = "another"
        values["paths"][path] = copy

    return change


PAGES = ("docs", "runbooks")
for name, inject in (
    ("no runbook for incidents", written(*PAGES, "op-incident.md", change=None)),
    ("the page of an alert has lost its heading", written(*PAGES, "chain.md", change=("## RpcDown", "## Rpc is down"))),
    ("a page about an alert that is gone", written(*PAGES, "host.md", change=("## ClockDrift", "## TimeIsOff\n1. Look.\n\n## ClockDrift"))),
    ("an alert's page says not what to do", written(*PAGES, "backup.md", change=("\n1. Read the log of the last run of the backup job; the usual reasons are a full repository and a changed password.\n2. Run the job by hand and wait for its success.", ""))),
    ("nobody says when to escalate", written(*PAGES, "op-disk-full.md", change=("## Escalation", "## Notes"))),
    ("a runbook of TODOs", written(*PAGES, "op-certificate.md", change=("Renew, and reload nginx.", "TODO"))),
    ("a runbook without commands", written(*PAGES, "op-restart.md", change=("```sh", "```text"))),
    ("a runbook for a service that is gone", written(*PAGES, "op-restart.md", change=("restart token-api", "restart payments"))),
    ("a link between runbooks is dead", written(*PAGES, "database.md", change=("host.md#diskspacelow", "host.md#disk"))),
    ("changed after it was reviewed", written(*PAGES, "op-roll-back.md", change=("Announce", "Perhaps announce"))),
):  # fmt: skip
    fault(RUNBOOKS, name, probes=("docs",), needs=("people", "standins", "prometheus"))(inject)

LIST = ("people", "contacts.yaml")
for name, change in (
    ("the secondary is the primary", ("security: {primary: grace, secondary: alan}", "security: {primary: grace, secondary: grace}")),
    ("nobody for security", ("  security: {primary: grace, secondary: alan}\n", "")),
    ("a number that cannot be called", ("+49 30 23125 102", "030 23125102")),
    ("an address that stands for another", ("ada@tokens.example", "you@example.com")),
    ("somebody who is not on the list", ("{primary: alan, secondary: ken}", "{primary: alan, secondary: bob}")),
    ("who is on call has left", ("ada: {name: Ada Adler", "eve: {name: Eve Erb")),
    ("no time zone", (", time_zone: Europe/London", "")),
):  # fmt: skip
    fault(CONTACTS, name, probes=("contacts",), needs=REVIEWED)(written(*LIST, change=change))
fault(CONTACTS, "the list is gone", probes=("contacts",), needs=REVIEWED)(written(*LIST, change=None))

SECURITY_TXT = ("nginx", "www", ".well-known", "security.txt")
for name, change in (
    ("security.txt has expired", ("Expires: 20", "Expires: 19")),
    ("security.txt expires in ninety years", ("Expires: 20", "Expires: 21")),
    ("security.txt names nobody", ("Contact: mailto:", "Acknowledgments: ")),
    ("security.txt is of another site", ("Canonical: https://localhost", "Canonical: https://elsewhere")),
):
    fault(CONTACTS, name, probes=("security_txt",))(written(*SECURITY_TXT, change=change))
fault(CONTACTS, "no security.txt", probes=("security_txt",))(written(*SECURITY_TXT, change=None))

for item in (DEPLOY, RUNBOOKS, TROUBLESHOOTING, CONTACTS, UPDATES, WINDOWS):
    fault(item, "the review is 200 days old", probes=("evidence",), needs=REVIEWED)(
        said(item, later("reviewed_at", days=-200))
    )
for item in (DEPLOY, TROUBLESHOOTING, UPDATES):
    fault(item, "the review is of nothing", probes=("evidence",), needs=REVIEWED)(
        said(item, facts(documents={}))
    )
fault(RUNBOOKS, "nobody went through the rollback", probes=("evidence",), needs=REVIEWED)(
    said(RUNBOOKS, lambda values: values["facts"]["exercised"].pop("roll back"))
)
fault(RUNBOOKS, "the drill was a year ago", probes=("evidence",), needs=REVIEWED)(
    said(
        RUNBOOKS,
        lambda values: values["facts"]["exercised"]["roll back"].update(at="2025-01-01T00:00:00+00:00"),
    )
)
fault(WINDOWS, "the review is of another calendar", probes=("evidence",), needs=REVIEWED)(
    said(WINDOWS, facts(calendar_sha256="0" * 64))
)
fault(CONTACTS, "changed after it was signed", probes=("evidence",), needs=REVIEWED)(
    said(CONTACTS, facts(contacts_sha256="0" * 64), sign=False)
)


@fault(RUNBOOKS, "nobody signed", probes=("evidence",), needs=REVIEWED, becomes=Verdict.UNPROVEN)
@contextmanager
def unsigned(demo: Deployment) -> Iterator[None]:
    """Take the record away."""
    with unsaid(demo, RUNBOOKS):
        yield


for name, edit in (
    ("a route is not documented", lambda values: values["paths"].pop("/token/quote")),
    ("the document of the release before", lambda values: values["info"].update(version="1.3.0")),
    ("an operation that is not there", also_at("/vouchers")),
    ("not valid", lambda values: values["info"].pop("title")),
    ("a reference that leads nowhere", lambda values: values["components"]["schemas"].pop("Version")),
    ("clients are sent elsewhere", lambda values: values.update(servers=[{"url": "https://staging.tokens.example"}])),
    ("the inside is documented", also_at("/internal/ledger")),
    ("another answer than its schema", lambda values: values["components"]["schemas"]["Version"]["required"].append("color")),
):  # fmt: skip
    fault(API, name, probes=("api_docs",))(documented(edit))
fault(API, "anybody reads what is internal", probes=("api_docs",))(
    targeted('docs_path = "/docs"', 'docs_visibility = "internal"\ndocs_path = "/docs"')
)
fault(API, "the public reads of administrators", probes=("api_docs",))(
    targeted("admin_documented = true\n", "")
)
fault(API, "no page for people", probes=("api_docs",))(
    targeted('docs_path = "/docs"', 'docs_path = "/manual"')
)

APT = ("server", "apt")
for name, where, change in (
    ("nothing is installed by itself", (*APT, "settings"), ('Unattended-Upgrade "1"', 'Unattended-Upgrade "0"')),
    ("lists are never fetched", (*APT, "settings"), ('Update-Package-Lists "1"', 'Update-Package-Lists "0"')),
    ("security updates are not allowed", (*APT, "settings"), ("security,label=Debian-Security", "updates,label=Debian")),
    ("a security update was left behind", (*APT, "waiting"), ("0 upgraded", "Inst openssl [3.0.15-1] (3.0.17-1 Debian-Security:12/oldstable-security [amd64])\n0 upgraded")),
):  # fmt: skip
    fault(UPDATES, name, probes=("updates",), needs=("server", *WRITTEN))(written(*where, change=change))


@fault(UPDATES, "the timer is off", probes=("updates",), needs=("server", *WRITTEN))
@contextmanager
def timer_off(demo: Deployment) -> Iterator[None]:
    """Stop the timer of updates."""
    with tools.units_edited(
        demo, lambda units: units["apt-daily-upgrade.timer"].update(ActiveState="inactive")
    ):
        yield


@fault(UPDATES, "no update for three weeks", probes=("updates",), needs=("server", *WRITTEN))
@contextmanager
def not_updated(demo: Deployment) -> Iterator[None]:
    """Let the last run lie three weeks back."""
    path = demo.world.path("server", "apt", "unattended-upgrades-stamp")
    before, at = path.stat().st_mtime, time.time() - 21 * 86400
    os.utime(path, (at, at))
    try:
        yield
    finally:
        os.utime(path, (before, before))


@fault(UPDATES, "a restart is due for thirty days", probes=("updates",), needs=("server", *WRITTEN))
@contextmanager
def restart_due(demo: Deployment) -> Iterator[None]:
    """Leave the note that updates want a restart."""
    path = demo.world.path("server", "apt", "reboot-required")
    path.touch()
    at = time.time() - 30 * 86400
    os.utime(path, (at, at))
    try:
        yield
    finally:
        path.unlink()


CALENDAR = ("people", "maintenance.yaml")
for name, change in (
    ("no window follows the last", ("    repeat: FREQ=WEEKLY;INTERVAL=4\n", "")),
    ("a window in busy hours", ("T02:00:00+00:00\n    duration: 2h\n    repeat: FREQ=WEEKLY", "T10:00:00+00:00\n    duration: 2h\n    repeat: FREQ=DAILY")),
    ("nobody approves", ("approver: operations\n", "")),
    ("nobody is told", ("audience: [customers, support]\n", "")),
    ("announced in the night before", ("    duration: 2h", "    announced_at: 2199-01-01T00:00:00+00:00\n    duration: 2h")),
):  # fmt: skip
    fault(WINDOWS, name, probes=("calendar",), needs=REVIEWED)(written(*CALENDAR, change=change))
fault(WINDOWS, "the calendar is gone", probes=("calendar",), needs=REVIEWED)(written(*CALENDAR, change=None))


@fault(WINDOWS, "only windows of last year", probes=("calendar",), needs=REVIEWED)
@contextmanager
def past_only(demo: Deployment) -> Iterator[None]:
    """Let the calendar end before now."""
    path = demo.world.path(*CALENDAR)
    year = datetime.now(UTC).year
    with edited(
        path,
        (f"start: {path.read_text().partition('start: ')[2][:4]}", f"start: {year - 1}"),
        ("INTERVAL=4", "COUNT=2"),
    ):
        yield


@contextmanager
def silenced(demo: Deployment, comment: str, until: str, **matched: str) -> Iterator[None]:
    """Add a silence to Alertmanager, and end it."""
    address = f"{demo.world.url('alertmanager')}/api/v2"
    body = {
        "matchers": [
            {"name": name, "value": value, "isRegex": False, "isEqual": True}
            for name, value in matched.items()
        ],
        "startsAt": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        "endsAt": until,
        "createdBy": "ann",
        "comment": comment,
    }
    request = urllib.request.Request(
        f"{address}/silences", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        number = json.load(answer)["silenceID"]
    try:
        yield
    finally:
        urllib.request.urlopen(
            urllib.request.Request(f"{address}/silence/{number}", method="DELETE"), timeout=20
        ).close()


@fault(
    WINDOWS, "a silence for maintenance without end", probes=("silences",), needs=("alertmanager", "people")
)
@contextmanager
def endless(demo: Deployment) -> Iterator[None]:
    """Silence one alert for maintenance until 2099."""
    with silenced(demo, "maintenance", "2099-01-01T00:00:00Z", alertname="TargetDown"):
        yield


@fault(WINDOWS, "all tickets are silent for a month", probes=("silences",), needs=("alertmanager", "people"))
@contextmanager
def broad(demo: Deployment) -> Iterator[None]:
    """Silence a whole severity for thirty days."""
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    with silenced(demo, "too loud", until, severity="ticket"):
        yield
