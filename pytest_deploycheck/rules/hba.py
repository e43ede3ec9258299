"""PostgreSQL's rules of who may connect (pg_hba.conf): what each one opens, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

# Anybody gets in; or the password, or what it is made from, can be read on the way; or the client's word
# for who it is counts (PostgreSQL documentation, 20.3 to 20.9).
WEAK = {
    "trust": "asks for no password",
    "password": "has passwords sent as they are",
    "md5": "accepts MD5 hashes, which PostgreSQL deprecates",
    "ident": "believes the client's own machine",
}
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True)
class Rule:
    """One line, as pg_hba_file_rules shows it; netmask is empty where the address is a word or a name."""

    line: int
    type: str
    databases: tuple[str, ...]
    users: tuple[str, ...]
    address: str
    netmask: str
    method: str
    error: str

    def __str__(self) -> str:
        """Return it in short, as it stands in the file."""
        words = (self.type, ",".join(self.databases), ",".join(self.users), self.where, self.method)
        return f"line {self.line} ({' '.join(word for word in words if word)})"

    @property
    def where(self) -> str:
        """The address, as a network where it is one."""
        found = self.network
        return str(found) if found is not None else self.address

    @property
    def network(self) -> Network | None:
        """The network that it opens, None for a socket, a name, or the server's own networks."""
        if self.address == "all":
            return None
        try:
            return ip_network(f"{self.address}/{self.netmask}" if ":" not in self.address else _six(self))
        except ValueError:
            return None

    @property
    def everywhere(self) -> bool:
        """Whether any address in the world matches."""
        found = self.network
        return self.address == "all" or (found is not None and found.prefixlen == 0)

    @property
    def local(self) -> bool:
        """Whether only the server itself matches."""
        found = self.network
        if self.type == "local" or self.address == "samehost":
            return True
        return found is not None and any(_within(found, loop) for loop in _LOOPBACK)


def _six(rule: Rule) -> str:
    """Return an IPv6 network with its mask as a prefix length, which Python wants."""
    bits = int(ip_address(rule.netmask)) if rule.netmask else 2**128 - 1
    return f"{rule.address}/{bits.bit_count()}"


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False


def allowed(address: str, networks: Collection[str]) -> bool:
    """Whether an address or network lies in one of some networks, or is the server's own loopback."""
    found = ip_network(address)
    return any(_within(found, outer) for outer in (*_LOOPBACK, *map(ip_network, networks)))


def in_force(rules: Sequence[Rule]) -> Iterator[tuple[Rule, bool]]:
    """Yield the rules that can match at all, and whether each lets in sessions without TLS.

    The first match decides: what an earlier line refuses to everybody, no later one opens. `hostnossl all
    all all reject` at the top is how many ask for TLS.
    """
    closed: set[tuple[int, str]] = set()
    for rule in rules:
        if rule.type == "local":
            yield rule, False
            continue
        # "all" databases are all but the one called replication.
        open_ways = _ways(rule) if "replication" in rule.databases else _ways(rule) - closed
        if open_ways:
            yield rule, any(kind == "plain" for _, kind in open_ways)
        if rule.method == "reject" and rule.everywhere and "all" in rule.databases and "all" in rule.users:
            closed |= _ways(rule)


def _ways(rule: Rule) -> set[tuple[int, str]]:
    """Return the ways in that a rule is about: versions of IP, with and without encryption."""
    found = rule.network
    versions = (4, 6) if found is None else (found.version,)
    kinds = {"host": ("plain", "ssl", "gss"), "hostssl": ("ssl",), "hostgssenc": ("gss",)}
    other = {"hostnossl": ("plain", "gss"), "hostnogssenc": ("plain", "ssl")}
    return {(version, kind) for version in versions for kind in {**kinds, **other}.get(rule.type, ("plain",))}


def problems(rules: Sequence[Rule], networks: Collection[str], local: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the rules.

    networks: those that may connect; empty is not known, and then none lies outside.  local: those of them
    that never leave a machine, where TLS is not asked for.
    """
    for rule in rules:
        if rule.error:
            yield f"line {rule.line} has an error, so that the file is not in force: {rule.error}"
    known = (*networks, *local)
    for rule, plain in in_force([rule for rule in rules if not rule.error]):
        if rule.method == "reject":
            continue
        if rule.method in WEAK:
            yield f"{rule} {WEAK[rule.method]}"
        if rule.local:
            continue
        if rule.everywhere:
            yield f"{rule} matches every address in the world"
        elif known and rule.network is None:
            yield f"{rule} names no network that could be compared with db.allowed_cidrs"
        elif known and not allowed(str(rule.network), known):
            yield f"{rule} lies outside db.allowed_cidrs"
        if plain and not (rule.network and allowed(str(rule.network), local)):
            yield f"{rule} lets sessions in without TLS"


def remote(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules that let in anybody from beyond the server itself."""
    return [rule for rule, _ in in_force(rules) if not (rule.error or rule.local or rule.method == "reject")]
