"""Faults of rollback triggers: data, chain and users are in trouble, or nobody would see it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck.demo import bugsink, standins
from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.probes.evm import topic
from pytest_deploycheck.verdict import Verdict
from tests.faults.functional import answered, execute
from tests.faults.functional_chain import rpc
from tests.faults.harness import fault
from tests.faults.monitoring import until
from tests.faults.tools import edited, signed_again, unsaid
from tests.faults.triggers import BUGS, CHAIN, CORRUPTION, NEEDS, VULN, issue


def insert(demo: Deployment, row: str, undo: str) -> contextlib.AbstractContextManager[None]:
    """Return a context in which a row is in the database."""

    @contextmanager
    def inject() -> Iterator[None]:
        execute(demo, row)
        try:
            yield
        finally:
            execute(demo, undo)

    return inject()


@fault(CORRUPTION, "an invariant is broken", probes=("integrity",), needs=NEEDS)
@contextmanager
def invariant_broken(demo: Deployment) -> Iterator[None]:
    """Settle a purchase that never was."""
    row = (
        "INSERT INTO purchases (user_id, tokens, cost_wei, tx_hash, status, idempotency_key)"
        " VALUES (1, 5, 5, '0x' || repeat('ce', 32), 'confirmed', 'fault-unsettled')"
    )
    with insert(demo, row, "DELETE FROM purchases WHERE idempotency_key = 'fault-unsettled'"):
        yield


@fault(CORRUPTION, "the database knows tokens that the contract does not", probes=("integrity",), needs=NEEDS)
@contextmanager
def supply_apart(demo: Deployment) -> Iterator[None]:
    """Index an event that no block has."""
    row = (
        "INSERT INTO chain_events VALUES ('0x' || repeat('ad', 32), 0, 'purchase',"
        " '0x' || repeat('1', 40), 7, 7, 1)"
    )
    with insert(demo, row, "DELETE FROM chain_events WHERE tx_hash = '0x' || repeat('ad', 32)"):
        yield


@fault(
    CORRUPTION,
    "an invariant that cannot be read",
    probes=("integrity",),
    needs=NEEDS,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def invariant_unreadable(demo: Deployment) -> Iterator[None]:
    """Rename a table in an invariant's statement, as a migration did without it."""
    with edited(demo.target, ("FROM wallets w", "FROM purses w")):
        yield


@fault(CORRUPTION, "broken pages are read on", probes=("integrity",), needs=NEEDS)
@contextmanager
def failures_ignored(demo: Deployment) -> Iterator[None]:
    """Let the server go on with pages whose checksum is wrong, as somebody does who rescues data."""
    execute(demo, "ALTER DATABASE tokens SET ignore_checksum_failure = on", role="postgres")
    try:
        yield
    finally:
        execute(demo, "ALTER DATABASE tokens RESET ignore_checksum_failure", role="postgres")


def logged(demo: Deployment, service: str, text: str) -> None:
    """Push one line to the log backend."""
    stream = {"stream": {"service": service}, "values": [[str(time.time_ns()), text]]}
    request = urllib.request.Request(
        f"{demo.world.url('loki')}/loki/api/v1/push",
        json.dumps({"streams": [stream]}).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=5).close()


@fault(CORRUPTION, "a broken page in the log", probes=("page_errors",), needs=NEEDS)
@contextmanager
def page_logged(demo: Deployment) -> Iterator[None]:
    """Let the log be that of a server which met a broken page."""
    logged(demo, "postgres_twin", "LOG:  checkpoint complete")
    logged(demo, "postgres_twin", "ERROR:  invalid page in block 3 of relation base/16384/16401")
    with edited(demo.target, ("[db]\n", '[db]\nlog_service = "postgres_twin"\n')):
        yield


@fault(CORRUPTION, "the log has no line", probes=("page_errors",), needs=NEEDS, becomes=Verdict.UNPROVEN)
@contextmanager
def log_empty(demo: Deployment) -> Iterator[None]:
    """Look at the log of a service that logs nothing."""
    with edited(demo.target, ("[db]\n", '[db]\nlog_service = "postgres_silent"\n')):
        yield


def said(item: str, becomes: Verdict, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Register a fault of what was signed about an item."""

    @fault(item, name, probes=("evidence",), needs=NEEDS, becomes=becomes)
    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with signed_again(demo, item, change):
            yield


def ended(values: dict[str, Any]) -> None:
    """Let amcheck have ended nine days ago."""
    values["facts"]["ended_at"] = (datetime.now(UTC) - timedelta(days=9)).isoformat()


FAILED = Verdict.FAILED
said(CORRUPTION, FAILED, "amcheck found an error", lambda values: values["facts"].update(errors=1))
said(CORRUPTION, FAILED, "amcheck looked at no index", lambda values: values["facts"].update(indexes=0))
said(CORRUPTION, Verdict.UNPROVEN, "amcheck is long ago", ended)
said(
    BUGS,
    FAILED,
    "support has a report that stops users",
    lambda values: values["facts"].update(open_blockers=1),
)


@fault(CORRUPTION, "nobody ran amcheck", probes=("evidence",), needs=NEEDS, becomes=Verdict.UNPROVEN)
@contextmanager
def unchecked(demo: Deployment) -> Iterator[None]:
    """Take the record of amcheck away."""
    with unsaid(demo, CORRUPTION):
        yield


@contextmanager
def excused(demo: Deployment) -> Iterator[None]:
    """Declare what administrators did so far, so that only what comes now is unexpected."""
    address = deploy.token_address(demo.world)
    names = ("Paused(address)", "Unpaused(address)", "OwnershipTransferred(address,address)")
    query = {
        "address": address,
        "fromBlock": "0x0",
        "toBlock": "latest",
        "topics": [[topic(one) for one in names]],
    }
    done = sorted({str(log["transactionHash"]) for log in rpc(demo).call("eth_getLogs", query)})
    with edited(demo.target, ("[triggers]\n", f"[triggers]\nexpected_transactions = {json.dumps(done)}\n")):
        yield


@fault(
    CHAIN, "somebody paused the contract for a moment", probes=("admin_events",), also=(VULN,), needs=NEEDS
)
@contextmanager
def paused_once(demo: Deployment) -> Iterator[None]:
    """Pause and unpause: the contract serves again, and yet somebody did that."""
    with excused(demo):
        deploy.as_owner(demo.world, "pause()")
        deploy.as_owner(demo.world, "unpause()")
        yield


@fault(VULN, "somebody took the contract over", probes=("admin_events",), also=(CHAIN,), needs=NEEDS)
@contextmanager
def taken_over(demo: Deployment) -> Iterator[None]:
    """Make the owner the owner once more: an event of a transfer, and nothing is changed."""
    with excused(demo):
        deploy.as_owner(demo.world, "transferOwnership(address)", int(deploy.owner_address(demo.world), 16))
        yield


@fault(CHAIN, "the contract belongs to another chain", probes=("admin_events",), also=(VULN,), needs=NEEDS)
@contextmanager
def other_chain(demo: Deployment) -> Iterator[None]:
    """Expect the contract elsewhere."""
    with excused(demo), edited(demo.target, ("chain_id = 31337", "chain_id = 1")):
        yield


@fault(CHAIN, "every alert falls silent with the application", probes=("detectors",), needs=NEEDS)
@contextmanager
def all_of_app(demo: Deployment) -> Iterator[None]:
    """Let the chain's exporter be a part of the application."""
    with edited(demo.target, ("[triggers]\n", '[triggers]\napp_jobs = ["app", "chain"]\n')):
        yield


def api(demo: Deployment, method: str, path: str) -> Any:
    """Ask the error tracker."""
    request = urllib.request.Request(
        f"{demo.world.url('bugsink')}{path}",
        headers={"Authorization": f"Bearer {bugsink.token(demo.world)}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        body = answer.read()
    return json.loads(body) if body else None


@contextmanager
def reported(demo: Deployment, count: int, user: Callable[[int], dict[str, str] | None]) -> Iterator[None]:
    """Report one error so often, each time of a user; afterwards the issue is deleted."""
    kind = f"Fault{uuid.uuid4().hex[:8]}"
    dsn = bugsink.dsn(demo.world)
    key, _, place = dsn.partition("//")[2].partition("@")
    for number in range(count):
        event = {
            "event_id": uuid.uuid4().hex,
            "timestamp": datetime.now(UTC).isoformat(),
            "platform": "python",
            "level": "error",
            "release": demo.world.release.version,
            "exception": {"values": [{"type": kind, "value": "the basket is gone"}]},
            **({"user": found} if (found := user(number)) else {}),
        }
        lines = (
            json.dumps({"event_id": event["event_id"]}),
            json.dumps({"type": "event"}),
            json.dumps(event),
        )
        request = urllib.request.Request(
            f"http://{place.partition('/')[0]}/api/{bugsink.PROJECT_ID}/envelope/",
            "\n".join(lines).encode(),
            {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client=fault/1, sentry_key={key}"},
        )
        urllib.request.urlopen(request, timeout=10).close()

    def found_issue() -> dict[str, Any] | None:
        rows = api(
            demo, "GET", f"/api/canonical/0/issues/?project={bugsink.PROJECT_ID}&sort=last_seen&order=desc"
        )
        return next((row for row in rows["results"] if row["calculated_type"] == kind), None)

    until(lambda: (found_issue() or {}).get("digested_event_count") == count)
    try:
        yield
    finally:
        found_row = found_issue()
        if found_row is not None:
            api(demo, "DELETE", f"/api/canonical/0/issues/{found_row['id']}/")


TRACKED = (*NEEDS, "bugsink")


@fault(BUGS, "an issue hits many users", probes=("user_issues",), needs=TRACKED, limits={"bug_users_max": 10})
@contextmanager
def many_users(demo: Deployment) -> Iterator[None]:
    """Report an error of a dozen users."""
    with reported(demo, 12, lambda number: {"id": str(number)}):
        yield


@fault(
    BUGS, "an issue hits nobody knows whom", probes=("user_issues",), needs=TRACKED, becomes=Verdict.UNPROVEN
)
@contextmanager
def unknown_users(demo: Deployment) -> Iterator[None]:
    """Report an error a dozen times without a user."""
    with reported(demo, 12, lambda number: None):
        yield


@fault(BUGS, "nobody is told of new issues", probes=("user_issues",), needs=TRACKED)
@contextmanager
def untold(demo: Deployment) -> Iterator[None]:
    """Turn the project's alert on new issues off."""
    database = demo.world.path("bugsink", "db.sqlite3")

    def tell(somebody: bool) -> None:
        with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection, connection:
            connection.execute("UPDATE projects_project SET alert_on_new_issue = ?", (somebody,))

    tell(False)
    try:
        yield
    finally:
        tell(True)


fault(BUGS, "a bug of the highest priority is open", probes=("user_issues",), needs=TRACKED)(
    issue("Purchases are paid twice", "P0", "backend")
)


def journey(demo: Deployment, name: str) -> float | None:
    """Return how a journey ended, as Prometheus has it."""
    url = f"{demo.world.url('prometheus')}/api/v1/query?query=journey_success%7Bjourney%3D%22{name}%22%7D"
    with urllib.request.urlopen(url, timeout=5) as answer:
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else None


@fault(BUGS, "a journey fails behind status 200", probes=("journeys",), needs=NEEDS)
@contextmanager
def journey_fails(demo: Deployment) -> Iterator[None]:
    """Answer the quote with an error that is called a success."""
    standins.switch(demo.world, "journeys", every_s=0.2)
    try:
        with answered(demo, "/token/quote", 200, {"error": "the price is not known"}):
            until(lambda: journey(demo, "quote") == 0)
            yield
        until(lambda: journey(demo, "quote") == 1)
    finally:
        standins.switch(demo.world, "journeys", every_s=None)


@fault(
    BUGS, "nobody journeys any more", probes=("journeys",), needs=NEEDS, limits={"journey_interval_max_s": 3}
)
@contextmanager
def journeys_stopped(demo: Deployment) -> Iterator[None]:
    """Stop the runner; its last results stay, and are well."""
    standins.switch(demo.world, "journeys", every_s=0.2, stopped=True)
    try:
        time.sleep(3.5)
        yield
    finally:
        standins.switch(demo.world, "journeys", every_s=None, stopped=None)


@fault(BUGS, "a journey that nobody makes", probes=("journeys",), needs=NEEDS)
@contextmanager
def journey_missing(demo: Deployment) -> Iterator[None]:
    """Require a journey that the runner does not know."""
    with edited(demo.target, ("[triggers]\n", '[triggers]\njourneys = ["login", "redeem"]\n')):
        yield
