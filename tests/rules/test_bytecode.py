"""Deployed code against artifacts: what may differ is resolved, what may not is found, to the byte."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from eth_hash.auto import keccak

from pytest_deploycheck.demo.contract import artifact as demo_artifact
from pytest_deploycheck.rules.artifact import BadArtifact, abi_sha256, parse
from pytest_deploycheck.rules.bytecode import compare, values_in, word
from pytest_deploycheck.rules.metadata import arguments_of, metadata_of
from pytest_deploycheck.rules.proxies import address_in, delegate, minimal_target
from tests.chain.build import (
    LIBRARY,
    OWNER,
    PRICE,
    TREASURY,
    arguments,
    artifact,
    deployed,
    document,
    linked,
    vault,
)

VAULT = artifact("Vault")
CODE = vault()
TAG = keccak(b"Vault")[:4]
WANTED = {
    "price": word(PRICE),
    "treasury": word(TREASURY),
    "tag": word("0x" + TAG.hex(), "bytes4"),
}
LIBRARIES = {"Prices": LIBRARY}


def test_a_deployment_is_its_artifact() -> None:
    """With values for all immutables and libraries, every byte is as expected, by name."""
    found = compare(VAULT, CODE, immutables=WANTED, libraries=LIBRARIES)
    assert (found.equal, found.exact, found.why, found.metadata) == (True, True, "", "same")
    assert {one.name: one.agrees for one in found.immutables} == dict.fromkeys(WANTED, True)
    assert [(one.name, one.address) for one in found.libraries] == [("Vault.sol:Prices", LIBRARY)]
    assert VAULT.runtime != CODE, "nothing was filled in: the test compares nothing"


def test_masked_immutables_are_told() -> None:
    """Without expected values the program is equal, its values are shown, and it is not called exact."""
    found = compare(VAULT, CODE)
    assert (found.equal, found.exact) == (True, False)
    assert {one.agrees for one in (*found.immutables, *found.libraries)} == {None}
    assert {one.name: one.value for one in found.immutables} == WANTED


@pytest.mark.parametrize("name", ["price", "treasury", "tag"])
def test_a_wrong_immutable_is_found(name: str) -> None:
    """One expected value that differs is told by name; the program stays equal."""
    found = compare(VAULT, CODE, immutables={**WANTED, name: word(1)}, libraries=LIBRARIES)
    assert found.equal
    assert not found.exact
    assert [one.name for one in found.immutables if one.agrees is False] == [name]


def test_an_immutable_that_differs_between_its_places_is_told() -> None:
    """A value changed in one of its places is inconsistent, even where nothing was expected."""
    place = next(one for one in VAULT.immutables if one.name == "price").spans[1]
    broken = CODE[: place.start] + bytes(32) + CODE[place.start + 32 :]
    found = compare(VAULT, broken)
    assert [one.name for one in found.immutables if not one.consistent] == ["price"]
    assert [
        one.agrees for one in compare(VAULT, broken, immutables=WANTED).immutables if one.name == "price"
    ] == [False]


def test_every_changed_byte_of_the_program_is_found() -> None:
    """Whichever byte changes, the program differs, or an immutable or library is not the expected one."""
    for at in range(len(CODE) - len(metadata_of(CODE))):
        broken = CODE[:at] + bytes([CODE[at] ^ 1]) + CODE[at + 1 :]
        found = compare(VAULT, broken, immutables=WANTED, libraries=LIBRARIES)
        wrong = [one.name for one in (*found.immutables, *found.libraries) if one.agrees is False]
        assert not found.equal or wrong, f"offset {at}"
        assert not found.exact, f"offset {at}"


def test_a_comment_changes_metadata_only() -> None:
    """The same program with another comment is equal, and its metadata are said to differ."""
    found = compare(VAULT, vault("commented.json"), immutables=WANTED, libraries=LIBRARIES)
    assert (found.equal, found.exact, found.metadata) == (True, False, "different")


def test_a_comment_within_a_factory() -> None:
    """The hash of a child's metadata inside a factory's code does not count either."""
    found = compare(artifact("Factory"), deployed(artifact("Factory", "commented.json")))
    assert (found.equal, found.metadata) == (True, "different")
    other = bytearray(deployed(artifact("Factory")))
    child = artifact("Beacon").creation[40:60]
    at = bytes(other).index(child)
    other[at] ^= 1
    assert not compare(artifact("Factory"), bytes(other)).equal


@pytest.mark.parametrize(
    ("tail", "equal", "metadata"),
    [
        (b"", True, "removed"),
        (bytes.fromhex("a164736f6c6343000825000a"), True, "different"),
        (b"\x5b\x60\x01\x50", False, "different"),
        (b"\x00" * 53, False, "different"),
    ],
)
def test_what_may_follow_the_program(tail: bytes, equal: bool, metadata: str) -> None:
    """Metadata of another shape, or none, may follow; anything else is code that nobody built."""
    stripped = CODE[: -len(metadata_of(CODE))]
    found = compare(VAULT, stripped + tail, immutables=WANTED, libraries=LIBRARIES)
    assert (found.equal, found.metadata) == (equal, metadata)


def test_a_length_that_hides_code_hides_nothing() -> None:
    """Two last bytes that call half of the code metadata do not make it so."""
    broken = bytearray(CODE)
    broken[200] ^= 1
    broken[-2:] = (len(CODE) - 100).to_bytes(2, "big")
    assert not compare(VAULT, bytes(broken)).equal


def test_no_metadata_on_either_side() -> None:
    """A build without metadata is compared whole."""
    bare = replace(VAULT, runtime=VAULT.runtime[: -len(metadata_of(VAULT.runtime))])
    code = CODE[: -len(metadata_of(CODE))]
    assert compare(bare, code, immutables=WANTED, libraries=LIBRARIES).exact
    assert compare(bare, CODE).metadata == "added"
    assert not compare(bare, code + b"\xfe").equal


@pytest.mark.parametrize("code", [b"", b"\xef\x01\x00" + bytes(20), CODE[:-400], CODE + CODE])
def test_other_codes(code: bytes) -> None:
    """Nothing, a delegated account, a part of the code and twice the code are told in a sentence."""
    found = compare(VAULT, code)
    assert not found.equal
    assert found.why


def test_vyper_appends_its_immutables() -> None:
    """The words behind a Vyper program are its immutables, by the names of its layout."""
    made = parse(document("priced.json"))
    code = deployed(made, PRICE, OWNER)
    assert (made.vyper, made.appended, len(code)) == (True, 64, len(made.runtime) + 64)
    found = compare(made, code, immutables={"price": word(PRICE), "owner": word(OWNER)})
    assert found.exact, found
    wrong = compare(made, deployed(made, PRICE + 1, OWNER), immutables={"price": word(PRICE)})
    assert [one.name for one in wrong.immutables if one.agrees is False] == ["price"]
    assert not compare(made, code[:-32]).equal
    assert not compare(made, code + bytes(32)).equal


def test_vyper_arguments() -> None:
    """The arguments of a Vyper constructor are what follows its creation code."""
    made = parse(document("priced.json"))
    assert arguments_of(made, made.creation + arguments(made, 7, OWNER))[0] == arguments(made, 7, OWNER)


def test_arguments_of_a_creation() -> None:
    """The constructor's arguments are what was sent behind the creation code, whatever its comments."""
    sent = arguments(VAULT, PRICE, TREASURY, OWNER, "Vault")
    assert arguments_of(VAULT, linked(VAULT) + sent) == (sent, "")
    assert arguments_of(VAULT, linked(artifact("Vault", "commented.json")) + sent) == (sent, "")
    broken = bytearray(linked(VAULT))
    broken[50] ^= 1
    none, why = arguments_of(VAULT, bytes(broken) + sent)
    assert none is None
    assert "offset 50" in why


def test_values_of_a_simulated_constructor() -> None:
    """What a constructor writes into the code is read back by name."""
    assert values_in(VAULT, CODE) == WANTED


def shapes() -> dict[str, Any]:
    """Return the same contract as each tool writes it."""
    made = document()["contracts"]["Vault.sol"]["Vault"]
    evm = made["evm"]
    foundry = {
        "abi": made["abi"],
        "bytecode": {**evm["bytecode"], "object": "0x" + evm["bytecode"]["object"]},
        "deployedBytecode": {**evm["deployedBytecode"], "object": "0x" + evm["deployedBytecode"]["object"]},
        "rawMetadata": made["metadata"],
        "metadata": json.loads(made["metadata"]),
        "ast": document()["sources"]["Vault.sol"]["ast"],
    }
    hardhat2 = {
        "_format": "hh-sol-artifact-1",
        "contractName": "Vault",
        "abi": made["abi"],
        "bytecode": "0x" + evm["bytecode"]["object"],
        "deployedBytecode": "0x" + evm["deployedBytecode"]["object"],
        "linkReferences": evm["bytecode"]["linkReferences"],
        "deployedLinkReferences": evm["deployedBytecode"]["linkReferences"],
    }
    hardhat3 = {**hardhat2, "immutableReferences": evm["deployedBytecode"]["immutableReferences"]}
    build_info = {"solcVersion": "0.8.37", "input": {"language": "Solidity"}, "output": document()}
    return {
        "solc": document(),
        "foundry": foundry,
        "hardhat 2": hardhat2,
        "hardhat 3": hardhat3,
        "build-info": build_info,
    }


@pytest.mark.parametrize("shape", ["solc", "foundry", "hardhat 2", "hardhat 3", "build-info"])
def test_artifacts_of_every_tool(shape: str) -> None:
    """Whoever wrote the artifact, the deployment is equal to it, and a changed opcode is found."""
    made = parse(shapes()[shape], "Vault")
    found = compare(made, CODE, libraries=LIBRARIES)
    assert (found.equal, len(found.libraries)) == (True, 1), found.why
    assert found.inferred is (shape == "hardhat 2")
    assert sorted(one.value for one in found.immutables if found.inferred is False) == (
        sorted(WANTED.values()) if shape != "hardhat 2" else []
    )
    broken = bytearray(CODE)
    broken[30] ^= 1
    assert not compare(made, bytes(broken)).equal


def test_settings_come_from_the_metadata() -> None:
    """Compiler, optimizer, EVM version and sources are those that the build was made with."""
    assert (VAULT.optimizer, VAULT.runs, VAULT.evm) == (True, 200, "shanghai")
    assert VAULT.compiler == "0.8.37+commit.f401782d"
    assert list(VAULT.sources) == ["Vault.sol"]
    assert parse(demo_artifact()).source_sha256.keys() == {"Token.sol"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([], "no JSON object"),
        ({}, "no deployedBytecode"),
        ({"abi": [], "bytecode": "0x", "deployedBytecode": "0x"}, "no deployedBytecode"),
        ({"deployedBytecode": "0xzz"}, "not hexadecimal"),
        ({"contracts": {}}, "no contract with code"),
    ],
)
def test_what_is_no_artifact_is_named(wrong: Any, words: str) -> None:
    """A document without code says what is missing."""
    with pytest.raises(BadArtifact, match=words):
        parse(wrong)


def test_a_name_picks_one_of_several() -> None:
    """Several contracts need a name, which may name the file as well."""
    with pytest.raises(BadArtifact, match=r"picks \d+ of its contracts"):
        parse(document())
    with pytest.raises(BadArtifact, match="'Nobody' picks 0"):
        parse(document(), "Nobody")
    assert parse(document(), "Proxies.sol:Beacon").name == "Beacon"


def test_an_abi_is_compared_by_what_it_says() -> None:
    """The order of its entries and Solidity's internal types do not count; a type does."""
    abi = [dict(entry) for entry in VAULT.abi]
    assert abi_sha256(abi[::-1]) == VAULT.abi_sha256
    other = json.loads(json.dumps(abi))
    next(entry for entry in other if entry.get("name") == "redeem")["inputs"][0]["type"] = "uint128"
    assert abi_sha256(other) != VAULT.abi_sha256


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (7, "", f"{7:064x}"),
        ("7", "", f"{7:064x}"),
        (-1, "", "f" * 64),
        (True, "", f"{1:064x}"),
        ("false", "", f"{0:064x}"),
        (OWNER, "address", "0" * 24 + "2" * 40),
        ("0xabcd", "bytes2", "abcd" + "0" * 60),
        ("0xabcd", "uint256", "0" * 60 + "abcd"),
    ],
)
def test_values_become_words(value: int | str | bool, kind: str, expected: str) -> None:
    """A value is written as the constructor writes it into the code."""
    assert word(value, kind) == expected


def test_a_value_that_is_none_is_named() -> None:
    """Text that is no value is refused with the forms that there are."""
    with pytest.raises(ValueError, match="neither a number"):
        word("one")


def test_minimal_proxies_and_delegations() -> None:
    """Codes that only point elsewhere name where to; other codes do not."""
    target = "0x" + "ab" * 20
    minimal = bytes.fromhex("363d3d373d3d3d363d73" + "ab" * 20 + "5af43d82803e903d91602b57fd5bf3")
    push0 = bytes.fromhex("365f5f375f5f365f73" + "ab" * 20 + "5af43d5f5f3e5f3d91602a57fd5bf3")
    assert [minimal_target(code) for code in (minimal, push0, CODE, b"")] == [target, target, None, None]
    assert [delegate(code) for code in (b"\xef\x01\x00" + bytes.fromhex("ab" * 20), CODE, b"")] == [
        target,
        None,
        None,
    ]
    assert [address_in(word) for word in ("0x" + "0" * 64, "0x" + word_of(target), "0x" + "f" * 64)] == [
        None,
        target,
        None,
    ]


def word_of(address: str) -> str:
    """Return an address as a storage word."""
    return word(address)
