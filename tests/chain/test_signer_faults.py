"""Faults of the account that pays, on anvil; its key comes from a rendered environment file."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account

from pytest_deploycheck.demo.ether import abi, signing
from pytest_deploycheck.demo.ether.keys import address_of, keccak, key_from_secret
from pytest_deploycheck.rules.dev_accounts import ADDRESSES, MNEMONICS
from pytest_deploycheck.verdict import Verdict
from tests.chain.build import PRICE
from tests.chain.pair import DEPLOYER, Pair
from tests.chain.test_contract_faults import as_account
from tests.faults.harness import Judged

SIGNER = "pre_deploy.environment.signer_key"
KEY = key_from_secret("chain tests", "signer")
PAUSER = int("0x" + keccak(b"PAUSER_ROLE").hex(), 16)


def judged(
    pair: Pair, *, key: str = KEY, wei: int = 10**20, contract: dict[str, Any] | None = None, **signer: Any
) -> Judged:
    """Fund the account, make everything final, and judge it."""
    (pair.folder / "env").write_text(f"PRIVATE_KEY={key}\n")
    address = signer.pop("address", "") or (address_of(key) if len(key) == 66 else address_of(KEY))
    pair.one.call("anvil_setBalance", address_of(KEY), hex(wei))
    pair.settle()
    sections = {
        "env": {"rendered": {"file": "env"}},
        "signer": {"address": address, **signer},
        "gas": {"calls": [{"function": "buy()", "value": PRICE}]},
        "limits": {"signer_settle_s": 1},
    }
    return pair.judge(contract or pair.vault(), SIGNER, **sections)


def fails(found: Judged, words: str) -> None:
    """Expect a failure in these words, without the key."""
    assert found.verdict is Verdict.FAILED, found
    assert words in found.message, found.message
    assert KEY[2:] not in found.message


def test_healthy(pair: Pair) -> None:
    """A funded, plain account with the role that it needs."""
    data = abi.call("grantRole(bytes32,address)", PAUSER, address_of(KEY))
    as_account(pair, pair.addresses["Beacon"], pair.addresses["Vault"], data)
    found = judged(pair, roles=["PAUSER_ROLE"])
    assert found.verdict is Verdict.PASSED, found


def test_kms(pair: Pair) -> None:
    """Where the key is in an HSM, the account alone is judged."""
    assert judged(pair, key="", kms=True).verdict is Verdict.PASSED
    fails(judged(pair, key="", kms=True, wei=10**14), "transactions cost")


@pytest.mark.parametrize("prefix", ["0x", ""])
def test_key_of_another_account(pair: Pair, prefix: str) -> None:
    """A key that controls another address than the declared one."""
    fails(judged(pair, key=prefix + DEPLOYER[2:], address=address_of(KEY)), "signer.address is")


@pytest.mark.parametrize("mnemonic", list(MNEMONICS))
def test_known_keys(pair: Pair, mnemonic: str) -> None:
    """The first account of a development tool, whose key is in its documentation."""
    Account.enable_unaudited_hdwallet_features()
    key = "0x" + Account.from_mnemonic(MNEMONICS[mnemonic][0]).key.hex().removeprefix("0x")
    fails(judged(pair, key=key), f"everybody knows the key in PRIVATE_KEY: it comes from {mnemonic}")


def test_counted_key(pair: Pair) -> None:
    """The number one as a key."""
    fails(judged(pair, key="0x" + "1".rjust(64, "0")), "it comes from counting")


def test_no_key(pair: Pair) -> None:
    """A variable that is empty, or holds no key, proves nothing."""
    for key in ("", "0x1234", "correct horse"):
        found = judged(pair, key=key)
        assert found.verdict is Verdict.UNPROVEN, found
    fails(judged(pair, key="0x" + "f" * 64, address=address_of(KEY)), "no key of the curve")


def test_poor(pair: Pair) -> None:
    """A balance above zero that pays for ten transactions."""
    fails(judged(pair, wei=10**15), "transactions cost")


def test_stuck(pair: Pair) -> None:
    """A transaction that no block takes."""
    pair.settle()
    pair.one.call("anvil_setBalance", address_of(KEY), hex(10**20))
    pair.one.call("evm_setAutomine", False)
    try:
        signing.send(pair.one, KEY, to=address_of(DEPLOYER), value=1)
        (pair.folder / "env").write_text(f"PRIVATE_KEY={KEY}\n")
        sections = {
            "env": {"rendered": {"file": "env"}},
            "signer": {"address": address_of(KEY)},
            "limits": {"signer_settle_s": 1},
        }
        fails(pair.judge(pair.vault(), SIGNER, **sections), "1 transactions of")
    finally:
        pair.one.call("anvil_dropAllTransactions")
        pair.one.call("evm_setAutomine", True)


def test_delegated(pair: Pair) -> None:
    """A sweeper's code on the account (EIP-7702), unless that contract is allowed."""
    there = pair.addresses["Cloner"]
    pair.one.call("anvil_setCode", address_of(KEY), "0xef0100" + there[2:])
    fails(judged(pair), "is delegated to")
    assert judged(pair, allowed_delegates=[there]).verdict is Verdict.PASSED


def test_contract_as_signer(pair: Pair) -> None:
    """An address with code of its own has no key."""
    pair.one.call("anvil_setCode", address_of(KEY), "0x" + pair.code("Beacon").hex())
    fails(judged(pair), "there is code at")


def test_missing_role(pair: Pair) -> None:
    """A role that the product needs and the account does not hold."""
    fails(judged(pair, roles=["PAUSER_ROLE"]), "does not hold PAUSER_ROLE")


def test_owner(pair: Pair) -> None:
    """A key on a server that owns the contract."""
    pair.deploy("Vault", PRICE, pair.addresses["Beacon"], address_of(KEY), "Vault")
    fails(judged(pair), "owns the contract")


def test_administrator(pair: Pair) -> None:
    """A key on a server that may grant every role."""
    data = abi.call("grantRole(bytes32,address)", 0, address_of(KEY))
    as_account(pair, pair.addresses["Beacon"], pair.addresses["Vault"], data)
    fails(judged(pair), "administers the contract")


def test_deployer(pair: Pair) -> None:
    """The key that deployed the contract is in the product's environment."""
    pair.one.call("anvil_setBalance", address_of(DEPLOYER), hex(10**20))
    fails(judged(pair, key=DEPLOYER, contract=pair.vault(deployer="")), "deployed the contract")


def test_the_known_accounts_are_derived() -> None:
    """The bundled addresses are those that the published words give, by BIP-39 and BIP-44."""
    Account.enable_unaudited_hdwallet_features()
    derived = {
        Account.from_mnemonic(words, account_path=f"m/44'/60'/0'/0/{number}").address.lower(): tool
        for tool, (words, count) in MNEMONICS.items()
        for number in range(count)
    }
    assert derived == ADDRESSES
    assert len(derived) == 40
