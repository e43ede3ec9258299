"""How often a whole run goes to a server."""

from __future__ import annotations

import pytest

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.probes import registry
from pytest_deploycheck.target import load
from pytest_deploycheck.transports.shell import Done, Shell
from tests.faults.harness import look


def test_three_commands_a_server(demo: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is read at once is one command; a second look at the host and one at the containers are the others."""
    ran: dict[str, list[str]] = {}
    run = Shell.run

    def counted(self: Shell, command: str, timeout: float) -> Done:
        ran.setdefault(self.uri, []).append(command[-200:])
        return run(self, command, timeout)

    monkeypatch.setattr(Shell, "run", counted)
    reading = tuple(name for name, one in registry().items() if "host" in one.uses)
    assert len(reading) > 20
    look(load(demo.target), reading)
    assert ran and max(map(len, ran.values())) <= 3, ran
