"""Faults of rollback triggers: data and chain are in trouble, or nobody would see it."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.probes.evm import topic
from pytest_deploycheck.verdict import Verdict
from tests.faults.functional import execute
from tests.faults.functional_chain import rpc
from tests.faults.harness import fault
from tests.faults.tools import edited, signed_again, unsaid
from tests.faults.triggers import BUGS, CHAIN, CORRUPTION, NEEDS, VULN


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
