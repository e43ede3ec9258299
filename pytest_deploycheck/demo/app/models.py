"""The forms of requests and answers, as the OpenAPI document shows them. Wei are strings of digits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Wei = Annotated[str, Field(pattern=r"^[0-9]{1,78}$")]
Hash = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]


class _Form(BaseModel):
    """A request's body: fields that are not documented are refused."""

    model_config = ConfigDict(extra="forbid")


class Login(_Form):
    """A user's name and password."""

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=256)]


class Refresh(_Form):
    """A refresh token."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=256)]


class Logout(_Form):
    """The refresh token that ends with the session."""

    refresh_token: Annotated[str | None, Field(max_length=256)] = None


class Session(BaseModel):
    """A pair of tokens; the access token lives `expires_in` seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme
    expires_in: int


class Me(BaseModel):
    """The account that a token belongs to."""

    id: int
    username: str
    role: Literal["user", "admin"]


class Wallet(BaseModel):
    """A custodial wallet and what it holds at a block."""

    id: int
    address: Address
    chain_id: int
    native_balance_wei: Wei
    token_balance: Wei
    block_number: int


class WalletEvent(BaseModel):
    """A purchase or redemption of a wallet, as the chain logged it."""

    kind: Literal["purchase", "redemption"]
    tx_hash: Hash
    log_index: int
    block_number: int
    tokens: Wei
    wei: Wei


class History(BaseModel):
    """The newest events of a wallet, newest first, complete up to a block."""

    wallet_id: int
    address: Address
    indexed_to: int
    events: list[WalletEvent]


class WithdrawalRequest(_Form):
    """Where ether should go, and how much."""

    address: Annotated[str, Field(max_length=64)]
    amount_wei: Wei


class WithdrawalQuote(BaseModel):
    """What a withdrawal would cost."""

    address: str
    amount_wei: Wei
    fee_wei: Wei
    total_wei: Wei
    block_number: int


class Order(_Form):
    """A number of tokens."""

    tokens: Annotated[int, Field(gt=0, le=1_000_000)]


class Transaction(BaseModel):
    """A purchase or redemption; `cost_wei` is paid for the one and received for the other."""

    id: int
    kind: Literal["purchase", "redemption"]
    tokens: Wei
    cost_wei: Wei
    tx_hash: Hash | None
    status: Literal["pending", "confirmed", "failed"]
    created_at: str
    confirmed_at: str | None


class Transactions(BaseModel):
    """The newest purchases and redemptions of a user, newest first."""

    transactions: list[Transaction]


class TokenInfo(BaseModel):
    """The token contract at a block."""

    address: Address
    chain_id: int
    symbol: str
    decimals: int
    total_supply: Wei
    price_wei: Wei
    paused: bool
    block_number: int


class Quote(BaseModel):
    """What a number of tokens costs at a block."""

    tokens: int
    cost_wei: Wei
    price_wei: Wei
    block_number: int


class Chain(BaseModel):
    """How the service sees the chain."""

    chain_id: int
    contract_address: Address
    block_number: int
    head_at: int
    indexer_block: int
    queue_depth: int
    total_supply: Wei
    paused: bool


class Version(BaseModel):
    """The running release."""

    version: str
    commit: str
    environment: str


class PublicConfig(BaseModel):
    """What every client needs to know of this deployment."""

    chain_id: int
    contract_address: str
    min_app_version: str


class Component(BaseModel):
    """One thing the service depends on."""

    status: Literal["ok", "down"]
    latency_ms: float
    detail: str | None = None


class Health(BaseModel):
    """Whether the service can do its work."""

    status: Literal["ok", "degraded"]
    version: str
    commit: str
    timestamp: str
    components: dict[str, Component]


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class User(BaseModel):
    """An account, as an administrator sees it."""

    id: int
    username: str
    role: str
    wallet_address: str | None


class Users(BaseModel):
    """Every account."""

    users: list[User]


class ProblemDetails(BaseModel):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None
