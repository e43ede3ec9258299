"""The chain, and the contract on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import HttpUrl, Section

Address = Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{40})?$")]
Hash = Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{64})?$")]
Value = bool | int | str


class RpcSection(Section):
    """`[rpc]`: an Ethereum JSON-RPC endpoint of our own, not the application's, as reference.

    `application` and `fallback` are the application's own endpoints; without the first, the value of
    `env.rpc_url_key` in its environment file counts. `allowed_hosts`: patterns of hosted providers, whose URLs
    hold a key. `own_hosts`: patterns of the hosts of our own nodes, which need none.
    """

    url: SecretRef
    application: SecretRef | None = None
    fallback: SecretRef | None = None
    allowed_hosts: list[str] = ["*.infura.io", "*.alchemy.com"]
    own_hosts: list[str] = []


class StateCall(Section):
    """A reading function of the contract and what it must return: `call = "maxSupply()"`, `equals = 1000`.

    `args` and `equals` are written as JSON has them, integers beyond 2^63 as text.
    """

    call: str
    args: list[Value] = []
    equals: Value | list[Value]


class ContractSection(Section):
    """`[contract]`: the token contract, its functions and its events, and how it was deployed.

    Of an event's arguments the first address is who, the first integer how many tokens, the second the wei.
    `indexed`: the product keeps an index of the contract's events.
    `artifact`: the build's output (Hardhat, Foundry, standard JSON, Vyper), `name` the contract in it; behind a
    proxy both are the implementation's, and `proxy_artifact` is the proxy's own.
    `deploy_tx`: the transaction that created `address`, sent by `deployer`.
    `immutables` (name -> value) and `libraries` (name -> address) are what the deployment filled in; immutables
    that follow from `constructor_args` need not be named.
    `roles`: every holder of a role of AccessControl, by the role's name.
    `owner_is_account`: the owner may be an account without code, which one key controls.
    `deployments_file`: the address as the deployment wrote it, on the server or beside the target file.
    `config_path`: where the API tells clients the address.  `bundle_urls`: scripts and apps that have it built
    in, or pages that load such scripts.
    `initializer`: the implementation's function that must not be callable any more.
    """

    enabled: bool = True
    address: Address = ""
    chain_id: int = 1
    artifact: str = ""
    name: str = ""
    deploy_tx: Hash = ""
    deployer: Address = ""
    constructor_args: list[Value | list[Value]] | None = None
    immutables: dict[str, Value] = {}
    libraries: dict[str, Address] = {}
    owner: Address = ""
    owner_call: str = "owner()"
    owner_is_account: bool = False
    roles: dict[str, list[Address]] = {}
    proxy: Literal["none", "eip1967", "beacon", "minimal"] = "none"
    implementation: Address = ""
    proxy_admin: Address = ""
    beacon: Address = ""
    proxy_artifact: str = ""
    initializer: str = ""
    deployments_file: str = Field(default="", pattern=r"^[\w./@+-]*$")
    config_path: str = ""
    bundle_urls: list[HttpUrl] = []
    expected_state: list[StateCall] = []
    buy: str = "buy()"
    redeem: str = "redeem(uint256)"
    price: str = "price()"
    paused: str = "paused()"
    purchased: str = "Purchased(address,uint256,uint256)"
    redeemed: str = "Redeemed(address,uint256,uint256)"
    indexed: bool = True


class TestnetSection(Section):
    """`[testnet]`: where the same build was deployed and used before.

    `constructor_args`: what it was deployed with there.  `transactions`: successful calls, where the functions
    of `required_functions` log nothing by which they could be found.  `report`: JUnit of that run, with the
    properties `commit`, `address` and `chain_id`.
    """

    rpc_url: SecretRef
    chain_id: int = 11155111
    allowed_chains: list[int] = [11155111, 560048]
    address: Address = ""
    deploy_tx: Hash = ""
    constructor_args: list[Value | list[Value]] | None = None
    libraries: dict[str, Address] = {}
    required_functions: list[str] = ["buy()", "redeem(uint256)"]
    transactions: list[Hash] = []
    report: str = ""


class GasCall(Section):
    """One call whose gas is estimated: `args` are written as JSON has them, `value` in wei."""

    function: str
    sender: Address = ""
    to: Address = ""
    args: list[Value | list[Value]] = []
    value: int = 0


class GasSection(Section):
    """`[gas]`: the calls of the product, and what they may cost together.

    `report`: the stored estimates, JSON with `artifact_sha256`, `made_at`, `max_fee_wei` and `estimates`
    (function -> gas; `deploy` for the deployment).
    """

    calls: list[GasCall] = []
    budget_wei: int = 0
    report: str = ""


class SignerSection(Section):
    """`[signer]`: the account that pays for the product's transactions.

    `kms`: its key is in an HSM or with a relayer, so that no key can be looked at.  `roles`: the contract's
    roles that it needs.  `allowed_delegates`: contracts that it may be delegated to (EIP-7702).
    """

    address: Address = ""
    kms: bool = False
    allowed_delegates: list[Address] = []
    roles: list[str] = []


class ExplorerSection(Section):
    """`[explorer]`: where the contract's source is published; an empty address means: not there.

    `etherscan_url` may be another explorer's with the same API, such as Blockscout's, which needs no key.
    """

    etherscan_url: HttpUrl | Literal[""] = "https://api.etherscan.io/v2/api"
    etherscan_key: SecretRef | None = None
    sourcify_url: HttpUrl | Literal[""] = ""
