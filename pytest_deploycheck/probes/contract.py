"""The contract probe: the code at the contract's address beside the build, who rules it, and a second opinion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import artifacts, contract_proxy, contract_state, env, nodes
from pytest_deploycheck.probes.chain_reader import At, Reader, code, final_block
from pytest_deploycheck.probes.contract_deploy import Deployment, deployment
from pytest_deploycheck.probes.contract_proxy import Proxy
from pytest_deploycheck.probes.contract_state import Owner, Role, StateValue
from pytest_deploycheck.rules.bytecode import Comparison, compare
from pytest_deploycheck.rules.proxies import delegate
from pytest_deploycheck.transports.rpc import Rpc, RpcError
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.rules.artifact import Artifact
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class Code:
    """The code at an address, beside a build's.

    comparison: None when there is no build to compare with, which `why` tells.  delegated_to: the address is
    an account that acts by another's code (EIP-7702).  bare_libraries: linked libraries without code.
    """

    address: str
    bytes: int
    delegated_to: str
    comparison: Comparison | None
    why: str
    bare_libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Second:
    """What another node says at the same block.

    node: our word for it, empty when there is none, which `why` tells.  same_block: it has the very same
    block there.  differing: the answers that are not the same, in words.
    """

    node: str
    same_block: bool | None
    differing: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class ContractFacts:
    """The contract at one final block, `at`; None when no block is final yet.

    chain_id: the target file's, reference_chain_id: the reference node's.  code: at the contract's address;
    main: at the implementation's behind a proxy, else the same.  varying: immutables that follow from more
    than the arguments, so that nothing is expected of them; untried: why the constructor could not be tried
    out.  creation_sha256: names the build in other reports.  account_may_own: the owner may have no code.
    deployer: who must have deployed it, empty when the target file does not say.
    """

    address: str
    chain_id: int
    reference_chain_id: int
    at: At | None
    deployment: Deployment
    code: Code | None
    main: Code | None
    creation_sha256: str
    varying: tuple[str, ...]
    untried: str
    proxy: Proxy | None
    owner: Owner | None
    account_may_own: bool
    deployer: str
    roles: tuple[Role, ...]
    paused: bool | None
    state: tuple[StateValue, ...]
    second: Second


@probe(
    facts=ContractFacts,
    deadline=40,
    needs=("contract_gate",),
    after=("ssh_gate",),
    uses={"rpc": "POST", "rpc_application": "POST", "rpc_fallback": "POST", "host": "read"},
    reads=env.reads,
)
def contract(target: Target, connect: Connections) -> ContractFacts:
    """Compare the contract's code with the build, and read its proxy, owner, roles and state, on two nodes."""
    return _Look(target, connect).facts()


class _Look:
    """One look, and what its steps share."""

    def __init__(self, target: Target, connect: Connections) -> None:
        self._target, self._section = target, target.contract
        clients, self._missing = nodes.clients(target, connect)
        self._rpc = clients.pop("reference")
        self._others = clients
        self._made: Artifact | None = None
        self._why = ""
        try:
            self._made = artifacts.own(target)
        except CannotLook as why:
            self._why = why.message

    def facts(self) -> ContractFacts:
        """Read everything at the newest block that is final for both nodes."""
        section, proxied = self._section, self._section.proxy != "none"
        name, other = next(iter(self._others.items()), ("", None))
        at, behind = final_block(self._rpc, other)
        own = None if proxied else self._made
        deployed = deployment(
            self._rpc, section.deploy_tx, section.address, own, section.constructor_args if own else None
        )
        base = {
            "address": section.address,
            "chain_id": section.chain_id,
            "reference_chain_id": self._rpc.number("eth_chainId"),
            "at": at,
            "deployment": deployed,
            "creation_sha256": self._made.creation_sha256 if self._made else "",
            "account_may_own": section.owner_is_account,
            "deployer": section.deployer,
        }
        if at is None:
            return ContractFacts(**base, **_NOTHING, second=Second(name, None, (), "no block is final yet"))  # type: ignore[arg-type]
        reader = Reader(self._rpc, at)
        here = reader.code(section.address)
        if here is None:
            raise CannotLook(
                Reason.NO_ACCESS,
                f"{self._rpc.place} does not keep the state of block {at.number}, which is final: "
                "rpc.url must be a node that does",
            )
        proxy = contract_proxy.proxy(reader, self._rpc, section, here)
        expected = self._expected(proxy.effective if proxied else section.address, deployed, at)
        code = self._code(reader, here, expected)
        main = code
        if proxied and proxy.effective:
            there = reader.code(proxy.effective) or b""
            main = self._compared(reader, proxy.effective, there, self._made, self._why, expected)
        deployer = section.deployer or deployed.sender
        return ContractFacts(
            **base,  # type: ignore[arg-type]
            code=code,
            main=main,
            varying=expected.varying,
            untried=expected.why,
            proxy=proxy,
            owner=contract_state.owner(reader, section) if section.owner_call else None,
            roles=contract_state.roles(reader, self._rpc, at, section, deployed.block, deployer),
            paused=contract_state.paused(reader, section),
            state=contract_state.state(reader, section, self._made.abi if self._made else ()),
            second=Second(name, None, (), behind) if behind else self._second(reader, at, name, other),
        )

    def _expected(self, address: str, deployed: Deployment, at: At) -> artifacts.Expected:
        """Return what the build's immutables must be at an address; a proxy's deployment is not its code's."""
        section, own = self._section, self._section.proxy == "none" and bool(deployed.created)
        if self._made is None:
            return artifacts.Expected({}, (), "")
        return artifacts.expected(
            self._made,
            dict(section.immutables),
            artifacts.creation(self._made, dict(section.libraries), section.constructor_args),
            self._rpc,
            address=address,
            deployer=deployed.sender if own else "",
            nonce=deployed.nonce if own else None,
            value=deployed.value if own else "0x0",
            block=at.number,
        )

    def _code(self, reader: Reader, here: bytes, expected: artifacts.Expected) -> Code:
        """Compare the code at the contract's address: with the build, or with the proxy's own."""
        section, made, why = self._section, self._made, self._why
        if section.proxy != "none":
            made, why = (
                None,
                f"no contract.proxy_artifact in {self._target.path.name}: the proxy is not compared",
            )
            expected = artifacts.Expected({}, (), "")
            if section.proxy_artifact:
                made, why = self._proxy_artifact()
        return self._compared(reader, section.address, here, made, why, expected)

    def _proxy_artifact(self) -> tuple[Artifact | None, str]:
        file, _, name = self._section.proxy_artifact.partition("#")
        try:
            return artifacts.load(self._target, file, name, "contract.proxy_artifact"), ""
        except CannotLook as why:
            return None, why.message

    def _compared(
        self,
        reader: Reader,
        address: str,
        here: bytes,
        made: Artifact | None,
        why: str,
        expected: artifacts.Expected,
    ) -> Code:
        delegated = delegate(here) or ""
        if made is None:
            return Code(address, len(here), delegated, None, why)
        found = compare(
            made, here, immutables=expected.values, libraries=self._section.libraries, address=address
        )
        reader.ask(*(code(one.address) for one in found.libraries))
        bare = tuple(one.name for one in found.libraries if not reader.code(one.address))
        return Code(address, len(here), delegated, found, "", bare)

    def _second(self, reader: Reader, at: At, name: str, other: Rpc | None) -> Second:
        if other is None:
            return Second("", None, (), nodes.explain(self._missing))
        try:
            block = other.call("eth_getBlockByNumber", hex(at.number), False)
            if not isinstance(block, dict):
                return Second(name, None, (), f"{other.place} has no block {at.number}")
            same = str(block.get("hash", "")).lower() == at.hash.lower()
            return Second(name, same, reader.differing(other), "")
        except (CannotLook, Dead) as why:
            return Second(name, None, (), why.message)
        except RpcError as error:
            return Second(name, None, (), str(error))


_NOTHING = {
    "code": None,
    "main": None,
    "varying": (),
    "untried": "",
    "proxy": None,
    "owner": None,
    "roles": (),
    "paused": None,
    "state": (),
}
