"""Texts inside an app: strings of dex, resources, native libraries and scripts, and what they must not say."""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_deploycheck.probes.log_patterns import PATTERNS as SECRET_SHAPES
from pytest_deploycheck.probes.mobile_archive import AppError

STRING_MAX = 4096
PORTION_BYTES, OVERLAP_BYTES = 8 * 2**20, 4096
HERMES = bytes.fromhex("c61fbc03c103191f")
_ASCII = re.compile(rb"[\x09\x20-\x7e]{6,}")
_WIDE = re.compile(rb"(?:[\x20-\x7e]\x00){6,}")
_URL = re.compile(r"(?i)(?:https?|wss?)://([a-z0-9._\[\]:@-]{1,253})")
_ADDRESS = re.compile(r"(?<![0-9a-zA-Z])0x[0-9a-fA-F]{40}(?![0-9a-fA-F])")
_CHAIN = re.compile(r"(?i)\bchain_?id[\"']?\s*[:=]\s*[\"']?(0x[0-9a-f]{1,12}|\d{1,12})(?![\w.])")
_NAMED = r"(?<!applinks:)(?<!webcredentials:)(?<!activitycontinuation:)(?<![\w.-]){}(?![\w-]|\.\w)"
_TUNNEL = re.compile(
    r"(?i)(?:^|\.)(?:ngrok\.(?:io|app|dev)|ngrok-free\.(?:app|dev)|loca\.lt|localtunnel\.me|serveo\.net"
    r"|trycloudflare\.com|lhr\.life|requestbin\.net|webhook\.site|nip\.io|sslip\.io)$"
)
_STAGE = re.compile(
    r"(?i)(?:^|[.-])(?:dev|develop|development|staging|stage|stg|test|testing|qa|uat|sandbox|preprod|local|beta)\d*(?:[.-]|$)"
)
_TESTNET = re.compile(
    r"(?i)(?:^|[.-])(?:sepolia|goerli|holesky|hoodi|ropsten|rinkeby|kovan|mumbai|amoy|testnet|devnet)(?:[.-]|$)"
)
RESERVED = (".test", ".example", ".invalid", ".localhost")
"""Names of RFC 2606 that exist nowhere, so that their last label is no word about a stage."""
LIBRARY = frozenset(
    "w3.org android.com xmlsoap.org adobe.com apple.com apache.org xml.org xmlpull.org sun.com oracle.com ibm.com "
    "eclipse.org relaxng.org saxproject.org megginson.com unicode.org openssl.org netty.io jetbrains.com kotlinlang.org "
    "reactjs.org react.dev reactnative.dev fb.me goo.gl g.co github.com mozilla.org whatwg.org ietf.org "
    "issuetracker.google.com developers.google.com flutter.dev dart.dev expo.fyi".split()
)
"""Sites that frameworks and libraries name, with all below them, in namespaces and messages: nothing is sent there."""
SEPARATOR = "\0\n"
"""Between two strings: what is looked for in one string does not reach into the next."""
FRAMEWORK = frozenset({"localhost:8081", "10.0.2.2:8081", "10.0.3.2:8081", "localhost"})
"""Places of React Native's packager, which stand in its released code but are not asked there."""
_SECRETS = (
    "JSON Web Token",
    "AWS access key",
    "URL with a password",
    "RPC URL with a key",
    "authorization header",
)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*(?:\\n)?\s*[A-Za-z0-9+/]{24}")


@dataclass(frozen=True)
class Text:
    """Strings of an entry, one a line; loose: where one ends is not known, it may run into the next."""

    name: str
    text: str
    loose: bool = False


@dataclass(frozen=True)
class Hit:
    """Something in an app that ought not to be there: what it is, its words, and where."""

    what: str
    words: str
    where: str


def of_binary(data: bytes) -> str:
    """Return the printable runs of a binary file, in ASCII and in UTF-16."""
    parts = [one.decode("ascii") for one in _ASCII.findall(data)]
    parts += [one.decode("utf-16-le") for one in _WIDE.findall(data)]
    return SEPARATOR.join(parts)


def of_dex(data: bytes) -> str:
    """Return the strings of a dex file; AppError for what is none."""
    if len(data) < 0x70 or data[:4] != b"dex\n":
        raise AppError("not a dex file")
    count, start = struct.unpack_from("<LL", data, 0x38)
    if start + 4 * count > len(data):
        raise AppError("a dex file is cut off")
    found, size = [], 0
    for at in struct.unpack_from(f"<{count}L", data, start):
        for _ in range(5):  # the length in UTF-16 units, a number of up to five bytes
            if at >= len(data):
                raise AppError("a dex file is damaged")
            at += 1
            if data[at - 1] < 0x80:
                break
        end = data.find(b"\0", at, at + STRING_MAX)
        found.append(data[at : end if end >= 0 else at + STRING_MAX].decode("utf-8", "replace"))
        size += len(found[-1])
        if size > 2 * len(data):
            raise AppError("the strings of a dex file overlap")
    return SEPARATOR.join(found)


def portions(name: str, data: bytes) -> Iterator[Text]:
    """Yield what a file says in portions that overlap, so that a large one needs no more memory than a small one."""
    loose = b"\0" in data[:4096]
    for at in range(0, max(len(data) - OVERLAP_BYTES, 1), PORTION_BYTES - OVERLAP_BYTES):
        part = data[at : at + PORTION_BYTES]
        yield Text(name, of_binary(part) if loose else part.decode("utf-8", "replace"), loose)


def urls(text: Text) -> Iterator[tuple[str, str]]:
    """Yield (host, host with port) of every URL with a host that can be one."""
    for place in _URL.findall(text.text):
        host = place.rpartition("@")[2].strip(".-_").lower()
        name = host.partition(":")[0]
        if name and (
            ("." in name and re.search(r"\.[a-z]{2,63}$|^\d+(\.\d+){3}$", name)) or name == "localhost"
        ):
            yield name, host


def ours(host: str, wanted: Iterable[str]) -> bool:
    """Whether a host is one of these; `*.` stands for any name below."""
    return any(host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in wanted)


def library(host: str) -> bool:
    """Whether a host is one that libraries name without asking it."""
    labels = host.split(".")
    return labels[0] in ("java", "javax") or any(
        ".".join(labels[at:]) in LIBRARY for at in range(len(labels) - 1)
    )


def parent(host: str) -> str:
    """Return the name that a host and its siblings are below; itself where there is none of the project's own."""
    labels = host.split(".")
    if len(labels) < 3 or (len(labels) == 3 and labels[1] in ("co", "com", "org", "net", "gov", "ac", "edu")):
        return host
    return ".".join(labels[1:])


class Rules:
    """What an app may name: the API's hosts, others that are allowed, the contract and the chain."""

    def __init__(
        self,
        *,
        api: Collection[str],
        allowed: Sequence[str],
        exact: bool,
        testnet: str,
        chain_id: int,
        patterns: Sequence[str],
        secrets: Sequence[tuple[str, str]],
    ) -> None:
        self.api = tuple(one.lower() for one in api)
        self._allowed = (*self.api, *(one.lower() for one in allowed))
        self._exact = exact
        self._testnet = testnet.lower()
        self._chain_id = chain_id
        self._patterns = [re.compile(one) for one in patterns]
        self._secrets = secrets
        self._named = {one: re.compile(_NAMED.format(re.escape(one))) for one in self.api}
        below = "|".join(re.escape(one) for one in dict.fromkeys(map(parent, self.api)))
        self._bare = (
            re.compile(rf"(?i)(?<![\w.@-])((?:[\w-]+\.){{0,4}}(?:{below}))(?![\w.-]*\w)") if below else None
        )

    def named(self, text: Text) -> set[str]:
        """Return the API's hosts that a text names, other than as sites whose links the app opens."""
        lower = text.text.lower()
        if text.name.endswith("AndroidManifest.xml"):
            return {host for host, _ in urls(text)} & set(self.api)
        if text.loose:
            return {one for one in self.api if f"//{one}" in lower or self._named[one].search(lower)}
        return {one for one in self.api if one in lower and self._named[one].search(lower)}

    def allowed(self, host: str, *, loose: bool = False) -> bool:
        """Whether the app may name a host; a loose one may have the next string at its end."""
        return ours(host, self._allowed) or (loose and any(host.startswith(one) for one in self._allowed))

    def hits(self, text: Text) -> Iterator[Hit]:
        """Yield what a text must not say."""
        for host, place in dict.fromkeys(urls(text)):
            if what := self._host(host, place, text):
                yield Hit(what, place[:120], text.name)
        for host in dict.fromkeys(self._bare.findall(text.text) if self._bare and not text.loose else ()):
            if not self.allowed(host.lower()):
                yield Hit("another host of the project", host[:120], text.name)
        if self._testnet and self._testnet in text.text.lower():
            yield Hit("the test network's contract", self._testnet, text.name)
        for word in dict.fromkeys(_CHAIN.findall(text.text)):
            if self._chain_id and int(word, 0 if word.lower().startswith("0x") else 10) not in (
                self._chain_id,
                0,
            ):
                yield Hit("another chain", word, text.name)
        for pattern in self._patterns:
            if pattern.search(text.text):
                yield Hit("a forbidden pattern", pattern.pattern[:80], text.name)
        yield from self._leaks(text)

    def _leaks(self, text: Text) -> Iterator[Hit]:
        for name in _SECRETS:
            if SECRET_SHAPES[name].search(text.text):
                yield Hit("a secret", name, text.name)
        if _KEY.search(text.text):
            yield Hit("a secret", "private key", text.name)
        for name, value in self._secrets:
            if value in text.text:
                yield Hit("a secret", f"the value of {name}", text.name)

    def _host(self, host: str, place: str, text: Text) -> str:
        if self.allowed(host, loose=text.loose) or library(host) or place in FRAMEWORK:
            return ""
        if host == "localhost":
            return "this very machine"
        if re.fullmatch(r"\d+(\.\d+){3}", host):
            try:
                address = ipaddress.ip_address(host)
            except ValueError:
                return ""
            return "" if address.is_global else "a private address"
        labels = host
        for one in RESERVED:
            labels = labels.removesuffix(one)
        if _TUNNEL.search(host):
            return "a tunnel"
        if _TESTNET.search(labels):
            return "a test network"
        if _STAGE.search(labels):
            return "a host of another stage"
        if any(host == one or host.endswith(f".{one}") for one in map(parent, self.api)):
            return "another host of the project"
        return "a host that is not allowed" if self._exact else ""


def addresses(text: str) -> set[str]:
    """Return the contract addresses in a text, in lower case."""
    return {one.lower() for one in _ADDRESS.findall(text)}


def chains(text: str) -> set[int]:
    """Return the chain ids that a text declares."""
    return {int(one, 0 if one.lower().startswith("0x") else 10) for one in _CHAIN.findall(text)}
