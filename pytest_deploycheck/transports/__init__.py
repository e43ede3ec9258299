"""Transports: the only ways to a target, each read-only by construction, budgeted, ledgered, redacting."""

from pytest_deploycheck.transports.connections import Connections
from pytest_deploycheck.transports.wire import Wire

__all__ = ["Connections", "Wire"]
