"""The compiled contracts of the tests, and what one's constructor makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from eth.constants import BLANK_ROOT_HASH
from eth_abi import encode

from pytest_deploycheck.demo.evm.machine import Machine, Moment
from pytest_deploycheck.rules.artifact import Artifact, parse

CONTRACTS = Path(__file__).parent / "contracts"
PRICE = 10**12
TREASURY = "0x1111111111111111111111111111111111111111"
OWNER = "0x2222222222222222222222222222222222222222"
LIBRARY = "0x3333333333333333333333333333333333333333"


@cache
def document(name: str = "compiled.json") -> dict[str, Any]:
    """Return what a compiler wrote."""
    loaded: dict[str, Any] = json.loads((CONTRACTS / name).read_text())
    return loaded


def artifact(name: str, file: str = "compiled.json") -> Artifact:
    """Return a contract of the tests."""
    return parse(document(file), name)


def linked(made: Artifact, libraries: Mapping[str, str] | None = None) -> bytes:
    """Return creation code in which the libraries' addresses stand."""
    code = bytearray(made.creation)
    for link in made.links:
        address = (libraries or {}).get(link.name.rpartition(":")[2], LIBRARY)
        for span in link.creation:
            code[span.start : span.start + 20] = bytes.fromhex(address[2:])
    return bytes(code)


def arguments(made: Artifact, *values: Any) -> bytes:
    """Return the constructor's arguments as they follow the creation code."""
    inputs = next((entry["inputs"] for entry in made.abi if entry["type"] == "constructor"), [])
    return encode([one["type"] for one in inputs], values)


def deployed(made: Artifact, *values: Any, libraries: Mapping[str, str] | None = None) -> bytes:
    """Return the runtime code that the constructor returns, by running it."""
    machine = Machine(1)
    moment = Moment(1, 1_700_000_000)
    data = linked(made, libraries) + arguments(made, *values)
    outcome = machine.simulate(BLANK_ROOT_HASH, moment, {"sender": bytes(20), "data": data})
    assert outcome.success, outcome.error
    return outcome.output


def vault(file: str = "compiled.json", price: int = PRICE, treasury: str = TREASURY) -> bytes:
    """Return the runtime code of a vault."""
    return deployed(artifact("Vault", file), price, treasury, OWNER, "Vault")
