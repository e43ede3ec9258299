"""The token: what it is, what it costs, buying and redeeming it; and how the service sees the chain."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from pytest_deploycheck.demo.app.db import Connection, one
from pytest_deploycheck.demo.app.guard import BEARER, Protected, caller
from pytest_deploycheck.demo.app.limiter import client_address
from pytest_deploycheck.demo.app.models import Chain, Order, Quote, TokenInfo, Transaction
from pytest_deploycheck.demo.app.orders import Kind, OrderRequest, place
from pytest_deploycheck.demo.app.services import services
from pytest_deploycheck.demo.app.wallets import show_transaction

public = APIRouter(tags=["token"])
protected = APIRouter(tags=["token"], route_class=Protected, dependencies=[BEARER])

IdempotencyKey = Annotated[str, Header(min_length=8, max_length=100, pattern=r"^[\w.:-]+$")]
_RUN_TAG = re.compile(r"[\w.:-]{1,64}")


@public.get("/token")
def token(request: Request) -> TokenInfo:
    """Return the token contract's public values."""
    contract = services(request).contract
    state = contract.state()
    return TokenInfo(
        address=contract.address,
        chain_id=state.chain_id,
        symbol=state.symbol,
        decimals=state.decimals,
        total_supply=str(state.total_supply),
        price_wei=str(state.price_wei),
        paused=state.paused,
        block_number=state.block_number,
    )


@public.get("/token/quote")
def quote(
    request: Request, response: Response, tokens: Annotated[int, Query(gt=0, le=1_000_000)] = 1
) -> Quote:
    """Return what a number of tokens costs now."""
    parts = services(request)
    response.headers.update(parts.limiter.admit("/token/quote", client_address(request, parts.switches)))
    block_number, price = parts.contract.price()
    return Quote(tokens=tokens, cost_wei=str(tokens * price), price_wei=str(price), block_number=block_number)


@public.get("/chain")
def chain(request: Request) -> Chain:
    """Return the newest block, the index's progress and the contract's state."""
    parts = services(request)
    state = parts.contract.state()
    with parts.db.transaction() as connection:
        indexed: Any = one(connection, "SELECT block_number FROM indexer_cursor")
        depth = queue_depth(connection)
    return Chain(
        chain_id=state.chain_id,
        contract_address=parts.contract.address,
        block_number=state.block_number,
        head_at=state.head_at,
        indexer_block=indexed["block_number"],
        queue_depth=depth,
        total_supply=str(state.total_supply),
        paused=state.paused,
    )


@protected.post("/token/purchase", status_code=201)
def purchase(
    request: Request, response: Response, form: Order, idempotency_key: IdempotencyKey
) -> Transaction:
    """Buy tokens with the ether of the caller's wallet; the same key never buys twice (200, not 201)."""
    return _order(request, response, "purchase", form, idempotency_key)


@protected.post("/token/redeem", status_code=201)
def redeem(request: Request, response: Response, form: Order, idempotency_key: IdempotencyKey) -> Transaction:
    """Turn tokens of the caller's wallet back into ether; the same key never does so twice."""
    return _order(request, response, "redemption", form, idempotency_key)


def queue_depth(connection: Connection) -> int:
    """Return the number of purchases and redemptions that the chain has not confirmed yet."""
    row: Any = one(
        connection,
        "SELECT (SELECT count(*) FROM purchases WHERE status = 'pending')"
        " + (SELECT count(*) FROM redemptions WHERE status = 'pending') AS depth",
    )
    return int(row["depth"])


def _order(request: Request, response: Response, kind: Kind, form: Order, key: str) -> Transaction:
    tag = request.headers.get("x-deploycheck-run", "")
    order = OrderRequest(
        kind=kind,
        user_id=caller(request).id,
        tokens=form.tokens,
        idempotency_key=key,
        run_tag=tag if _RUN_TAG.fullmatch(tag) else None,
    )
    row, new = place(services(request), order)
    if not new:
        response.status_code = 200
    return show_transaction(row)
