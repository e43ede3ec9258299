"""What the value of a configuration key must be like, by the key's name: pure judgements without the value.

A type is a word, or a word with arguments: `int 1..65535`, `enum a|b`. `TYPES` names them all; `judge` says
what is wrong with a value, in words that do not tell it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from pytest_deploycheck.rules.hosts import internal, private

FALSE = ("", "0", "false", "no", "off", "none")
TRUE = ("1", "true", "yes", "on")
PRODUCTION = ("production", "prod", "live")
_LEVELS = ("off", "fatal", "crit", "critical", "error", "err", "warn", "warning", "notice", "info")
_LOOSE_LEVELS = ("debug", "trace", "verbose", "silly", "all", "notset", "finest", "finer", "fine")
_TEST_KEY = re.compile(r"(?:^|_)(?:sk|pk|rk)_test_")
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_TEST_DB = re.compile(r"(?i)(?:^|[-_])(?:test|tests|testing|dev|develop|development|staging|local|ci)$")
_TESTNETS = {
    "sepolia": 11155111,
    "hoodi": 560048,
    "holesky": 17000,
    "goerli": 5,
    "amoy": 80002,
    "mumbai": 80001,
}
_TESTNET_WORDS = re.compile(r"(?i)(?<![a-z])(?:testnet|devnet|ropsten|rinkeby|kovan)(?![a-z])")


@dataclass(frozen=True)
class Expected:
    """What this deployment wants.

    modes: what the application may call its environment.  chain_id: of the product's chain, 0 for none.
    tests: test networks are what this deployment is for.  internal: hosts that are private on purpose, as names, addresses
    or networks.  addresses: contracts and accounts that are known, in lower case.  checksum: gives an address
    in its EIP-55 spelling.
    """

    modes: tuple[str, ...] = PRODUCTION
    chain_id: int = 0
    tests: bool = False
    internal: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    checksum: Callable[[str], str] | None = None


def judge(kind: str, value: str, expected: Expected) -> str:
    """Return what is wrong with a value of a type, empty when nothing is; ValueError for an unknown type."""
    word, _, argument = kind.partition(" ")
    if word not in TYPES:
        raise ValueError(f"unknown type {kind!r}; there are: {', '.join(TYPES)}")
    if value != value.strip():
        return "begins or ends with a blank"
    if _TEST_KEY.search(value):
        return "is a test key (sk_test_, pk_test_)"
    return TYPES[word](value, argument, expected)


def known_type(kind: str) -> bool:
    """Whether a type is one of ours, arguments aside."""
    return kind.partition(" ")[0] in TYPES


def _url(value: str, argument: str, expected: Expected) -> str:
    """Accept an address that the public could reach over TLS, and a declared internal one over anything."""
    url, why = _split(value)
    if url is None:
        return why
    host = url.hostname or ""
    if internal(host, expected.internal):
        return ""
    if url.scheme not in ("https", "wss", *argument.split("|")):
        return f"is an address without TLS ({url.scheme}://)"
    if found := private(host):
        return f"leads to {found}; name it in env.internal_hosts if it is meant"
    return _not_testnet(value, expected)


def _service(value: str, argument: str, expected: Expected) -> str:
    """Accept any address with a scheme and a host: what it leads to stands in the deployment's own network."""
    url, why = _split(value)
    if url is not None and url.path.rstrip("/") and _TEST_DB.search(url.path.rstrip("/")):
        return "names a database for tests or development"
    return why if url is None else ""


def _split(value: str) -> tuple[SplitResult | None, str]:
    try:
        url = urlsplit(value)
        port_is_sound = url.port is None or url.port > 0
    except ValueError:
        return None, "is no address: its host or port cannot be read"
    if not url.scheme or "://" not in value or not (url.hostname or url.path):
        return None, "is no address with a scheme"
    if not port_is_sound or re.search(r"\s", value):
        return None, "is no address: it has a blank or port 0"
    return url, ""


def _database(value: str, argument: str, expected: Expected) -> str:
    if "://" in value:
        return _service(value.partition("?")[0], argument, expected)
    name = re.search(r"(?:^|[\s;])(?:dbname|database|initial catalog)\s*=\s*([^\s;]+)", value, re.IGNORECASE)
    if name and _TEST_DB.search(name[1]):
        return "names a database for tests or development"
    return "" if "=" in value else "is neither an address nor key=value pairs"


def _host(value: str, argument: str, expected: Expected) -> str:
    name = value.partition(":")[0] if value.count(":") == 1 else value.strip("[]")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "" if _HOST.fullmatch(name) else "is no host name"
    return ""


def _int(value: str, argument: str, expected: Expected) -> str:
    if not re.fullmatch(r"[+-]?\d+", value):
        return "is no whole number"
    low, _, high = argument.partition("..")
    if low and int(value) < int(low):
        return f"is below {low}"
    return f"is above {high}" if high and int(value) > int(high) else ""


def _port(value: str, argument: str, expected: Expected) -> str:
    return _int(value, "1..65535", expected)


def _bool(value: str, argument: str, expected: Expected) -> str:
    return "" if value.lower() in (*TRUE, *FALSE[1:]) else "is neither true nor false"


def _debug(value: str, argument: str, expected: Expected) -> str:
    """Accept what means no; whether the application takes the text so is seen in its answers."""
    return "" if value.lower() in FALSE else "turns debugging on"


def _mode(value: str, argument: str, expected: Expected) -> str:
    words = [word.strip().lower() for word in value.split(",")]
    return "" if all(word in expected.modes for word in words) else f"is not {' or '.join(expected.modes)}"


def _level(value: str, argument: str, expected: Expected) -> str:
    words = set(re.findall(r"[a-z]+", value.lower()))
    if words & set(_LOOSE_LEVELS):
        return "logs every detail (debug or trace)"
    return "" if words & set(_LEVELS) or value.isdigit() else "is no log level"


def _chain(value: str, argument: str, expected: Expected) -> str:
    try:
        number = int(value, 0)
    except ValueError:
        return "is no chain id"
    if expected.chain_id and number != expected.chain_id:
        return f"is not {expected.chain_id}, the contract's chain (contract.chain_id)"
    return ""


def _network(value: str, argument: str, expected: Expected) -> str:
    return _not_testnet(value, expected)


def _not_testnet(value: str, expected: Expected) -> str:
    named = [chain for name, chain in _TESTNETS.items() if name in value.lower()]
    if any(chain != expected.chain_id for chain in named) or (
        not named and not expected.tests and _TESTNET_WORDS.search(value)
    ):
        return "names a test network"
    return ""


def _address(value: str, argument: str, expected: Expected) -> str:
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        return "is no address: not 0x and 40 hexadecimal digits"
    if int(value, 16) == 0:
        return "is the zero address"
    if value in expected.addresses:
        return ""  # in lower case, and known: what a checksum would tell is seen
    if value[2:] in (value[2:].lower(), value[2:].upper()) and not value[2:].isdigit():
        return "has no checksum: not in mixed case (EIP-55), so a typo goes unseen"
    if expected.checksum is not None and expected.checksum(value) != value:
        return "has a wrong checksum (EIP-55): a digit is mistyped"
    return ""


def _hex32(value: str, argument: str, expected: Expected) -> str:
    if not re.fullmatch(r"(?:0x)?[0-9a-fA-F]{64}", value):
        return "is not 64 hexadecimal digits (32 bytes)"
    return "is zero" if int(value, 16) == 0 else ""


def _signer(value: str, argument: str, expected: Expected) -> str:
    """Accept a key of an account or a key in PEM."""
    return "" if value.startswith("-----BEGIN ") else _hex32(value, argument, expected)


def _enum(value: str, argument: str, expected: Expected) -> str:
    return "" if value in argument.split("|") else f"is none of {argument}"


def _origins(value: str, argument: str, expected: Expected) -> str:
    for origin in filter(None, re.split(r"[\s,;]+", value.strip("[]").replace('"', "").replace("'", ""))):
        if origin == "*" or "*" in origin or origin == "null":
            return "holds a wildcard or null: origins are listed one by one"
        url, _ = _split(origin)
        if url is None or not url.hostname:
            return "holds something that is no origin such as https://app.example"
        if url.path not in ("", "/") or url.query or url.fragment:
            return "holds an address with a path: an origin has none, and browsers compare whole origins"
        if url.path:
            return "holds an origin that ends in /: browsers send none, so it never matches"
        if not internal(url.hostname, expected.internal) and url.scheme != "https":
            return f"holds an origin without TLS ({url.scheme}://)"
        if (why := private(url.hostname)) and not internal(url.hostname, expected.internal):
            return f"holds {why}"
    return ""


def _email(value: str, argument: str, expected: Expected) -> str:
    return "" if re.search(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+", value) else "is no mail address"


def _dbname(value: str, argument: str, expected: Expected) -> str:
    return "names a database for tests or development" if _TEST_DB.search(value) else ""


def _any(value: str, argument: str, expected: Expected) -> str:
    return ""


TYPES: dict[str, Callable[[str, str, Expected], str]] = {
    "url": _url,
    "service": _service,
    "database": _database,
    "host": _host,
    "port": _port,
    "int": _int,
    "bool": _bool,
    "debug": _debug,
    "mode": _mode,
    "level": _level,
    "chain": _chain,
    "network": _network,
    "address": _address,
    "hex32": _hex32,
    "signer": _signer,
    "enum": _enum,
    "origins": _origins,
    "email": _email,
    "dbname": _dbname,
    "secret": _any,
    "text": _any,
}
