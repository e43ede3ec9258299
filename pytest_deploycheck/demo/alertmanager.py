"""Alertmanager: routes alerts by severity to the pager, the tickets, the canary and the dead man's switch.

DIR/alertmanager/alertmanager.yml is what it runs on; after an edit, `reload` (SIGHUP) makes it effective.
"""

from __future__ import annotations

import signal

from pytest_deploycheck.demo import tools
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World


def available() -> str | None:
    """None, or why Alertmanager is absent here."""
    return tools.missing("alertmanager")


def configure(world: World) -> None:
    """Write the configuration, over whatever was there."""
    render("alertmanager.yml", world.path("alertmanager", "alertmanager.yml"), webhook=world.url("webhook"))


def daemon(world: World) -> Daemon:
    """Return the server, alone in its cluster."""
    configure(world)
    home = world.path("alertmanager")
    url = world.url("alertmanager")
    return Daemon(
        "alertmanager",
        [
            tools.path_of("alertmanager"),
            f"--config.file={home / 'alertmanager.yml'}",
            f"--storage.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{world.port('alertmanager')}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ],
        home=home,
        ready=lambda: tools.answers_200(f"{url}/-/ready"),
        env={"GOMAXPROCS": "1"},
    )


def reload(world: World, daemon: Daemon) -> None:
    """Make an edited configuration effective; a broken file leaves the old one in force."""
    del world
    daemon.signal(signal.SIGHUP)
