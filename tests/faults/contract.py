"""Faults of Smart Contract Deployment: the contract on the chain, its rehearsal, its gas, its published source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck.demo import explorer, standins
from pytest_deploycheck.demo.contract import GUARDIANS, artifact, deploy
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.ether.keys import address_of
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.testnet import address as rehearsed_at
from pytest_deploycheck.rules.proxies import IMPLEMENTATION_SLOT
from pytest_deploycheck.verdict import Verdict
from tests.faults import tools
from tests.faults.functional_chain import mine, paused, rpc
from tests.faults.harness import fault
from tests.faults.tools import edited

MAINNET = "deploy.contract.mainnet"
TESTNET = "deploy.contract.testnet"
GAS = "deploy.contract.gas"
VERIFIED = "deploy.contract.verified"
CONTRACT = ("contract",)
# Counts down from 4000 and ends well: what a loop does to the gas of every call.
_LOOP = "0x610fa05b600190038060035700"


@contextmanager
def code_at(demo: Deployment, address: str, code: str, client: Rpc | None = None) -> Iterator[None]:
    """Put other code at an address, for good as far as finality tells, and the old one back."""
    chain = client or rpc(demo)
    before = str(chain.call("eth_getCode", address, "latest"))

    def put(what: str) -> None:
        chain.call("anvil_setCode", address, what)
        for _ in range(3):
            chain.call("evm_mine")

    put(code)
    try:
        yield
    finally:
        put(before)


@contextmanager
def word_at(demo: Deployment, address: str, slot: str, value: str) -> Iterator[None]:
    """Write one word of a contract's storage, and the old one back."""
    before = rpc(demo).call("eth_getStorageAt", address, slot, "latest")
    rpc(demo).call("anvil_setStorageAt", address, slot, value)
    mine(demo, 3)
    try:
        yield
    finally:
        rpc(demo).call("anvil_setStorageAt", address, slot, before)
        mine(demo, 3)


def _patched(demo: Deployment, at: int) -> str:
    code = bytearray.fromhex(rpc(demo).call("eth_getCode", deploy.token_address(demo.world), "latest")[2:])
    code[at] ^= 1
    return "0x" + code.hex()


@fault(MAINNET, "no code at the address", probes=CONTRACT)
@contextmanager
def no_code(demo: Deployment) -> Iterator[None]:
    """Take the contract away."""
    with code_at(demo, deploy.token_address(demo.world), "0x"):
        yield


@fault(MAINNET, "another artifact", probes=CONTRACT)
@contextmanager
def other_artifact(demo: Deployment) -> Iterator[None]:
    """Put another contract of the project where the token is."""
    with code_at(demo, deploy.token_address(demo.world), artifact(GUARDIANS)["deployedBytecode"]):
        yield


@fault(MAINNET, "one opcode is another", probes=CONTRACT)
@contextmanager
def one_opcode(demo: Deployment) -> Iterator[None]:
    """Change one byte of the program, somewhere in the middle."""
    with code_at(demo, deploy.token_address(demo.world), _patched(demo, 1700)):
        yield


@fault(MAINNET, "the price in the code is another", probes=CONTRACT)
@contextmanager
def other_immutable(demo: Deployment) -> Iterator[None]:
    """Change an immutable in every place where it stands."""
    code = bytearray.fromhex(rpc(demo).call("eth_getCode", deploy.token_address(demo.world), "latest")[2:])
    for spans in artifact()["immutableReferences"].values():
        for span in spans:
            code[span["start"] + span["length"] - 1] ^= 1
    with code_at(demo, deploy.token_address(demo.world), "0x" + code.hex()):
        yield


@fault(MAINNET, "the address is an account that acts by another's code", probes=CONTRACT)
@contextmanager
def delegated(demo: Deployment) -> Iterator[None]:
    """Put an EIP-7702 designator where the contract is."""
    target = deploy.owner_address(demo.world)[2:].lower()
    with code_at(demo, deploy.token_address(demo.world), "0xef0100" + target):
        yield


@fault(MAINNET, "the owner is the deployer's account", probes=CONTRACT)
@contextmanager
def owner_is_deployer(demo: Deployment) -> Iterator[None]:
    """Leave the contract with the key that deployed it."""
    deployer = address_of(deploy.deployer_key(demo.world))
    with word_at(demo, deploy.token_address(demo.world), "0x0", "0x" + deployer[2:].rjust(64, "0")):
        yield


@fault(MAINNET, "the contract is paused", probes=CONTRACT)
@contextmanager
def stopped_by_owner(demo: Deployment) -> Iterator[None]:
    """Pause the contract by its guardians, for good."""
    with paused(demo):
        mine(demo, 3)
        yield
    mine(demo, 3)


@fault(MAINNET, "an implementation where there is no proxy", probes=CONTRACT)
@contextmanager
def undeclared_proxy(demo: Deployment) -> Iterator[None]:
    """Write the slot by which a proxy would send calls elsewhere."""
    value = "0x" + deploy.owner_address(demo.world)[2:].lower().rjust(64, "0")
    with word_at(demo, deploy.token_address(demo.world), IMPLEMENTATION_SLOT, value):
        yield


@fault(MAINNET, "the deployment is another contract's", probes=CONTRACT)
@contextmanager
def other_deployment(demo: Deployment) -> Iterator[None]:
    """Name a transaction of the same block range that created nothing of ours."""
    digest = json.loads(deploy.record(demo.world).read_text())["tx_hash"]
    latest = rpc(demo).call("eth_getBlockByNumber", "0x1", False)["transactions"][0]
    with edited(demo.target, (digest, latest)):
        yield


@fault(MAINNET, "the second node is on a fork", probes=CONTRACT)
@contextmanager
def second_opinion_differs(demo: Deployment) -> Iterator[None]:
    """Let the other node go its own way."""
    with forked(demo):
        yield


@contextmanager
def forked(demo: Deployment) -> Iterator[None]:
    """Let the second node stop following, and mine blocks of its own, final ones as well."""
    other = Rpc(demo.world.url("rpc_replica"), timeout_s=5.0)
    other.call("deploycheck_follow", False)
    other.call("anvil_setBalance", "0x" + "77" * 20, "0x1")
    for _ in range(4):
        other.call("evm_mine")
    mine(demo, 4)
    try:
        yield
    finally:
        other.call("deploycheck_follow", True)


@fault(TESTNET, "an older build on the test network", probes=("testnet",), needs=("testnet",))
@contextmanager
def other_build_rehearsed(demo: Deployment) -> Iterator[None]:
    """Change one byte of the code that was rehearsed with."""
    network, there = Rpc(demo.world.url("testnet"), timeout_s=5.0), rehearsed_at(demo.world)
    code = bytearray.fromhex(network.call("eth_getCode", there, "latest")[2:])
    code[1700] ^= 1
    with code_at(demo, there, "0x" + code.hex(), network):
        yield


@fault(TESTNET, "a function that nobody tried", probes=("testnet",), needs=("testnet",))
@contextmanager
def never_tried(demo: Deployment) -> Iterator[None]:
    """Ask for a call of one more function than was rehearsed."""
    functions = '["buy()", "redeem(uint256)", "transfer(address,uint256)"]'
    with edited(demo.target, ("[testnet]\n", f"[testnet]\nrequired_functions = {functions}\n")):
        yield


@fault(TESTNET, "the rehearsal failed", probes=("testnet",), needs=("testnet",))
@contextmanager
def rehearsal_failed(demo: Deployment) -> Iterator[None]:
    """Let one step of the run have failed."""
    report = demo.world.path("reports", "testnet", "junit.xml")
    text = report.read_text()
    line = next(line for line in text.splitlines() if 'name="redeem"' in line)
    with edited(report, (line, line.replace("/>", '><failure message="reverted"/></testcase>'))):
        yield


@fault(TESTNET, "the rehearsal was of another commit", probes=("testnet",), needs=("testnet",))
@contextmanager
def rehearsal_of_another_commit(demo: Deployment) -> Iterator[None]:
    """Let the run be about what was there before."""
    report = demo.world.path("reports", "testnet", "junit.xml")
    with edited(report, (demo.world.release.commit, "f" * 40)):
        yield


@fault(GAS, "a loop in the contract", probes=("gas",), needs=("estimates",))
@contextmanager
def loop(demo: Deployment) -> Iterator[None]:
    """Let every call cost a multiple of its estimate."""
    with code_at(demo, deploy.token_address(demo.world), _LOOP):
        yield


@fault(GAS, "the budget is spent", probes=("gas",), needs=("estimates",))
@contextmanager
def small_budget(demo: Deployment) -> Iterator[None]:
    """Leave less money than it costs."""
    with edited(demo.target, ("budget_wei = 10000000000000000", "budget_wei = 1000000")):
        yield


@contextmanager
def estimates(demo: Deployment, **changes: Any) -> Iterator[None]:
    """Change the stored estimates."""
    path = demo.world.path("reports", "gas", "estimates.json")
    with tools.json_edited(path, lambda made: made.update(changes)):
        yield


@fault(GAS, "the estimates are of another build", probes=("gas",), needs=("estimates",))
@contextmanager
def estimates_of_another_build(demo: Deployment) -> Iterator[None]:
    """Keep the estimates of the last release."""
    with estimates(demo, artifact_sha256="00" * 32):
        yield


@fault(GAS, "the estimates are old", probes=("gas",), needs=("estimates",))
@contextmanager
def old_estimates(demo: Deployment) -> Iterator[None]:
    """Let the estimates have been made last month."""
    with estimates(demo, made_at=(datetime.now(UTC) - timedelta(days=30)).isoformat()):
        yield


@fault(GAS, "the code is larger than chains take", probes=("gas",), needs=("estimates",))
@contextmanager
def oversized(demo: Deployment) -> Iterator[None]:
    """Build a contract of more than 24 kB."""
    path = demo.world.path("contract", "Token.json")
    larger = "00" * 25_000
    with tools.json_edited(
        path, lambda made: made.update(deployedBytecode=made["deployedBytecode"] + larger)
    ):
        yield


@contextmanager
def explored(demo: Deployment, **switches: Any) -> Iterator[None]:
    """Change what the explorers answer."""
    standins.switch(demo.world, explorer.NAME, **switches)
    try:
        yield
    finally:
        standins.switch(demo.world, explorer.NAME, **dict.fromkeys(switches))


def _of_token(demo: Deployment, **fields: str) -> dict[str, Any]:
    return {deploy.token_address(demo.world).lower(): fields or None}


@fault(VERIFIED, "nobody verified it", probes=("explorer",), needs=("explorer",))
@contextmanager
def unverified(demo: Deployment) -> Iterator[None]:
    """Let neither service know the contract."""
    with explored(demo, etherscan=_of_token(demo), sourcify=_of_token(demo)):
        yield


@fault(VERIFIED, "only one of two services knows it", probes=("explorer",), needs=("explorer",))
@contextmanager
def unknown_to_sourcify(demo: Deployment) -> Iterator[None]:
    """Let Sourcify answer 404 with no match."""
    with explored(demo, sourcify=_of_token(demo)):
        yield


@fault(VERIFIED, "the source of a twin is shown", probes=("explorer",), needs=("explorer",))
@contextmanager
def twin(demo: Deployment) -> Iterator[None]:
    """Let Etherscan show the source that somebody verified for the same bytecode elsewhere."""
    with explored(demo, etherscan=_of_token(demo, SimilarMatch="0x" + "11" * 20)):
        yield


@fault(VERIFIED, "the published ABI is another", probes=("explorer",), needs=("explorer",))
@contextmanager
def other_abi(demo: Deployment) -> Iterator[None]:
    """Publish an ABI without the function that redeems."""
    abi = [entry for entry in artifact()["abi"] if entry.get("name") != "redeem"]
    with explored(demo, etherscan=_of_token(demo, ABI=json.dumps(abi))):
        yield


@fault(VERIFIED, "the published source is another", probes=("explorer",), needs=("explorer",))
@contextmanager
def other_source(demo: Deployment) -> Iterator[None]:
    """Publish a source with one line more."""
    text = explorer.source_of("Token") + "// not in the repository\n"
    with explored(demo, etherscan=_of_token(demo, SourceCode=text)):
        yield


@fault(
    VERIFIED,
    "the rate limit of the explorers is reached",
    probes=("explorer",),
    needs=("explorer",),
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def limited(demo: Deployment) -> Iterator[None]:
    """Let both services ask to come back later."""
    with explored(demo, limited=True):
        yield
