"""The services of others that the application has keys for: all stand-ins, but for the error tracker."""

from __future__ import annotations

from typing import Any

from pytest_deploycheck.demo import bugsink, explorer
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World


def available() -> str | None:
    """Return None: other units serve them."""
    return None


def daemons(world: World) -> list[Daemon]:
    """Return no process of its own."""
    return []


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return `[api_keys]`: each key and how to ask about it."""
    keys = [
        {
            "name": "Etherscan",
            "env_key": "ETHERSCAN_API_KEY",
            "kind": "etherscan",
            "url": explorer.etherscan_url(world),
        },
        {"name": "Grafana", "env_key": "GRAFANA_TOKEN", "kind": "grafana", "url": world.url("grafana")},
        {"name": "the pager", "env_key": "PAGER_API_KEY", "kind": "pagerduty", "url": world.url("webhook")},
    ]
    if bugsink.available() is None:
        keys.append(
            {
                "name": "the error tracker",
                "env_key": "SENTRY_AUTH_TOKEN",
                "kind": "bugsink",
                "url": world.url("bugsink"),
            }
        )
    return {"api_keys": {"keys": keys}}
