"""One deployment, one fault after another: what `forge verify-bytecode` says, and what our check says.

    npm install --prefix DIR @foundry-rs/forge@1.7.1 solc@0.8.37
    python benchmarks/bytecode/compare.py --tools DIR/node_modules

Both look at the demo's token on an anvil (tests/setup.sh installs it), with the same source, arguments and
explorer; the explorer is a server in this process that gives Foundry what it asks Etherscan for.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from pytest_deploycheck.demo.contract import GUARDIANS, PRICE_WEI, artifact  # noqa: E402
from pytest_deploycheck.demo.ether import abi  # noqa: E402
from pytest_deploycheck.demo.ether.keys import address_of  # noqa: E402
from pytest_deploycheck.verdict import Verdict  # noqa: E402
from tests.chain.pair import DEPLOYER, Pair, anvil, url  # noqa: E402
from tests.probes.service import Asked, Reply, serving  # noqa: E402

SOLC = """#!/usr/bin/env node
const solc = require("%s/solc");
if (process.argv.includes("--version")) {
  console.log("solc, the solidity compiler commandline interface");
  console.log("Version: " + solc.version().replace(".Emscripten.clang", ".Linux.g++"));
} else process.stdout.write(solc.compile(require("fs").readFileSync(0, "utf8")));
"""
FOUNDRY = """[profile.default]
src = "src"
out = "out"
solc = "{solc}"
evm_version = "shanghai"
optimizer = true
optimizer_runs = 200
offline = true
"""


@dataclass
class Case:
    """One state of the chain: how it is made, and whether the deployment is sound in it."""

    name: str
    sound: bool
    make: Callable[[Bench], None] = lambda bench: None
    explorer: bool = True


class Bench:
    """The pair of nodes, the Foundry project and the explorer."""

    def __init__(self, pair: Pair, tools: Path) -> None:
        self.pair, self.tools = pair, tools
        self.project = pair.folder / "project"
        (self.project / "src").mkdir(parents=True)
        self.source = (ROOT / "pytest_deploycheck/demo/contract/Token.sol").read_text()
        (self.project / "src" / "Token.sol").write_text(self.source)
        solc = pair.folder / "solc"
        solc.write_text(SOLC % tools.absolute())
        solc.chmod(0o755)
        (self.project / "foundry.toml").write_text(FOUNDRY.format(solc=solc))
        self.arguments = abi.encode(PRICE_WEI, pair.addresses["Beacon"]).hex()
        self.answers = True

    def deploy(self, code: str, arguments: str) -> None:
        """Deploy the token."""
        receipt = self.pair.send(DEPLOYER, None, code + arguments)
        self.pair.addresses["Token"] = receipt["contractAddress"]
        self.pair.transactions["Token"] = receipt["transactionHash"]

    def set_code(self, code: bytes) -> None:
        """Write code to where the token is."""
        self.pair.one.call("anvil_setCode", self.pair.addresses["Token"], "0x" + code.hex())

    def answer(self, asked: Asked) -> Reply:
        """Answer as Etherscan does."""
        action = asked.query.get("action", [""])[0]
        if not self.answers:
            limit = "Max calls per sec rate limit reached (3/sec)"
            return Reply(body={"status": "0", "message": "NOTOK", "result": limit})
        sources = {"src/Token.sol": {"content": self.source}}
        settings = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "shanghai"}
        code = json.dumps({"language": "Solidity", "sources": sources, "settings": settings})
        entries: dict[str, dict[str, Any]] = {
            "getcontractcreation": {
                "contractAddress": self.pair.addresses["Token"],
                "contractCreator": address_of(DEPLOYER),
                "txHash": self.pair.transactions["Token"],
            },
            "getsourcecode": {
                **dict.fromkeys(("Library", "LicenseType", "Implementation", "SwarmSource"), ""),
                "SourceCode": "{" + code + "}",
                "ABI": json.dumps(artifact()["abi"]),
                "ContractName": "Token",
                "CompilerVersion": "v0.8.37+commit.f401782d",
                "OptimizationUsed": "1",
                "Runs": "200",
                "ConstructorArguments": self.arguments,
                "EVMVersion": "shanghai",
                "Proxy": "0",
            },
        }
        return Reply(body={"status": "1", "message": "OK", "result": [entries[action]]})

    def forge(self, explorer: str) -> tuple[int, str, float]:
        """Return forge's exit status, what it says of both codes, and the seconds that it took."""
        command = [
            str(self.tools / ".bin" / "forge"),
            "verify-bytecode",
            self.pair.addresses["Token"],
            "Token",
        ]
        command += [
            "--rpc-url",
            url(self.pair.one),
            "--verifier",
            "custom",
            "--verifier-url",
            f"{explorer}/api",
        ]
        command += ["--verifier-api-key", "k", "--etherscan-api-key", "k"]
        command += ["--encoded-constructor-args", self.arguments]
        began = time.monotonic()
        done = subprocess.run(command, cwd=self.project, capture_output=True, text=True, timeout=300)
        took = time.monotonic() - began
        text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        lines = [line.strip() for line in text.splitlines() if re.search(r"(?i)match|error|fail|panic", line)]
        return done.returncode, "; ".join(lines)[:160], took

    def ours(self) -> tuple[Verdict, str, float]:
        """Return our verdict of the item, its sentence, and the seconds that it took."""
        contract = {
            "address": self.pair.addresses["Token"],
            "artifact": str(ROOT / "pytest_deploycheck/demo/contract/Token.json"),
            "deploy_tx": self.pair.transactions["Token"],
            "deployer": address_of(DEPLOYER),
            "constructor_args": [PRICE_WEI, self.pair.addresses["Beacon"]],
            "owner": self.pair.addresses["Beacon"],
            "expected_state": [{"call": "symbol()", "equals": "DEMO"}],
        }
        self.pair.settle()
        began = time.monotonic()
        found = self.pair.judge(contract)
        return found.verdict, found.message[:160], time.monotonic() - began


def _patched(bench: Bench, at: int) -> bytes:
    code = bytearray(bench.pair.code("Token"))
    code[at] ^= 1
    return bytes(code)


def _immutable(bench: Bench) -> bytes:
    code = bytearray(bench.pair.code("Token"))
    for spans in artifact()["immutableReferences"].values():
        for span in spans:
            code[span["start"] + span["length"] - 1] ^= 1
    return bytes(code)


def _with_other_arguments(bench: Bench) -> None:
    bench.deploy(artifact()["bytecode"], abi.encode(PRICE_WEI + 1, bench.pair.addresses["Beacon"]).hex())


def _with_another_comment(bench: Bench) -> None:
    code = bytes.fromhex(artifact()["bytecode"][2:])
    # The hash in the metadata is all that a comment changes.
    changed = code[:-30] + bytes([code[-30] ^ 1]) + code[-29:]
    bench.deploy("0x" + changed.hex(), bench.arguments)


CASES = (
    Case("sound", True),
    Case("another comment: metadata only", True, _with_another_comment),
    Case("explorer's rate limit reached", True, explorer=False),
    Case("one opcode", False, lambda bench: bench.set_code(_patched(bench, 1700))),
    Case("an immutable in the code", False, lambda bench: bench.set_code(_immutable(bench))),
    Case("a constructor's argument", False, _with_other_arguments),
    Case(
        "another artifact",
        False,
        lambda bench: bench.set_code(bytes.fromhex(artifact(GUARDIANS)["deployedBytecode"][2:])),
    ),
    Case("no code", False, lambda bench: bench.set_code(b"")),
    Case(
        "a delegated account (EIP-7702)",
        False,
        lambda bench: bench.set_code(b"\xef\x01\x00" + bytes(19) + b"\x09"),
    ),
    Case(
        "the owner is one key",
        False,
        lambda bench: bench.pair.slot("Token", "0x0", address_of(DEPLOYER)),
    ),
    Case("paused", False, lambda bench: bench.pair.slot("Token", "0x0", "0x01" + bench.arguments[-40:])),
)


def main() -> None:
    """Print one row for each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tools", type=Path, required=True, help="node_modules with forge and solc")
    tools = parser.parse_args().tools
    folder = Path(tempfile.mkdtemp(prefix="deploycheck-bytecode-"))
    with anvil() as one, anvil("--fork-url", url(one)) as two:
        pair = Pair(one, two, folder)
        pair.deploy("Upgradeable", True)
        pair.deploy("Beacon", pair.addresses["Upgradeable"], pair.addresses["Upgradeable"])
        bench = Bench(pair, tools)
        bench.deploy(artifact()["bytecode"], bench.arguments)
        print("| case | sound | forge says | its status | s | ours | ours says | s |")
        print("|---|---|---|---|---|---|---|---|")
        with serving(bench.answer) as explorer:
            bench.forge(explorer)  # compiles
            for case in CASES:
                snapshot, known = one.call("evm_snapshot"), dict(pair.addresses)
                hashes = dict(pair.transactions)
                case.make(bench)
                bench.answers = case.explorer
                pair.settle()
                status, says, forge_s = bench.forge(explorer)
                verdict, sentence, ours_s = bench.ours()
                print(
                    f"| {case.name} | {'yes' if case.sound else 'no'} | {says} | {status} | {forge_s:.1f} "
                    f"| {verdict} | {sentence} | {ours_s:.2f} |",
                    flush=True,
                )
                pair.addresses.update(known)
                pair.transactions.update(hashes)
                one.call("evm_revert", snapshot)


if __name__ == "__main__":
    main()
