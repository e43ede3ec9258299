"""Transports: the only ways to a target, each read-only by construction, budgeted, ledgered, redacting."""

from pytest_deploycheck.transports.connections import Connections, Wire

__all__ = ["Connections", "Wire"]
