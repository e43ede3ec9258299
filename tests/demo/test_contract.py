"""The token contract: its artifact is what runs on the chain, and it does what its comments say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from pytest_deploycheck.demo.app.accounts import ACCOUNTS, account
from pytest_deploycheck.demo.contract import GUARDIANS, PRICE_WEI, TOKEN, artifact, deploy
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.ether import abi, signing
from pytest_deploycheck.demo.ether.keys import (
    address_of,
    contract_address,
    derive_address,
    derive_key,
    is_checksum_address,
    key_from_secret,
    to_checksum,
)
from pytest_deploycheck.demo.ether.rpc import Rpc, RpcRefused
from pytest_deploycheck.demo.world import World

# Published examples: the first default account of the usual development nodes, and EIP-55's own.
DEV_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
DEV_ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
EIP55 = (
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run a chain with the contracts on it."""
    with Deployment.only(tmp_path_factory.mktemp("contract"), "contract") as deployment:
        yield deployment.world


@pytest.fixture(scope="module")
def rpc(world: World) -> Rpc:
    """Return a client of the chain."""
    return Rpc(world.url("rpc"), timeout_s=5)


@pytest.fixture
def holder(world: World) -> str:
    """Return the key of a seeded wallet."""
    return derive_key(world.secret("signer_key"), account("test").id)


def read(rpc: Rpc, world: World, signature: str, *values: int | str) -> int:
    """Return a number that the token holds."""
    call = {"to": deploy.token_address(world), "data": abi.call(signature, *values)}
    return abi.uint(rpc.call("eth_call", call, "latest"))


def send(rpc: Rpc, world: World, key: str, data: str, value: int = 0) -> dict[str, Any]:
    """Call the token by a transaction and return its receipt."""
    return signing.wait(rpc, signing.send(rpc, key, to=deploy.token_address(world), value=value, data=data))


def reason(rpc: Rpc, world: World, sender: str, data: str, value: int = 0) -> str:
    """Return why the token refuses a call."""
    call = {"from": sender, "to": deploy.token_address(world), "data": data, "value": hex(value)}
    with pytest.raises(RpcRefused) as caught:
        rpc.call("eth_call", call, "latest")
    return caught.value.reason


@pytest.mark.parametrize("name", [TOKEN, GUARDIANS])
def test_artifact_belongs_to_the_source(name: str) -> None:
    """Nobody edited a contract without compiling it again."""
    source = files("pytest_deploycheck.demo.contract").joinpath(f"{name}.sol").read_bytes()
    assert artifact(name)["sourceSha256"] == hashlib.sha256(source).hexdigest(), "run compile.mjs"
    assert artifact(name)["bytecode"].startswith("0x60")


def test_artifact_is_the_code_on_the_chain(rpc: Rpc, world: World) -> None:
    """The code on the chain differs from the artifact only where the one immutable was filled in."""
    code = bytearray.fromhex(rpc.call("eth_getCode", deploy.token_address(world), "latest")[2:])
    expected = bytes.fromhex(artifact()["deployedBytecode"][2:])
    assert bytes(code) != expected
    (places,) = artifact()["immutableReferences"].values()
    for place in places:
        part = slice(place["start"], place["start"] + place["length"])
        assert int.from_bytes(code[part], "big") == PRICE_WEI
        code[part] = bytes(place["length"])
    assert bytes(code) == expected


def test_deployment_is_recorded(rpc: Rpc, world: World) -> None:
    """The record names the transaction that created the token, and its owner is a contract."""
    deployed = deploy.Deployed(**json.loads(deploy.record(world).read_text()))
    receipt = rpc.call("eth_getTransactionReceipt", deployed.tx_hash)
    assert to_checksum(receipt["contractAddress"]) == deployed.address == deploy.token_address(world)
    assert int(receipt["status"], 16) == 1
    owner = abi.address(rpc.call("eth_call", {"to": deployed.address, "data": abi.call("owner()")}, "latest"))
    assert owner == deployed.owner
    assert rpc.call("eth_getCode", owner, "latest") != "0x"
    assert deployed.deployer not in {owner, address_of(world.secret("signer_key"))}
    assert deploy.ensure_deployed(world) == deployed


def test_buying_and_redeeming_move_ether_and_tokens(rpc: Rpc, world: World, holder: str) -> None:
    """Tokens and ether go opposite ways at the price, and the contract always holds what it owes."""
    token, wallet = deploy.token_address(world), address_of(holder)
    before = read(rpc, world, "balanceOf(address)", wallet)
    bought = send(rpc, world, holder, abi.call("buy()"), value=5 * PRICE_WEI)
    assert {log["topics"][0] for log in bought["logs"]} == {
        abi.topic("Transfer(address,address,uint256)"),
        abi.topic("Purchased(address,uint256,uint256)"),
    }
    ether = int(rpc.call("eth_getBalance", wallet, "latest"), 16)
    redeemed = send(rpc, world, holder, abi.call("redeem(uint256)", 3))
    fee = int(redeemed["gasUsed"], 16) * int(redeemed["effectiveGasPrice"], 16)
    assert int(rpc.call("eth_getBalance", wallet, "latest"), 16) == ether + 3 * PRICE_WEI - fee
    assert read(rpc, world, "balanceOf(address)", wallet) == before + 2
    reserve = int(rpc.call("eth_getBalance", token, "latest"), 16)
    assert reserve == read(rpc, world, "totalSupply()") * read(rpc, world, "price()")


def test_limits_are_refused_with_their_reason(rpc: Rpc, world: World, holder: str) -> None:
    """Each thing that may not be done has its own sentence."""
    wallet = address_of(holder)
    buy = abi.call("buy()")
    assert "not a multiple of the price" in reason(rpc, world, wallet, buy, PRICE_WEI + 1)
    assert "not a multiple of the price" in reason(rpc, world, wallet, buy)
    assert "insufficient token balance" in reason(rpc, world, wallet, abi.call("redeem(uint256)", 10**6))
    assert "nothing to redeem" in reason(rpc, world, wallet, abi.call("redeem(uint256)", 0))
    assert "not the owner" in reason(rpc, world, wallet, abi.call("pause()"))
    assert "insufficient token balance" in reason(
        rpc, world, wallet, abi.call("transfer(address,uint256)", wallet, 10**6)
    )


def test_transfers_follow_erc20(rpc: Rpc, world: World, holder: str) -> None:
    """A holder may send tokens, and let another send a limited number of them."""
    spender = derive_key(world.secret("signer_key"), account("test_b").id)
    here, there = address_of(holder), address_of(spender)
    send(rpc, world, holder, abi.call("buy()"), value=5 * PRICE_WEI)
    had = read(rpc, world, "balanceOf(address)", there)
    send(rpc, world, holder, abi.call("transfer(address,uint256)", there, 1))
    send(rpc, world, holder, abi.call("approve(address,uint256)", there, 2))
    take = abi.call("transferFrom(address,address,uint256)", here, there, 2)
    send(rpc, world, spender, take)
    assert read(rpc, world, "balanceOf(address)", there) == had + 3
    assert read(rpc, world, "allowance(address,address)", here, there) == 0
    assert "insufficient allowance" in reason(rpc, world, there, take)


def test_two_guardians_pause_and_unpause(rpc: Rpc, world: World, holder: str) -> None:
    """One guardian alone changes nothing; two pause everything that moves tokens, and end the pause."""
    first = deploy.guardian_keys(world)[0]
    pause = bytes.fromhex(abi.call("pause()")[2:])
    approval = abi.call("approve(address,bytes)", deploy.token_address(world), pause)
    signing.wait(rpc, signing.send(rpc, first, to=deploy.owner_address(world), data=approval))
    assert read(rpc, world, "paused()") == 0
    deploy.as_owner(world, "pause()")
    try:
        assert read(rpc, world, "paused()") == 1
        wallet = address_of(holder)
        for data, value in ((abi.call("buy()"), PRICE_WEI), (abi.call("redeem(uint256)", 1), 0)):
            assert reason(rpc, world, wallet, data, value).endswith("paused")
    finally:
        deploy.as_owner(world, "unpause()")
    assert read(rpc, world, "paused()") == 0


def test_strangers_cannot_approve(rpc: Rpc, world: World, holder: str) -> None:
    """The owner contract listens to its guardians only."""
    with pytest.raises(RpcRefused, match="not a guardian"):
        signing.send(
            rpc,
            holder,
            to=deploy.owner_address(world),
            data=abi.call("approve(address,bytes)", deploy.token_address(world), b"x"),
        )


def test_every_wallet_has_its_own_address(world: World) -> None:
    """Wallet addresses are checksummed, differ for each account, and follow from the signer's key alone."""
    signer = world.secret("signer_key")
    addresses = [derive_address(signer, one.id) for one in ACCOUNTS]
    assert len(set(addresses)) == len(ACCOUNTS)
    assert all(map(is_checksum_address, addresses))
    assert addresses == [derive_address(signer, one.id) for one in ACCOUNTS]
    assert derive_address(key_from_secret("another", "signer"), 1) not in addresses


def test_addresses_agree_with_published_ones() -> None:
    """Keys, contracts and checksums give the addresses that everybody else computes."""
    assert address_of(DEV_KEY) == DEV_ADDRESS
    assert contract_address(DEV_ADDRESS, 0) == "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    assert contract_address(DEV_ADDRESS, 1) == "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
    for address in EIP55:
        assert to_checksum(address.lower()) == address
        assert is_checksum_address(address)
        assert not is_checksum_address(address.lower())
    with pytest.raises(ValueError, match="is not an address"):
        to_checksum("0x12")
