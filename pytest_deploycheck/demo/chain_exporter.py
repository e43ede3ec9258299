"""A small exporter that watches the chain without the application's help, so that its alerts outlive the app.

It reads DIR/chain_exporter/config.json (`rpc_url`, `contract`, `signer`) at every scrape. With a dead node it
reports `chain_up 0` and nothing else; before the contract is deployed it says nothing about the contract.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from threading import Lock
from typing import Any

from pytest_deploycheck.demo.standin_http import Listener, Request, Response, Switches
from pytest_deploycheck.demo.world import World

_TIMEOUT_S = 3.0
_PAUSED = "0x5c975abb"  # paused()
# keccak256 of the events that an administrator causes
ADMIN_EVENTS = {
    "0x62e78cea01bee320cd4e420270b5ea74000d11b0c9f74754ebdbfc544b05a258": "Paused",
    "0x5db9ee0a495bf2e6ff9c91a7834c1ba4fdd244a5e8aa4e537bd38aeae4b073aa": "Unpaused",
    "0x8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0": "OwnershipTransferred",
    "0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b": "Upgraded",
    "0x2f8788117e7eff1d82e926ec794901d17c78024a50270940304540a733656f0d": "RoleGranted",
}
_HELP = {
    "chain_up": "Whether the node answered.",
    "chain_id": "Chain id of the node.",
    "chain_head_block": "Number of the newest block.",
    "chain_head_timestamp_seconds": "Unix time of the newest block.",
    "chain_signer_balance_wei": "Native balance of the signing account.",
    "chain_signer_pending_transactions": "Transactions of the signing account that wait for a block.",
    "chain_contract_paused": "Whether the contract refuses transfers.",
    "chain_contract_admin_events_total": "Administrative events of the contract, by name.",
}


def configure(world: World) -> None:
    """Tell the exporter what to watch: the token, whose address is known beforehand, and the signer."""
    # Imported here: the exporter itself runs in a process that must start fast.
    from pytest_deploycheck.demo.contract.deploy import token_address
    from pytest_deploycheck.demo.ether.keys import address_of

    config = {
        "rpc_url": world.url("rpc"),
        "contract": token_address(world),
        "signer": address_of(world.secret("signer_key")),
    }
    world.path("chain_exporter", "config.json").write_text(json.dumps(config, indent=2) + "\n")


class ChainExporter:
    """Turns a handful of JSON-RPC reads into a metrics page."""

    def __init__(self, world: World) -> None:
        self._config = Switches(world.path("chain_exporter", "config.json"))
        self._lock = Lock()
        self._scanned = -1
        self._contract = ""
        self._events = dict.fromkeys(ADMIN_EVENTS.values(), 0)

    def __call__(self, request: Request) -> Response:
        """Serve /metrics."""
        if request.path != "/metrics":
            return Response("404 page not found\n", 404)
        with self._lock:
            try:
                values = self._read()
            except (OSError, ValueError, KeyError, TypeError):
                values = {"chain_up": 0}
        lines = []
        for name, value in values.items():
            lines.append(f"# HELP {name} {_HELP[name]}")
            lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
            if isinstance(value, dict):
                lines += [f'{name}{{event="{event}"}} {count}' for event, count in value.items()]
            else:
                lines.append(f"{name} {value}")
        return Response("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")

    def _read(self) -> dict[str, Any]:
        config = self._config.read()
        url, contract, signer = config["rpc_url"], config["contract"], config["signer"]
        block, chain_id, balance, mined, pending, paused = _rpc(
            url,
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_chainId", []),
            ("eth_getBalance", [signer, "latest"]),
            ("eth_getTransactionCount", [signer, "latest"]),
            ("eth_getTransactionCount", [signer, "pending"]),
            ("eth_call", [{"to": contract, "data": _PAUSED}, "latest"]),
        )
        head = int(block["number"], 16)
        self._scan(url, contract, head)
        values = {
            "chain_up": 1,
            "chain_id": int(chain_id, 16),
            "chain_head_block": head,
            "chain_head_timestamp_seconds": int(block["timestamp"], 16),
            "chain_signer_balance_wei": int(balance, 16),
            "chain_signer_pending_transactions": int(pending, 16) - int(mined, 16),
            "chain_contract_admin_events_total": dict(self._events),
        }
        if paused != "0x":  # there is code at the address
            values["chain_contract_paused"] = int(paused, 16)
        return values

    def _scan(self, url: str, contract: str, head: int) -> None:
        """Count the administrative events of the blocks that came since the last scrape."""
        if contract != self._contract or head < self._scanned:
            self._contract, self._scanned = contract, -1
            self._events = dict.fromkeys(ADMIN_EVENTS.values(), 0)
        if head == self._scanned:
            return
        window = {
            "address": contract,
            "topics": [list(ADMIN_EVENTS)],
            "fromBlock": hex(self._scanned + 1),
            "toBlock": hex(head),
        }
        for log in _rpc(url, ("eth_getLogs", [window]))[0]:
            name = ADMIN_EVENTS[log["topics"][0]]
            # Ownership that comes from nobody is the deployment itself.
            if name != "OwnershipTransferred" or int(log["topics"][1], 16) != 0:
                self._events[name] += 1
        self._scanned = head


def _rpc(url: str, *calls: tuple[str, Sequence[Any]]) -> list[Any]:
    """Return the results of a batch in the order of its calls; ValueError when one of them failed."""
    batch = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
        for number, (method, params) in enumerate(calls)
    ]
    request = urllib.request.Request(  # noqa: S310 - the node's address is configured
        url, json.dumps(batch).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310
        answers = {answer["id"]: answer for answer in json.load(reply)}
    failed = next((answer["error"] for answer in answers.values() if "error" in answer), None)
    if failed is not None:
        raise ValueError(f"{url} refused a call: {failed}")
    return [answers[number]["result"] for number in range(len(calls))]


def listener(world: World) -> Listener:
    """Return the exporter on its port; it stands in for nothing."""
    return Listener(world.port("chain_exporter"), ChainExporter(world))
