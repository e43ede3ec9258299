"""One light process for every stand-in and small exporter of the demo: `python -m ….standins DIR`.

Each listens on a port of its own; DIR/NAME/switches.json with {"down": true} closes that port within a tenth
of a second, and any other value opens it again.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import (
    cadvisor,
    chain_exporter,
    explorer,
    grafana,
    issues,
    journeys,
    loki,
    pager,
    runbooks,
    stores,
)
from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.demo.standin_http import Listener, Switches
from pytest_deploycheck.demo.world import World

NAMES = (
    "webhook",
    "cadvisor",
    "grafana",
    "loki",
    "runbooks",
    "chain_exporter",
    "explorer",
    "journeys",
    "issues",
    "stores",
)
_POLL_S = 0.1


def available() -> str | None:
    """Return None: this needs nothing but Python."""
    return None


def daemon(world: World) -> Daemon:
    """Return the process; every configuration file it reads is written here."""
    chain_exporter.configure(world)
    grafana.configure(world)
    loki.configure(world)
    runbooks.configure(world)
    issues.configure(world)
    ports = [world.port(name) for name in NAMES]
    for name in NAMES:
        world.path(name, "switches.json")
    return Daemon(
        "standins",
        [sys.executable, "-m", "pytest_deploycheck.demo.standins", world.dir],
        home=world.path("standins"),
        log=world.path("logs", "standins.log"),
        ready=lambda: all(answers(port) for port in ports),
    )


def switch(world: World, name: str, **values: Any) -> None:
    """Change switches of one stand-in; None removes a switch."""
    path = world.path(name, "switches.json")
    kept = json.loads(path.read_text()) if path.exists() else {}
    kept = {key: value for key, value in {**kept, **values}.items() if value is not None}
    scratch = path.with_suffix(".json.new")
    scratch.write_text(json.dumps(kept, indent=2) + "\n")
    scratch.replace(path)


def serve(world: World, ended: threading.Event) -> None:
    """Serve until `ended` is set, obeying the `down` switches."""
    listeners: dict[str, tuple[Listener, Switches]] = {
        name: (listener, Switches(world.path(name, "switches.json")))
        for name, listener in (
            ("webhook", pager.listener(world)),
            ("cadvisor", cadvisor.listener(world)),
            ("grafana", grafana.listener(world)),
            ("loki", loki.listener(world)),
            ("runbooks", runbooks.listener(world)),
            ("chain_exporter", chain_exporter.listener(world)),
            ("explorer", explorer.listener(world)),
            ("stores", stores.listener(world)),
            ("journeys", journeys.listener(world)),
            ("issues", issues.listener(world)),
        )
    }
    while True:
        for listener, switches in listeners.values():
            down = switches.get("down") is True
            if listener.open and down:
                listener.stop()
            elif not listener.open and not down:
                listener.start()
        if ended.wait(_POLL_S):
            return


def main(directory: str) -> None:
    """Run until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    serve(World.load(Path(directory)), ended)


if __name__ == "__main__":
    main(sys.argv[1])
