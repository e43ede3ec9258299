"""Stand-in for the places where contracts' sources are published: Etherscan's API V2, and Sourcify's.

Built from their documented bodies: Etherscan answers 200 whatever happens, with `status` "0" and `NOTOK` for
what it refuses; Sourcify answers 404 with `match: null` for a contract that it does not know. It holds the
sources of the demo's two contracts, and one key.

DIR/explorer/switches.json: `down` closes the port, `status` answers that to everything, `limited` says that
the rate limit is reached; `etherscan` and `sourcify` map an address (lower case) to fields of its entry that
are answered instead, or to null for a contract that is not there.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from pytest_deploycheck.demo import contract
from pytest_deploycheck.demo.contract import GUARDIANS, PRICE_WEI, TOKEN
from pytest_deploycheck.demo.contract.deploy import CHAIN_ID, guardian_keys, owner_address, token_address
from pytest_deploycheck.demo.ether import abi
from pytest_deploycheck.demo.ether.keys import address_of, to_checksum
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.standin_http import Listener, Request, Response, Switches, method_not_allowed
from pytest_deploycheck.demo.world import World

NAME = "explorer"
LABEL = "etherscan-sourcify"
KEY = "explorer_key"  # the secret's name
CHAINS = (1, 11155111, CHAIN_ID)
UNVERIFIED = "Contract source code not verified"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_V1 = (
    "You are using a deprecated V1 endpoint, switch to Etherscan API V2 using "
    "https://docs.etherscan.io/v2-migration"
)
_CHAIN = "Missing or unsupported chainid parameter (required for v2 api)"
_LIMIT = "Max calls per sec rate limit reached (3/sec)"
_MATCHES = ("match", "creationMatch", "runtimeMatch")


class Explorer:
    """Answers for both services by the path: /v2/api, /api (the dead V1), /server/v2/contract/CHAIN/ADDRESS."""

    def __init__(self, world: World) -> None:
        self._key = world.secret(KEY)
        self._switches = Switches(world.path(NAME, "switches.json"))
        self._published = {
            (CHAIN_ID, token_address(world).lower()): (
                TOKEN,
                abi.encode(PRICE_WEI, owner_address(world)).hex(),
            ),
            (CHAIN_ID, owner_address(world).lower()): (
                GUARDIANS,
                abi.encode(*map(address_of, guardian_keys(world))).hex(),
            ),
        }

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if request.method not in ("GET", "HEAD"):
            return method_not_allowed("GET")
        if status := self._switches.get("status"):
            return Response({"message": "refused by switch"}, int(status))
        if request.path == "/v2/api":
            return Response(self._etherscan(request))
        if request.path == "/api":
            return Response(_not_ok(_V1))
        found = re.fullmatch(r"/server/v2/contract/(\d+)/([^/]+)", request.path)
        if found:
            return self._sourcify(int(found[1]), found[2], request.first("fields"))
        return Response({"message": f"no such path: {request.path}"}, 404)

    def _etherscan(self, request: Request) -> dict[str, Any]:
        chain = request.first("chainid")
        if not chain.isdigit() or int(chain) not in CHAINS:
            return _not_ok(_CHAIN)
        if self._switches.get("limited"):
            return _not_ok(_LIMIT)
        if not request.first("apikey"):
            return _not_ok("Missing/Invalid API Key")
        if request.first("apikey") != self._key:
            return _not_ok("Invalid API Key (#err2)")
        asked = (request.first("module"), request.first("action"))
        if asked == ("stats", "ethsupply"):
            return _ok("120704120000000000000000000")
        if asked != ("contract", "getsourcecode"):
            return _not_ok("Error! Missing Or invalid Action name")
        address = request.first("address")
        if not _ADDRESS.fullmatch(address):
            return _not_ok("Invalid Address format")
        return _ok([self._entry(int(chain), address.lower())])

    def _entry(self, chain: int, address: str) -> dict[str, str]:
        changed = self._switches.get("etherscan", {})
        published = self._published.get((chain, address))
        if published is None or changed.get(address, {}) is None:
            return etherscan_entry(None)
        return {**etherscan_entry(*published), **changed.get(address, {})}

    def _sourcify(self, chain: int, address: str, fields: str) -> Response:
        if chain not in CHAINS:
            return Response(
                _problem("unsupported_chain", f"The chain with chainId {chain} is not supported"), 400
            )
        if not _ADDRESS.fullmatch(address):
            return Response(_problem("invalid_parameter", f"Invalid address: {address}"), 400)
        if self._switches.get("limited"):
            return Response(_problem("too_many_requests", "Too many requests"), 429)
        changed = self._switches.get("sourcify", {})
        published = self._published.get((chain, address.lower()))
        head = {"chainId": str(chain), "address": to_checksum(address)}
        if published is None or changed.get(address.lower(), {}) is None:
            return Response({**dict.fromkeys(_MATCHES), **head}, 404)
        whole = {**sourcify_entry(published[0]), **head, **changed.get(address.lower(), {})}
        wanted = {*fields.split(","), *_MATCHES, *head, "verifiedAt", "matchId"}
        return Response({name: value for name, value in whole.items() if "all" in wanted or name in wanted})


def source_of(name: str) -> str:
    """Return the Solidity source of one of the demo's contracts."""
    return files("pytest_deploycheck.demo.contract").joinpath(f"{name}.sol").read_text()


def etherscan_entry(name: str | None, arguments: str = "") -> dict[str, str]:
    """Return an entry of `getsourcecode`; without a name that of a contract which nobody has verified."""
    if name is None:
        return {
            **dict.fromkeys(_FIELDS, ""),
            "ABI": UNVERIFIED,
            "EVMVersion": "Default",
            "LicenseType": "Unknown",
            "Proxy": "0",
        }
    made = contract.artifact(name)
    optimizer = made["compiler"]["optimizer"]
    return {
        **dict.fromkeys(_FIELDS, ""),
        "SourceCode": source_of(name),
        "ABI": json.dumps(made["abi"], separators=(",", ":")),
        "ContractName": name,
        "CompilerVersion": "v" + _version(made),
        "CompilerType": "Solc",
        "OptimizationUsed": str(int(optimizer["enabled"])),
        "Runs": str(optimizer["runs"]),
        "ConstructorArguments": arguments,
        "EVMVersion": made["compiler"]["evmVersion"],
        "LicenseType": "MIT",
        "Proxy": "0",
    }


def sourcify_entry(name: str) -> dict[str, Any]:
    """Return what Sourcify tells of a contract that it verified exactly, with every field that we serve."""
    made = contract.artifact(name)
    file = made["sourceName"]
    return {
        **dict.fromkeys(_MATCHES, "exact_match"),
        "verifiedAt": "2026-11-20T09:30:00Z",
        "matchId": "1",
        "abi": made["abi"],
        "sources": {file: {"content": source_of(name)}},
        "compilation": {
            "language": "Solidity",
            "compiler": "solc",
            "compilerVersion": _version(made),
            "compilerSettings": {
                "optimizer": made["compiler"]["optimizer"],
                "evmVersion": made["compiler"]["evmVersion"],
            },
            "name": name,
            "fullyQualifiedName": f"{file}:{name}",
        },
        "proxyResolution": {"isProxy": False, "proxyType": None, "implementations": []},
    }


_FIELDS = (
    *("SourceCode", "ABI", "ContractName", "CompilerVersion", "CompilerType", "OptimizationUsed", "Runs"),
    *("ConstructorArguments", "EVMVersion", "Library", "ContractFileName", "LicenseType", "Proxy"),
    *("Implementation", "SwarmSource", "SimilarMatch"),
)


def _version(made: dict[str, Any]) -> str:
    found = re.match(r"\d+\.\d+\.\d+\+commit\.[0-9a-f]+", made["compiler"]["version"])
    return found[0] if found else str(made["compiler"]["version"])


def _ok(result: Any) -> dict[str, Any]:
    return {"status": "1", "message": "OK", "result": result}


def _not_ok(result: str) -> dict[str, Any]:
    return {"status": "0", "message": "NOTOK", "result": result}


def _problem(code: str, message: str) -> dict[str, str]:
    return {"customCode": code, "message": message, "errorId": "00000000-0000-4000-8000-000000000000"}


def etherscan_url(world: World) -> str:
    """Return the base of Etherscan's API V2."""
    return f"{world.url(NAME)}/v2/api"


def sourcify_url(world: World) -> str:
    """Return the base of Sourcify's server."""
    return f"{world.url(NAME)}/server"


def available() -> str | None:
    """Return None: this needs nothing but Python."""
    return None


def daemons(world: World) -> list[Daemon]:
    """Return no process of its own: the stand-ins' serves it."""
    return []


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return `[explorer]` of the target file, and what stands in for what."""
    world.secret(KEY)
    return {
        "explorer": {
            "etherscan_url": etherscan_url(world),
            "etherscan_key": {"file": f"secrets/{KEY}"},
            "sourcify_url": sourcify_url(world),
        },
        "standins": {NAME: "Etherscan and Sourcify: documented answers about the demo's own contracts"},
    }


def listener(world: World) -> Listener:
    """Return both services on their port."""
    return Listener(world.port(NAME), Explorer(world), LABEL)
