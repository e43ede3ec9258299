"""URLs of nodes by their shape: where, whose, with which kind of key; and values of the ABI as text."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes import abi_values, nodes
from pytest_deploycheck.target import load

KEY = "0123456789abcdef0123456789abcdef"
TARGET = """
[target]
name = "t"
environment = "dev"
base_url = "https://shop.example"
[rpc]
url = { env = "NOBODY" }
own_hosts = ["geth*", "10.1.*"]
"""


@pytest.mark.parametrize(
    ("url", "key"),
    [
        (f"https://mainnet.infura.io/v3/{KEY}", "present"),
        (f"wss://mainnet.infura.io/ws/v3/{KEY}", "present"),
        ("https://eth-mainnet.g.alchemy.com/v2/abcDEF123_-abcDEF123_-abcDEF123_-", "present"),
        (f"https://eth-mainnet.nodereal.io/v1/{KEY}", "present"),
        (f"https://lb.drpc.org/ogrpc?network=ethereum&dkey={KEY}", "present"),
        (f"https://user:{KEY}@nd-1.example", "present"),
        ("https://eth-mainnet.g.alchemy.com/v2/demo", "placeholder"),
        ("https://mainnet.infura.io/v3/YOUR-PROJECT-ID", "placeholder"),
        ("https://mainnet.infura.io/v3/your_api_key_of_thirty_two_chars", "placeholder"),
        ("https://mainnet.infura.io/v3/${INFURA_KEY_OF_PRODUCTION}", "placeholder"),
        ("https://mainnet.infura.io/v3/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "placeholder"),
        ("https://mainnet.infura.io/v3/", "none"),
        ("http://geth:8545", "none"),
        ("https://rpc.example/eth", "none"),
    ],
)
def test_keys(url: str, key: str) -> None:
    """A key is told from a placeholder and from none, wherever it stands."""
    assert nodes.key_of(urlsplit(url)) == key


@pytest.mark.parametrize(
    ("url", "private", "hosted", "own", "provider"),
    [
        (f"https://mainnet.infura.io/v3/{KEY}", False, True, False, "infura.io"),
        (f"https://eth-mainnet.g.alchemy.com/v2/{KEY}", False, True, False, "alchemy.com"),
        ("http://geth1:8545", True, False, True, "geth1:8545"),
        ("http://10.1.2.3:8545", True, False, True, "10.1.2.3:8545"),
        ("http://[::1]:8545", True, False, False, "::1:8545"),
        ("http://8.8.8.8:8545", False, False, False, "8.8.8.8:8545"),
        ("http://node.internal:8545", True, False, False, "node.internal"),
        ("https://infura.io.evil.example/v3/x", False, False, False, "evil.example"),
    ],
)
def test_hosts(tmp_path: Path, url: str, private: bool, hosted: bool, own: bool, provider: str) -> None:
    """A host is private or not, a provider's or our own, and nothing secret is kept."""
    (tmp_path / "t.toml").write_text(TARGET)
    found = nodes.address(load(tmp_path / "t.toml"), url)
    assert (found.private, found.hosted, found.own, found.provider) == (private, hosted, own, provider)
    assert KEY not in repr(found)


def test_one_endpoint_by_two_spellings() -> None:
    """WebSocket and HTTP at one place, and the case of a host, are one endpoint; another key is another."""
    assert nodes.identity(f"wss://H.example/ws/v3/{KEY}") == nodes.identity(f"https://h.example/v3/{KEY}/")
    assert nodes.identity("https://h.example/v3/a") != nodes.identity("https://h.example/v3/b")


def test_signatures() -> None:
    """Tuples and arrays are types of their own; what is no signature is named."""
    assert abi_values.arguments("f(uint256,(address,bool)[],bytes)") == [
        "uint256",
        "(address,bool)[]",
        "bytes",
    ]
    assert abi_values.returns("f(uint256)(bool, uint8)") == ["bool", "uint8"]
    assert abi_values.bare("f( uint256 )(bool)") == "f(uint256)"
    for wrong in ("paused", "f(uint256", "(uint256)"):
        with pytest.raises(CannotLook, match="no signature"):
            abi_values.bare(wrong)


@pytest.mark.parametrize(
    ("kinds", "values", "shown"),
    [
        (["uint256"], ["1000000000000000000000"], ["1000000000000000000000"]),
        (["bool", "string"], ["true", "Vault"], ["true", "Vault"]),
        (["(address,uint8)[]"], [[["0x" + "ab" * 20, 7]]], ["[[0x" + "ab" * 20 + ", 7]]"]),
        (["bytes4"], ["0x01020304"], ["0x01020304"]),
    ],
)
def test_values_there_and_back(kinds: list[str], values: list[object], shown: list[str]) -> None:
    """Values written as JSON has them come back as text."""
    assert abi_values.decode(kinds, abi_values.encode(kinds, values, "f")) == shown


def test_values_that_do_not_fit_are_named() -> None:
    """Too few arguments, and one of another type, name the call."""
    with pytest.raises(CannotLook, match="buy takes 1 arguments, 0 are given"):
        abi_values.encode(["uint256"], [], "buy")
    with pytest.raises(CannotLook, match="the arguments of buy do not fit uint256"):
        abi_values.encode(["uint256"], ["many"], "buy")
    assert abi_values.decode(["uint256"], b"\x01") is None


@pytest.mark.parametrize(
    ("shown", "expected", "same"),
    [
        ("1000", 1000, True),
        ("1000", "0x3e8", True),
        ("0xAB" + "0" * 38, "0xab" + "0" * 38, True),
        ("true", True, True),
        ("1", True, False),
        ("Vault", "vault", False),
        ("[1, 2]", [1, 2], True),
        ("0x", "", False),
    ],
)
def test_sameness(shown: str, expected: object, same: bool) -> None:
    """Spelling of numbers, hex digits and truth does not count; text does."""
    assert abi_values.same(shown, expected) is same
