"""The contract's address wherever it is written down: environment file, containers, deployment record, API, bundles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Dead, Reads, probe
from pytest_deploycheck.probes import env, evm
from pytest_deploycheck.probes.docker import CONTAINERS
from pytest_deploycheck.probes.env_loaded import running
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http

_SCRIPTS_MAX = 20
_SCRIPT = re.compile(
    r"<script[^>]*\ssrc=[\"']?([^\"'\s>]+)|<link[^>]*rel=[\"']?modulepreload[\"']?[^>]*href=[\"']?([^\"'\s>]+)"
)
_WORD = re.compile(r"(?<![0-9a-zA-Z])0x[0-9a-fA-F]{40}(?![0-9a-fA-F])")
BODY_MAX_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Place:
    """One place that must name the contract.

    kind: "environment", "container", "deployment record", "API" or "bundle".  name: file and key, container and
    key, path or address.  found: the addresses there, as written; for a bundle only those that matter: the
    contract's and the test network's.  matches: the contract's is among them, in any case of letters; only: and
    no other is, where the place has room for one.  misspelt: in mixed case with a wrong checksum (EIP-55).
    testnet: the test network's contract is there.  problem: why the place could not be read.
    """

    kind: str
    name: str
    found: tuple[str, ...]
    matches: bool
    only: bool
    misspelt: tuple[str, ...]
    testnet: bool
    problem: str


@dataclass(frozen=True)
class ContractAddressFacts:
    """The address of the release, and all places.

    checksummed: its EIP-55 spelling is right, or it has none.  has_code: there is code at it on the chain.
    keys: the keys of the environment that hold it.  unset: places that the target file does not name.
    """

    address: str
    checksummed: bool
    zero: bool
    is_testnet: bool
    has_code: bool
    keys: tuple[str, ...]
    places: tuple[Place, ...]
    unset: tuple[str, ...]


def reads(target: Target) -> Reads:
    """Return what is read on the server."""
    record = target.contract.deployments_file
    remote = (f"cat {record}",) if record.startswith("/") else ()
    containers = (CONTAINERS,) if not target.env.units else ()
    return Reads(main=(*env.reads(target).main, *containers, *remote))


@probe(
    facts=ContractAddressFacts,
    deadline=40,
    needs=("rpc_gate",),
    after=("ssh_gate", "docker_gate"),
    uses={"host": "read", "rpc": "POST", "api": "GET", "bundles": "GET", "files": "read"},
    reads=reads,
)
def contract_address(target: Target, connect: Connections) -> ContractAddressFacts:
    """Collect the contract's address from every place that names it, and ask the chain for the code at it."""
    section = target.contract
    if not section.enabled or not section.address:
        wanted = "contract.address" if section.enabled else "contract.enabled = true"
        raise CannotLook(Reason.NO_CONFIG, f"no {wanted} in {target.path.name}; add it")
    address = section.address
    look = _Look(target, connect)
    for kind, read in (
        ("environment", look.environment),
        ("container", look.containers),
        ("deployment record", look.record),
        ("API", look.api),
        ("bundle", look.bundles),
    ):
        try:
            read()
        except (Dead, CannotLook) as why:
            look.add(kind, kind, (), problem=why.message)
    testnet = target.testnet.address if target.testnet else ""
    return ContractAddressFacts(
        address=address,
        checksummed=not _misspelt((address,)),
        zero=int(address, 16) == 0,
        is_testnet=testnet.lower() == address.lower(),
        has_code=len(str(connect.rpc().call("eth_getCode", address, "latest"))) > 2,
        keys=tuple(target.env.contract_keys),
        places=tuple(look.places),
        unset=tuple(look.unset),
    )


class _Look:
    """Reads the places one after the other."""

    def __init__(self, target: Target, connect: Connections) -> None:
        self._target, self._connect = target, connect
        self._address = target.contract.address.lower()
        self._testnet = target.testnet.address.lower() if target.testnet else ""
        self.places: list[Place] = []
        self.unset: list[str] = []

    def add(self, kind: str, name: str, found: tuple[str, ...], *, problem: str = "") -> None:
        lower = [one.lower() for one in found]
        self.places.append(
            Place(
                kind=kind,
                name=name[:200],
                found=found[:10],
                matches=self._address in lower,
                only=set(lower) <= {self._address},
                misspelt=_misspelt(found)[:10],
                testnet=self._testnet != "" and self._testnet in lower and self._testnet != self._address,
                problem=problem,
            )
        )

    def environment(self) -> None:
        values = env.values(self._target, self._connect)
        for key in self._target.env.contract_keys:
            self.add("environment", key, (values[key].strip(),) if values.get(key) else ())

    def containers(self) -> None:
        """Look at every running container with such a key; where units run the service there are none."""
        if self._target.env.units:
            return
        for _, label, have in running(self._target, self._connect):
            for key in self._target.env.contract_keys:
                if key in have:
                    self.add("container", f"{label} {key}", (have[key].strip(),))

    def record(self) -> None:
        name = self._target.contract.deployments_file
        if not name:
            self.unset.append("contract.deployments_file")
            return
        if name.startswith("/"):
            done = self._connect.read(f"cat {name}")
            text = done.stdout if done.status == 0 else None
        else:
            path = self._target.file(name)
            text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
        if text is None:
            self.add("deployment record", name, (), problem=f"{name} cannot be read")
            return
        self.add("deployment record", name, _addresses(text))

    def api(self) -> None:
        path = self._target.contract.config_path
        if not path:
            self.unset.append("contract.config_path")
            return
        answer = self._connect.http("api").get(path)
        if answer.status != 200:
            self.add("API", path, (), problem=f"{path} answers {answer.status}")
            return
        self.add("API", path, _addresses(answer.text))

    def bundles(self) -> None:
        if not self._target.contract.bundle_urls:
            self.unset.append("contract.bundle_urls")
        for url in self._target.contract.bundle_urls:
            place = urlsplit(url)
            base = f"{place.scheme}://{place.netloc}"
            http = self._connect.http("bundles", base=base)
            try:
                texts = list(_scripts(http, url, base))
            except (Dead, CannotLook) as why:
                self.add("bundle", url, (), problem=why.message)
                continue
            known = {self._address, self._testnet} - {""}
            found = {word for text in texts for word in _WORD.findall(text) if word.lower() in known}
            self.add("bundle", url, tuple(sorted(found)), problem="" if texts else f"{url} answers nothing")


def _scripts(http: Http, url: str, base: str) -> Iterator[str]:
    """Yield a bundle's text; of a page, its own and that of the scripts it loads from the same host."""
    answer = http.get(url[len(base) :] or "/", body_max=BODY_MAX_BYTES)
    if answer.status != 200:
        raise CannotLook(Reason.NO_EVIDENCE, f"{url} answers {answer.status}")
    yield answer.text
    if "html" not in (answer.header("content-type") or ""):
        return
    found = (urljoin(url, one[0] or one[1]) for one in _SCRIPT.findall(answer.text))
    own = [one for one in dict.fromkeys(found) if one.startswith(f"{base}/")]
    for script in own[:_SCRIPTS_MAX]:
        loaded = http.get(script[len(base) :], body_max=BODY_MAX_BYTES)
        if loaded.status == 200:
            yield loaded.text


def _addresses(text: str) -> tuple[str, ...]:
    """Return the contract addresses in a JSON document, or in a text that is none.

    In JSON a value counts under a key that speaks of an address or a contract (or of anything, where no key
    does), so that deployers and owners in a record of a deployment are not taken for contracts.
    """
    try:
        document = safe_json.loads(text)
    except ValueError:
        return tuple(dict.fromkeys(_WORD.findall(text)))
    pairs = list(_pairs(document, ""))
    named = [value for key, value in pairs if re.search(r"address|contract|proxy|token", key, re.IGNORECASE)]
    return tuple(dict.fromkeys(named or [value for _, value in pairs]))


def _pairs(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _pairs(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner, key)
    elif isinstance(value, str) and _WORD.fullmatch(value):
        yield key, value


def _misspelt(found: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses in mixed case whose checksum is wrong; one case alone has no checksum."""
    return tuple(
        one
        for one in found
        if _WORD.fullmatch(one)
        and one[2:] not in (one[2:].lower(), one[2:].upper())
        and evm.checksum(one) != one
    )
