"""The web application's script, as its build leaves it behind nginx: the contract's address is built in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_deploycheck.demo.contract.deploy import CHAIN_ID, token_address
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

PATH = "/assets/index-4f1c2a9b.js"


def available() -> str | None:
    """Return None: nginx serves it."""
    return None


def script(world: World) -> Path:
    """Return the script's file."""
    return world.path("nginx", "www", *PATH.strip("/").split("/"))


def daemons(world: World) -> list[Daemon]:
    """Write the script afresh; there is no server of its own."""
    file = script(world)
    for folder in (file.parent.parent, file.parent):
        folder.chmod(0o755)
    file.write_text(
        f'const e="{token_address(world)}",t={CHAIN_ID},n="0x0000000000000000000000000000000000000000";'
        'async function r(e){const t=await fetch(e);if(!t.ok)throw Error("status "+t.status);return t.json()}'
        "export{e as contract,t as chain,n as nobody,r as load};\n"
    )
    file.chmod(0o644)
    return []


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return where else the contract's address is written down."""
    return {
        "contract": {
            "deployments_file": "contract/deployment.json",
            "config_path": "/config",
            "bundle_urls": [world.url("edge") + PATH],
        }
    }
