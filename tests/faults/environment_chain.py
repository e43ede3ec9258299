"""Faults of Environment Configuration: the nodes' URLs, and the key that signs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from eth_account import Account

from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.ether import signing
from pytest_deploycheck.demo.ether.keys import address_of
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.rules.dev_accounts import MNEMONICS
from tests.faults.contract import forked
from tests.faults.functional_chain import mine, rpc
from tests.faults.harness import fault

RPC = "pre_deploy.environment.rpc_url"
SIGNER = "pre_deploy.environment.signer_key"
SERVER = ("server",)


@contextmanager
def env_value(demo: Deployment, name: str, value: str | None) -> Iterator[None]:
    """Change a variable of the environment file, which the running instances have read already."""
    path = service.env_file(demo.world)
    before = path.read_bytes()
    service.set_env(demo.world, **{name: value})
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def fallback(demo: Deployment, url: str) -> Iterator[None]:
    """Use another node as the fallback."""
    path = demo.world.path("secrets", "rpc_fallback_url")
    before = path.read_text()
    path.write_text(url)
    try:
        yield
    finally:
        path.write_text(before)


@fault(RPC, "the head stands still", probes=("rpc",), limits={"rpc_max_head_age_s": 3})
@contextmanager
def head_stands(demo: Deployment) -> Iterator[None]:
    """Stop mining, while the node goes on saying that it is not syncing."""
    rpc(demo).call("evm_setIntervalMining", 0)
    rpc(demo).call("evm_setAutomine", False)
    time.sleep(4.2)
    try:
        yield
    finally:
        rpc(demo).call("evm_setAutomine", True)
        rpc(demo).call("evm_setIntervalMining", 1)
        mine(demo, 1)


@fault(RPC, "the fallback is on another chain", probes=("rpc",))
@contextmanager
def other_chain(demo: Deployment) -> Iterator[None]:
    """Let the fallback be a test network's node."""
    with fallback(demo, demo.world.url("testnet")):
        yield


@fault(RPC, "two nodes are on two forks", probes=("rpc",))
@contextmanager
def fork(demo: Deployment) -> Iterator[None]:
    """Let the second node be sure of other blocks."""
    with forked(demo):
        yield


@fault(RPC, "the second node is behind", probes=("rpc",))
@contextmanager
def behind(demo: Deployment) -> Iterator[None]:
    """Let the second node stop following while the first goes on."""
    other = Rpc(demo.world.url("rpc_replica"), timeout_s=5.0)
    other.call("deploycheck_follow", False)
    mine(demo, 9)
    try:
        yield
    finally:
        other.call("deploycheck_follow", True)


@fault(RPC, "the fallback is dead", probes=("rpc",))
@contextmanager
def dead_fallback(demo: Deployment) -> Iterator[None]:
    """Name a fallback that nobody runs."""
    with fallback(demo, "http://127.0.0.1:9"):
        yield


@fault(RPC, "the key is the tutorial's", probes=("rpc",), needs=SERVER)
@contextmanager
def demo_key(demo: Deployment) -> Iterator[None]:
    """Leave the placeholder in the URL; this node answers to any."""
    with env_value(demo, "ETHEREUM_RPC_URL", f"{demo.world.url('rpc')}/v3/YOUR-PROJECT-ID"):
        yield


@fault(RPC, "a host that nobody meant", probes=("rpc",), needs=SERVER)
@contextmanager
def other_host(demo: Deployment) -> Iterator[None]:
    """Reach the same node by a name that is on no list."""
    with env_value(demo, "ETHEREUM_RPC_URL", f"http://localhost:{demo.world.port('rpc')}"):
        yield


@fault(SIGNER, "the money is gone", probes=("signer",))
@contextmanager
def poor(demo: Deployment) -> Iterator[None]:
    """Leave more than nothing, and less than a week needs."""
    address = address_of(demo.world.secret("signer_key"))
    before = rpc(demo).call("eth_getBalance", address, "latest")
    rpc(demo).call("anvil_setBalance", address, hex(10**14))
    try:
        yield
    finally:
        rpc(demo).call("anvil_setBalance", address, before)


@fault(SIGNER, "a key that everybody knows", probes=("signer",), needs=SERVER)
@contextmanager
def known_key(demo: Deployment) -> Iterator[None]:
    """Leave the first account of the development tools in the environment."""
    Account.enable_unaudited_hdwallet_features()
    key = Account.from_mnemonic(MNEMONICS["Hardhat and Anvil"][0]).key.hex().removeprefix("0x")
    with env_value(demo, "PRIVATE_KEY", f"0x{key}"):
        yield


@fault(SIGNER, "the key of another account", probes=("signer",), needs=SERVER)
@contextmanager
def other_key(demo: Deployment) -> Iterator[None]:
    """Put the deployer's key where the signer's belongs."""
    with env_value(demo, "PRIVATE_KEY", deploy.deployer_key(demo.world)):
        yield


@fault(SIGNER, "a sweeper's code on the account", probes=("signer",))
@contextmanager
def swept(demo: Deployment) -> Iterator[None]:
    """Delegate the account to a contract that takes what comes in (EIP-7702)."""
    address = address_of(demo.world.secret("signer_key"))
    rpc(demo).call("anvil_setCode", address, "0xef0100" + "66" * 20)
    try:
        yield
    finally:
        rpc(demo).call("anvil_setCode", address, "0x")


@fault(SIGNER, "a transaction that no block takes", probes=("signer",), limits={"signer_settle_s": 1})
@contextmanager
def stuck(demo: Deployment) -> Iterator[None]:
    """Stop mining, and send a transaction."""
    client, key = rpc(demo), demo.world.secret("signer_key")
    client.call("evm_setIntervalMining", 0)
    client.call("evm_setAutomine", False)
    try:
        signing.send(client, key, to=address_of(key))
        yield
    finally:
        client.call("evm_setAutomine", True)
        client.call("evm_setIntervalMining", 1)
        mine(demo, 1)


@fault(SIGNER, "the account owns the contract", probes=("signer",))
@contextmanager
def owns(demo: Deployment) -> Iterator[None]:
    """Make the key on the server the contract's owner."""
    token, client = deploy.token_address(demo.world), rpc(demo)
    before = client.call("eth_getStorageAt", token, "0x0", "latest")
    address = address_of(demo.world.secret("signer_key"))
    client.call("anvil_setStorageAt", token, "0x0", "0x" + address[2:].lower().rjust(64, "0"))
    try:
        yield
    finally:
        client.call("anvil_setStorageAt", token, "0x0", before)
