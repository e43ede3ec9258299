"""Puts the contracts on the chain: the guardians, and the token that they own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_deploycheck.demo.app.accounts import ACCOUNTS
from pytest_deploycheck.demo.contract import GUARDIANS, PRICE_WEI, artifact
from pytest_deploycheck.demo.ether import abi, signing
from pytest_deploycheck.demo.ether.keys import address_of, contract_address, derive_address, key_from_secret
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.world import World

CHAIN_ID = 31337
_ETHER = 10**18
_SEED = "contract_seed"  # the secret from which the deployer's and the guardians' keys are made


@dataclass(frozen=True)
class Deployed:
    """The deployed token, as DIR/contract/deployment.json records it."""

    chain_id: int
    address: str
    tx_hash: str
    block_number: int
    deployer: str
    owner: str  # the guardians' contract
    price_wei: int


def deployer_key(world: World) -> str:
    """Return the key that deploys and then holds no role any more."""
    return key_from_secret(world.secret(_SEED), "deployer")


def guardian_keys(world: World) -> list[str]:
    """Return the three keys of the owner contract, two of which must agree."""
    return [key_from_secret(world.secret(_SEED), f"guardian/{number}") for number in (1, 2, 3)]


def token_address(world: World) -> str:
    """Return where the token is or will be: an address follows from the deployer and its second nonce."""
    return contract_address(address_of(deployer_key(world)), 1)


def owner_address(world: World) -> str:
    """Return where the guardians' contract is or will be."""
    return contract_address(address_of(deployer_key(world)), 0)


def funds(world: World) -> Mapping[str, int]:
    """Return the accounts that own ether, in wei, when the chain starts."""
    signer = world.secret("signer_key")
    return {
        address_of(signer): 1000 * _ETHER,
        address_of(deployer_key(world)): 10 * _ETHER,
        **{address_of(key): _ETHER for key in guardian_keys(world)},
        **{derive_address(signer, account.id): 10 * _ETHER for account in ACCOUNTS},
    }


def record(world: World) -> Path:
    """Return the file that says where the token is, with the field names of `Deployed`."""
    return world.path("contract", "deployment.json")


def ensure_deployed(world: World) -> Deployed:
    """Deploy both contracts unless the chain already has them, and write the record and the artifact.

    The chain must answer. Raises Reverted or RpcRefused when a deployment fails.
    """
    rpc = Rpc(world.url("rpc"), timeout_s=5.0)
    key = deployer_key(world)
    if rpc.call("eth_getCode", token_address(world), "latest") == "0x":
        guardians = (address_of(one) for one in guardian_keys(world))
        owner = artifact(GUARDIANS)["bytecode"] + abi.encode(*guardians).hex()
        signing.wait(rpc, signing.send(rpc, key, to=None, data=owner))
        token = artifact()["bytecode"] + abi.encode(PRICE_WEI, owner_address(world)).hex()
        receipt = signing.wait(rpc, signing.send(rpc, key, to=None, data=token))
        deployed = Deployed(
            chain_id=int(rpc.call("eth_chainId"), 16),
            address=token_address(world),
            tx_hash=receipt["transactionHash"],
            block_number=int(receipt["blockNumber"], 16),
            deployer=address_of(key),
            owner=owner_address(world),
            price_wei=PRICE_WEI,
        )
        record(world).write_text(json.dumps(asdict(deployed), indent=2) + "\n")
        world.path("contract", "Token.json").write_text(json.dumps(artifact(), indent=1) + "\n")
    return Deployed(**json.loads(record(world).read_text()))


def as_owner(world: World, signature: str, *values: int | str) -> None:
    """Have two guardians make the owner contract call the token: `as_owner(world, "pause()")`."""
    rpc = Rpc(world.url("rpc"), timeout_s=5.0)
    inner = bytes.fromhex(abi.call(signature, *values)[2:])
    data = abi.call("approve(address,bytes)", token_address(world), inner)
    for key in guardian_keys(world)[:2]:
        signing.wait(rpc, signing.send(rpc, key, to=owner_address(world), data=data))
