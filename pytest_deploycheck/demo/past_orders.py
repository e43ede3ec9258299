"""Purchases and redemptions of the first day of a deployment that has lived.

They are real transactions of an account's wallet, made when the folder is; what is made up is when its rows say that
they were made, since a chain cannot be given a past.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pytest_deploycheck.demo import postgres
from pytest_deploycheck.demo.app.accounts import account
from pytest_deploycheck.demo.contract import PRICE_WEI
from pytest_deploycheck.demo.contract.deploy import token_address
from pytest_deploycheck.demo.ether import abi, signing
from pytest_deploycheck.demo.ether.keys import derive_key
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

BUYER = "admin"
"""An account that orders nothing else meanwhile: a key must not send from two places."""
BOUGHT, REDEEMED = (4, 3, 2), (2, 1)
"""Tokens of each purchase and redemption, the first three hours after go-live, then one each two hours."""


def available() -> str | None:
    """Return None: all that this needs is there."""
    return None


def daemons(world: World) -> list[Daemon]:
    """Buy and redeem, where there is a past and nobody has; there is no server."""
    if world.lived:
        order(world)
    return []


def order(world: World) -> None:
    """Send the transactions, and enter each as of the first day."""
    import psycopg

    buyer = account(BUYER)
    key, token = derive_key(world.secret("signer_key"), buyer.id), token_address(world)
    rpc = Rpc(world.url("rpc"), timeout_s=5.0)
    at = datetime.fromisoformat(world.release.deployed_at) + timedelta(hours=3)
    with psycopg.connect(postgres.dsn(world, "token_owner"), autocommit=True) as owner:
        if owner.execute("SELECT 1 FROM purchases WHERE idempotency_key LIKE 'past-%'").fetchone():
            return
        for table, amounts in (("purchases", BOUGHT), ("redemptions", REDEEMED)):
            for tokens in amounts:
                buys = table == "purchases"
                value = tokens * PRICE_WEI if buys else 0
                data = abi.call("buy()") if buys else abi.call("redeem(uint256)", tokens)
                sent = signing.send(rpc, key, to=token, value=value, data=data)
                signing.wait(rpc, sent)
                owner.execute(
                    f"INSERT INTO {table} (user_id, tokens, cost_wei, tx_hash, status, idempotency_key, created_at,"  # noqa: S608
                    " confirmed_at) VALUES (%s, %s, %s, %s, 'confirmed', %s, %s, %s)",
                    (
                        buyer.id,
                        tokens,
                        tokens * PRICE_WEI,
                        sent,
                        f"past-{sent}",
                        at,
                        at + timedelta(seconds=20),
                    ),
                )
                at += timedelta(hours=2)
