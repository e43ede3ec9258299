"""Transports: the only ways to a target, each read-only by construction, budgeted, ledgered, redacting.

`Connections` and `Wire` are imported when they are asked for: what only parses answers needs no client library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_deploycheck.transports.connections import Connections
    from pytest_deploycheck.transports.wire import Wire

__all__ = ["Connections", "Wire"]


def __getattr__(name: str) -> Any:
    """Import one of the two at its first use."""
    if name in __all__:
        return getattr(import_module(f"{__name__}.{name.lower()}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
