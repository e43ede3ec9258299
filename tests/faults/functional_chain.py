"""Faults of Functional Testing: wallet, token and chain."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from pytest_deploycheck.demo.app.accounts import account
from pytest_deploycheck.demo.contract import PRICE_WEI, deploy
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.ether import abi
from pytest_deploycheck.demo.ether.keys import derive_address
from pytest_deploycheck.demo.ether.rpc import Rpc
from tests.faults.functional import answered, bug, execute
from tests.faults.harness import fault

WALLET = "post_deploy.functional.wallet"
TOKEN = "post_deploy.functional.token"
CHAIN = "post_deploy.functional.chain"
_DEAD = "http://127.0.0.1:9"


def rpc(demo: Deployment) -> Rpc:
    """Return a client of the chain that may do anything."""
    return Rpc(demo.world.url("rpc"), timeout_s=5.0)


def wallet_of(demo: Deployment, username: str) -> str:
    """Return the address of a seeded account's wallet."""
    return derive_address(demo.world.secret("signer_key"), account(username).id)


def buy(demo: Deployment, username: str, tokens: int = 1) -> None:
    """Buy tokens through the API, as the user would."""
    world, edge = demo.world, demo.world.url("edge")
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(world.dir / "certs" / "ca.pem")
        form = {"username": username, "password": world.secret(account(username).secret)}
        login = session.post(f"{edge}/auth/login", json=form, timeout=10)
        headers = {
            "Authorization": f"Bearer {login.json()['access_token']}",
            "Idempotency-Key": f"fault-{time.monotonic_ns()}",
        }
        order = session.post(f"{edge}/token/purchase", json={"tokens": tokens}, headers=headers, timeout=10)
        order.raise_for_status()


def mine(demo: Deployment, blocks: int) -> None:
    """Let the chain grow at once."""
    for _ in range(blocks):
        rpc(demo).call("evm_mine")


@contextmanager
def changed(demo: Deployment, table: str, values: str, reverse: str, where: str) -> Iterator[None]:
    """Change rows of a table, and change them back."""
    execute(demo, f"UPDATE {table} SET {values} WHERE {where}")
    try:
        yield
    finally:
        execute(demo, f"UPDATE {table} SET {reverse} WHERE {where}")


def newest(demo: Deployment, table: str) -> str:
    """Return a condition that picks the newest settled row of a table."""
    query = f"SELECT id FROM {table} WHERE status = 'confirmed' ORDER BY created_at DESC LIMIT 1"
    return f"id = {execute(demo, query)[0][0]}"


@fault(WALLET, "balances come from an old cache", probes=("wallet",))
@contextmanager
def stale_balance(demo: Deployment) -> Iterator[None]:
    """Show balances of long ago under the number of the newest block."""
    with bug(demo, stale_balance=True):
        yield


@fault(WALLET, "all users share one address", probes=("wallet",))
@contextmanager
def shared_address(demo: Deployment) -> Iterator[None]:
    """Derive every deposit address from the same number."""
    with bug(demo, shared_address=True):
        yield


@fault(WALLET, "the indexer is paused", probes=("wallet",), limits={"wallet_max_block_skew": 2})
@contextmanager
def indexer_paused(demo: Deployment) -> Iterator[None]:
    """Stop indexing, then let something happen."""
    with bug(demo, indexer_paused=True):
        time.sleep(0.6)  # an instance that has begun a round ends it
        buy(demo, "test")
        mine(demo, 3)
        yield


@fault(WALLET, "withdrawals to anywhere are quoted", probes=("wallet",))
@contextmanager
def accepts_bad_address(demo: Deployment) -> Iterator[None]:
    """Quote a withdrawal that would lose the money."""
    with bug(demo, accept_bad_address=True):
        yield


@fault(WALLET, "the address has no checksum", probes=("wallet",))
@contextmanager
def lower_case(demo: Deployment) -> Iterator[None]:
    """Show an address in which no slip of the hand is noticed."""
    address = wallet_of(demo, "test")
    with changed(demo, "wallets", "address = lower(address)", f"address = '{address}'", "user_id = 1"):
        yield


@fault(WALLET, "the history holds what never happened", probes=("wallet",))
@contextmanager
def invented_history(demo: Deployment) -> Iterator[None]:
    """Put an event into the index that no block has."""
    bogus = "0x" + "ab" * 32
    row = (
        f"INSERT INTO chain_events VALUES ('{bogus}', 0, 'purchase', '{wallet_of(demo, 'test')}', 5, 5,"
        " (SELECT max(block_number) FROM chain_events))"
    )
    execute(demo, row)
    try:
        yield
    finally:
        undo = f"DELETE FROM chain_events WHERE tx_hash = '{bogus}'"
        execute(demo, undo)


@fault(WALLET, "the history has another amount", probes=("wallet",))
@contextmanager
def other_amount(demo: Deployment) -> Iterator[None]:
    """Change what the index says of the newest event of the test account."""
    query = (
        f"SELECT tx_hash FROM chain_events WHERE address = '{wallet_of(demo, 'test')}'"
        " ORDER BY block_number DESC LIMIT 1"
    )
    where = f"tx_hash = '{execute(demo, query)[0][0]}'"
    with changed(demo, "chain_events", "tokens = tokens + 1", "tokens = tokens - 1", where):
        yield


@fault(WALLET, "a zero balance", probes=("wallet",))
@contextmanager
def zero_balance(demo: Deployment) -> Iterator[None]:
    """Answer 200 with nothing in the wallet, as a view does that lost its source."""
    head = int(rpc(demo).call("eth_blockNumber"), 16)
    body = {
        "id": 1,
        "address": wallet_of(demo, "test"),
        "chain_id": deploy.CHAIN_ID,
        "native_balance_wei": "0",
        "token_balance": "0",
        "block_number": head,
    }
    with answered(demo, "/wallet", 200, body):
        yield


@contextmanager
def paused(demo: Deployment) -> Iterator[None]:
    """Pause the contract by its guardians."""
    deploy.as_owner(demo.world, "pause()")
    try:
        yield
    finally:
        deploy.as_owner(demo.world, "unpause()")


@fault(TOKEN, "the contract is paused", probes=("token",))
@contextmanager
def contract_paused(demo: Deployment) -> Iterator[None]:
    """Stop the token while everything about it still answers."""
    with paused(demo):
        yield


@fault(TOKEN, "redeeming reverts", probes=("token",))
@contextmanager
def redeem_reverts(demo: Deployment) -> Iterator[None]:
    """Take the function out of the contract's code by which tokens are redeemed."""
    token, client = deploy.token_address(demo.world), rpc(demo)
    code = str(client.call("eth_getCode", token, "latest"))
    selector = abi.selector("redeem(uint256)").hex()
    assert code.count(selector) == 1, "the function is not where a compiler puts it"
    client.call("anvil_setCode", token, code.replace(selector, "deadbeef"))
    try:
        yield
    finally:
        client.call("anvil_setCode", token, code)


@fault(TOKEN, "the quote is not the price", probes=("token",))
@contextmanager
def other_price(demo: Deployment) -> Iterator[None]:
    """Ask for less than the contract does."""
    with answered(demo, "/token/quote", 200, {"tokens": 3, "cost_wei": "3", "price_wei": "1"}):
        yield


@fault(TOKEN, "the quote is an old one", probes=("token",))
@contextmanager
def old_quote(demo: Deployment) -> Iterator[None]:
    """Give a price that was right some blocks ago, and may be so no more."""
    body = {"tokens": 3, "cost_wei": str(3 * PRICE_WEI), "price_wei": str(PRICE_WEI), "block_number": 1}
    with answered(demo, "/token/quote", 200, body):
        yield


@fault(TOKEN, "a purchase without an event", probes=("books",))
@contextmanager
def row_without_event(demo: Deployment) -> Iterator[None]:
    """Credit a purchase that no block has."""
    execute(
        demo,
        "INSERT INTO purchases (user_id, tokens, cost_wei, tx_hash, status, idempotency_key)"
        " VALUES (1, 5, 5, '0x' || repeat('cd', 32), 'confirmed', 'fault-invented')",
    )
    try:
        yield
    finally:
        execute(demo, "DELETE FROM purchases WHERE idempotency_key = 'fault-invented'")


@fault(TOKEN, "a redemption of another amount", probes=("books",))
@contextmanager
def row_of_other_amount(demo: Deployment) -> Iterator[None]:
    """Write down another number of tokens than were redeemed."""
    where = newest(demo, "redemptions")
    with changed(demo, "redemptions", "tokens = tokens + 1", "tokens = tokens - 1", where):
        yield


@fault(TOKEN, "a purchase that failed and was paid", probes=("books",))
@contextmanager
def paid_but_failed(demo: Deployment) -> Iterator[None]:
    """Call a purchase failed that the chain carried out."""
    with changed(demo, "purchases", "status = 'failed'", "status = 'confirmed'", newest(demo, "purchases")):
        yield


@fault(TOKEN, "an event without a purchase", probes=("books",), limits={"books_max_lag_blocks": 0})
@contextmanager
def event_without_row(demo: Deployment) -> Iterator[None]:
    """Let a wallet of the product pay without being credited."""
    row = newest(demo, "purchases")
    name = execute(demo, f"SELECT tx_hash FROM purchases WHERE {row}")[0][0]
    lost = "tx_hash = '0x' || repeat('ef', 32), status = 'failed'"
    with changed(demo, "purchases", lost, f"tx_hash = '{name}', status = 'confirmed'", row):
        yield


@fault(TOKEN, "purchases stay pending", probes=("books",), limits={"token_pending_max_s": 30})
@contextmanager
def stays_pending(demo: Deployment) -> Iterator[None]:
    """Send transactions and never look at what became of them."""
    early = "status = 'pending', created_at = created_at - interval '1 min'"
    back = "status = 'confirmed', created_at = created_at + interval '1 min'"
    with bug(demo, queue_stuck=True):
        time.sleep(0.6)
        with changed(demo, "purchases", early, back, newest(demo, "purchases")):
            yield


@fault(TOKEN, "an order is answered 500", probes=("round_trip",), also=("post_deploy.functional.db",))
@contextmanager
def order_500(demo: Deployment) -> Iterator[None]:
    """Break the route by which users buy."""
    with answered(demo, "/token/purchase", 500, {"title": "Internal Server Error"}):
        yield


@fault(TOKEN, "orders are accepted and never sent", probes=("round_trip",), limits={"round_trip_mined_s": 1})
@contextmanager
def order_never_sent(demo: Deployment) -> Iterator[None]:
    """Answer 201 with a transaction that nobody sent, as from a queue without a worker."""
    body = {"id": 1, "kind": "redemption", "tokens": "1", "tx_hash": "0x" + "12" * 32, "status": "pending"}
    with answered(demo, "/token/redeem", 201, body):
        yield


@fault(CHAIN, "the node of the app is dead", probes=("chain",))
@contextmanager
def node_dead(demo: Deployment) -> Iterator[None]:
    """Take the node from the app alone, behind a health check that does not look; ours goes on."""
    with bug(demo, rpc_url=_DEAD, health_shallow=True):
        yield


@fault(CHAIN, "answers come from a cache", probes=("chain",))
@contextmanager
def chain_cached(demo: Deployment) -> Iterator[None]:
    """Serve the last good answer while the app's node is dead."""
    with bug(demo, rpc_url=_DEAD, chain_cached=True, health_shallow=True):
        mine(demo, 5)
        yield


@fault(CHAIN, "the index stands still", probes=("chain",))
@contextmanager
def index_stands(demo: Deployment) -> Iterator[None]:
    """Stop indexing, which no answer shows but the cursor."""
    with bug(demo, indexer_paused=True):
        time.sleep(0.6)
        mine(demo, 14)
        yield


@fault(CHAIN, "the queue does not drain", probes=("chain",), limits={"chain_max_queue": 0})
@contextmanager
def queue_stuck(demo: Deployment) -> Iterator[None]:
    """Let orders pile up."""
    with bug(demo, queue_stuck=True):
        time.sleep(0.6)
        buy = "UPDATE purchases SET status = 'pending' WHERE id = (SELECT max(id) FROM purchases)"
        execute(demo, buy)
        yield


@fault(CHAIN, "another contract", probes=("chain",))
@contextmanager
def other_contract(demo: Deployment) -> Iterator[None]:
    """Serve the state of a contract that is not the released one."""
    body = {
        "address": deploy.owner_address(demo.world),
        "chain_id": deploy.CHAIN_ID,
        "symbol": "DEMO",
        "total_supply": "1",
        "price_wei": str(PRICE_WEI),
        "paused": False,
        "block_number": int(rpc(demo).call("eth_blockNumber"), 16),
    }
    with answered(demo, "/token", 200, body):
        yield


@fault(CHAIN, "another chain", probes=("chain",))
@contextmanager
def other_chain(demo: Deployment) -> Iterator[None]:
    """Say that the contract lives on the main network."""
    head = int(rpc(demo).call("eth_blockNumber"), 16)
    body = {"chain_id": 1, "contract_address": deploy.token_address(demo.world), "block_number": head}
    with answered(demo, "/chain", 200, body):
        yield
