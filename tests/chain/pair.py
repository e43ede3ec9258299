"""Two anvils: one that mines, and one that forks from it where it stands, which makes a second node of it.

pair.settle()      # three blocks more, so that all is final, and the second node caught up
pair.judge(...)    # look at the contract with some probes, and judge one item
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.demo.ether import signing
from pytest_deploycheck.demo.ether.keys import address_of, keccak, key_from_secret
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.target_file import _section
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes import registry
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.verdict import SEVERITY
from tests.chain.build import CONTRACTS, PRICE, arguments, artifact, linked
from tests.faults.harness import Judged, _judge, checks

CHAIN_ID = 31337
DEPLOYER = key_from_secret("chain tests", "deployer")
USER = key_from_secret("chain tests", "user")
TREASURY = "0x1111111111111111111111111111111111111111"
TAG = "0x" + keccak(b"Vault")[:4].hex()
MAINNET = "deploy.contract.mainnet"


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def anvil(*arguments: str, chain_id: int = CHAIN_ID) -> Iterator[Rpc]:
    """Run anvil without accounts of its own; it mines when a transaction comes, and when told."""
    binary = shutil.which("anvil") or str(
        Path(__file__).parents[1] / "demo" / "node" / "node_modules" / ".bin" / "anvil"
    )
    if not Path(binary).exists():
        pytest.skip("anvil is not installed; tests/setup.sh installs it")
    port = free_port()
    command = [binary, "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)]
    command += ["--slots-in-an-epoch", "1", "--accounts", "1", "--quiet", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rpc = Rpc(f"http://127.0.0.1:{port}", timeout_s=10)
    try:
        for _ in range(200):
            try:
                rpc.call("eth_chainId")
                break
            except OSError:
                time.sleep(0.05)
        yield rpc
    finally:
        process.terminate()
        process.wait(10)


def url(rpc: Rpc) -> str:
    """Return where a node is."""
    return rpc._url()


@dataclass
class Pair:
    """Both nodes, what is deployed on them, and the folder of target files."""

    one: Rpc
    two: Rpc
    folder: Path
    addresses: dict[str, str] = field(default_factory=dict)
    transactions: dict[str, str] = field(default_factory=dict)

    def send(self, key: str, to: str | None, data: str, value: int = 0) -> dict[str, Any]:
        """Send a transaction on the first node and return its receipt."""
        self.one.call("anvil_setBalance", address_of(key), hex(10**24))
        return signing.wait(self.one, signing.send(self.one, key, to=to, data=data, value=value))

    def deploy(
        self, name: str, *values: Any, file: str = "compiled.json", key: str = DEPLOYER, as_: str = ""
    ) -> str:
        """Deploy a contract of the tests; returns its address, kept with its transaction under its name."""
        made = artifact(name, file)
        data = "0x" + (linked(made, self.addresses) + arguments(made, *values)).hex()
        receipt = self.send(key, None, data)
        self.addresses[as_ or name] = receipt["contractAddress"]
        self.transactions[as_ or name] = receipt["transactionHash"]
        return str(receipt["contractAddress"])

    def code(self, name: str) -> bytes:
        """Return the code of a deployed contract."""
        return bytes.fromhex(self.one.call("eth_getCode", self.addresses[name], "latest")[2:])

    def mine(self, blocks: int = 3) -> None:
        """Let the first node mine."""
        for _ in range(blocks):
            self.one.call("evm_mine")

    def settle(self) -> None:
        """Make everything final and let the second node catch up."""
        self.mine()
        self.catch_up()

    def catch_up(self) -> None:
        """Let the second node begin anew where the first one stands."""
        self.two.call("anvil_reset", {"forking": {"jsonRpcUrl": url(self.one)}})

    def slot(self, name: str, place: str, value: str) -> None:
        """Write one word of a contract's storage."""
        self.one.call("anvil_setStorageAt", self.addresses[name], place, "0x" + value[2:].rjust(64, "0"))

    def target(self, contract: Mapping[str, Any], **sections: Mapping[str, Any]) -> Path:
        """Write a target file about a contract on both nodes."""
        for file, text in (("one", url(self.one)), ("two", url(self.two))):
            (self.folder / file).write_text(text)
        found: dict[str, dict[str, Any]] = {
            "target": {"name": "chain", "environment": "dev", "base_url": "http://127.0.0.1:1"},
            "rpc": {"url": {"file": "one"}, "application": {"file": "two"}, "own_hosts": ["127.0.0.1"]},
            "contract": {"chain_id": CHAIN_ID, **contract},
        }
        if "url" in sections.get("rpc", {}):
            found["rpc"] = {"own_hosts": ["127.0.0.1"]}  # all nodes are given
        for name, values in sections.items():
            found[name] = {**found.get(name, {}), **values}
        lines = [line for name, values in found.items() for line in _section(name, values)]
        path = self.folder / "target.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def vault(self, **changes: Any) -> dict[str, Any]:
        """Return `[contract]` for the vault, as it was deployed but for the changes."""
        return {
            "address": self.addresses["Vault"],
            "artifact": str(CONTRACTS / "compiled.json"),
            "name": "Vault",
            "deploy_tx": self.transactions["Vault"],
            "deployer": address_of(DEPLOYER),
            "constructor_args": [PRICE, TREASURY, self.addresses["Beacon"], "Vault"],
            "libraries": {"Prices": self.addresses["Prices"]},
            "owner": self.addresses["Beacon"],
            "roles": {"DEFAULT_ADMIN_ROLE": [self.addresses["Beacon"]], "PAUSER_ROLE": []},
            "expected_state": [
                {"call": "name()", "equals": "Vault"},
                {"call": "price()", "equals": str(PRICE)},
                {"call": "tag()(bytes4)", "equals": TAG},
            ],
            **changes,
        }

    def judge(self, contract: Mapping[str, Any], item: str = MAINNET, **sections: Any) -> Judged:
        """Look at a contract, and return the worst verdict of an item's checks."""
        return judge(self.target(contract, **sections), item)


def judge(path: Path, item: str) -> Judged:
    """Look with the probes of an item at a target, and return the worst verdict of its checks."""
    run = Run(load(path))
    mine = [check for check in checks() if item in check.items]
    seen: Mapping[str, Observation] = run.gather(
        {name for check in mine for name in check.probes}, registry()
    )
    found = [_judge(check, run, seen) for check in mine]
    return min(found, key=lambda judged: SEVERITY[judged.verdict])
