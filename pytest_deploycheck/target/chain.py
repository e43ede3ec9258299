"""The chain, and the contract on it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import HttpUrl, Section


class RpcSection(Section):
    """`[rpc]`: an Ethereum JSON-RPC endpoint of our own, not the application's, as reference.

    `application` and `fallback` are the application's own endpoints, `allowed_hosts` patterns of their hosts.
    """

    url: SecretRef
    application: SecretRef | None = None
    fallback: SecretRef | None = None
    allowed_hosts: list[str] = ["*.infura.io", "*.alchemy.com"]


class ContractSection(Section):
    """`[contract]`: the token contract, its functions and its events.

    Of an event's arguments the first address is who, the first integer how many tokens, the second the wei.
    `indexed`: the product keeps an index of the contract's events.
    """

    enabled: bool = True
    address: str = Field(default="", pattern=r"^(0x[0-9a-fA-F]{40})?$")
    chain_id: int = 1
    abi_file: str = ""
    buy: str = "buy()"
    redeem: str = "redeem(uint256)"
    price: str = "price()"
    paused: str = "paused()"
    purchased: str = "Purchased(address,uint256,uint256)"
    redeemed: str = "Redeemed(address,uint256,uint256)"
    indexed: bool = True


class TestnetSection(Section):
    """`[testnet]`: where the contract was tried before."""

    rpc_url: SecretRef
    chain_id: int = 11155111
    address: str = Field(default="", pattern=r"^(0x[0-9a-fA-F]{40})?$")
    required_functions: list[str] = ["buy()", "redeem(uint256)"]
    report: str = ""


class GasCall(Section):
    """One call whose gas is estimated: `args` are written as JSON has them, `value` in wei."""

    function: str
    sender: str = ""
    args: list[str | int] = []
    value: int = 0


class GasSection(Section):
    """`[gas]`: the calls of the product, and what they may cost together."""

    calls: list[GasCall] = []
    budget_wei: int = 0
    report: str = ""


class SignerSection(Section):
    """`[signer]`: the account that pays for the product's transactions."""

    address: str = Field(default="", pattern=r"^(0x[0-9a-fA-F]{40})?$")
    kms: bool = False
    allowed_delegates: list[str] = []
    roles: list[str] = []


class ExplorerSection(Section):
    """`[explorer]`: where the contract's source is published."""

    etherscan_url: HttpUrl | Literal[""] = ""
    etherscan_key: SecretRef | None = None
    sourcify_url: HttpUrl | Literal[""] = ""
