"""The blackbox exporter: looks at the edge as a user would, over TLS, status and content included."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from pytest_deploycheck.demo import certs, tools
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World

AGENT = "Blackbox Exporter"
# The exporter should look from another network; here it looks from the same machine, and says so.
VANTAGE = "outside-stand-in"


def available() -> str | None:
    """None, or why the exporter is absent here."""
    return tools.missing("blackbox_exporter")


def probed(world: World) -> Mapping[str, str]:
    """Return the addresses that are watched, each with the module that judges it."""
    edge = world.url("edge", "https")
    return {f"{edge}/health": "https_health", f"{edge}/version": "https_2xx"}


def configure(world: World) -> None:
    """Write the configuration, over whatever was there."""
    render("blackbox.yml", world.path("blackbox", "blackbox.yml"), ca=certs.Files.of(world).ca)


def daemon(world: World) -> Daemon:
    """Return the exporter on its port."""
    configure(world)
    home = world.path("blackbox")
    url = world.url("blackbox")
    return Daemon(
        "blackbox",
        [
            tools.path_of("blackbox_exporter"),
            f"--config.file={home / 'blackbox.yml'}",
            f"--web.listen-address=127.0.0.1:{world.port('blackbox')}",
            "--log.level=warn",
        ],
        home=home,
        ready=lambda: tools.answers_200(f"{url}/-/healthy"),
        env={"GOMAXPROCS": "1"},
    )


def reload(world: World, daemon: Daemon) -> None:
    """Make an edited configuration effective."""
    del world
    daemon.signal(signal.SIGHUP)
