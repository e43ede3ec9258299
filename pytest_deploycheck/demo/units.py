"""What a deployment consists of, and what must be up before what."""

from __future__ import annotations

import http.client
import importlib
import importlib.util
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.demo import bugsink, certs, gas_report, schema, testnet
from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.app.accounts import ACCOUNTS
from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.docker import project
from pytest_deploycheck.demo.ether.keys import derive_address
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

_PACKAGE = "pytest_deploycheck.demo"
_HEALTHY_S = 60.0


@dataclass(frozen=True)
class Unit:
    """One part of a deployment: servers described by a module, or a step taken once.

    A module offers `available() -> str | None`, `daemon(world)` or `daemons(world)`, and perhaps
    `reload(world, daemon)`. A unit that is not required is left out where its module says that it is not
    available.
    """

    name: str
    needs: tuple[str, ...] = ()
    module: str = ""
    step: Callable[[World], None] | None = None
    required: bool = True
    forgets: bool = False  # its state is in memory: after a restart, what was done with it is done again

    def load(self) -> Any:
        """Import the module."""
        return importlib.import_module(f"{_PACKAGE}.{self.module}")

    def absent(self) -> str | None:
        """Return None, or why this machine cannot run the unit."""
        reason: str | None = self.load().available() if self.module else None
        return reason

    def daemons(self, world: World) -> list[Daemon]:
        """Write the configuration and describe the servers; none for a step."""
        if not self.module:
            return []
        module = self.load()
        if hasattr(module, "daemons"):
            return list(module.daemons(world))
        return [module.daemon(world)]


def _certificates(world: World) -> None:
    certs.ensure(world)


def _schema(world: World) -> None:
    signer = world.secret("signer_key")
    schema.prepare(world, {one.username: derive_address(signer, one.id) for one in ACCOUNTS})


def _environment(world: World) -> None:
    """Write DIR/app/.env afresh and switch every fault off."""
    for switches in world.dir.glob("*/switches.json"):
        switches.unlink()
    service.env_file(world).unlink(missing_ok=True)
    service.write_env(world, sentry_dsn=bugsink.dsn(world) if bugsink.available() is None else "")


def _contract(world: World) -> None:
    deploy.ensure_deployed(world)


def _rehearsal(world: World) -> None:
    testnet.rehearse(world)


def _estimates(world: World) -> None:
    gas_report.estimate(world)


def _mirror(world: World) -> None:
    number = hex(deploy.ensure_deployed(world).block_number)
    block = Rpc(world.url("rpc")).call("eth_getBlockByNumber", number, False)
    schema.follow_chain(world, block["hash"])


def _containers(world: World) -> None:
    project.up(world)


def healthy(world: World) -> Mapping[str, Any]:
    """Ask /health through the edge, trusting only the deployment's root.

    Returns the answer's body with the HTTP status added as `http_status`; OSError when there is none.
    """
    context = ssl.create_default_context(cafile=str(certs.Files.of(world).ca))
    connection = http.client.HTTPSConnection("localhost", world.port("edge"), timeout=5, context=context)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        body = json.loads(response.read())
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"/health through the edge: {error}") from error
    finally:
        connection.close()
    return {**body, "http_status": response.status}


def _edge_healthy(world: World) -> None:
    deadline = time.monotonic() + _HEALTHY_S
    while True:
        answer: object
        try:
            answer = healthy(world)
            if answer["http_status"] == 200 and answer.get("status") == "ok":
                return
        except OSError as error:
            answer = error
        if time.monotonic() > deadline:
            raise RuntimeError(f"/health through the edge is not ok after {_HEALTHY_S:g} s: {answer}")
        time.sleep(0.05)


UNITS: tuple[Unit, ...] = (
    Unit("certs", step=_certificates),
    Unit("postgres", ("certs",), module="postgres"),
    Unit("schema", ("postgres",), step=_schema),
    Unit("valkey", module="valkey"),
    Unit("rpc", module="chain", forgets=True),
    Unit("contract", ("rpc",), step=_contract),
    Unit("mirror", ("contract", "schema"), step=_mirror),
    Unit("past_orders", ("mirror",), module="past_orders"),
    Unit("testnet", ("rpc",), module="testnet", step=_rehearsal, required=False),
    Unit("estimates", ("contract",), module="gas_report", step=_estimates, required=False),
    # The apps take longest to import; they wait for their database themselves.
    Unit("environment", ("certs",), step=_environment),
    Unit("apps", ("environment",), module="app.service"),
    Unit("nginx", ("certs",), module="nginx"),
    Unit("edge", ("nginx", "apps", "valkey", "mirror"), step=_edge_healthy),
    Unit("traffic", ("edge",), module="traffic"),
    Unit("standins", ("environment",), module="standins", required=False),
    Unit("explorer", ("standins",), module="explorer", required=False),
    Unit("alertmanager", module="alertmanager", required=False),
    Unit("prometheus", module="prometheus", required=False),
    Unit("exporters", ("certs",), module="exporters", required=False),
    Unit("blackbox", ("certs",), module="blackbox", required=False),
    Unit("shipper", ("standins",), module="shipper", required=False),
    Unit("bugsink", ("apps",), module="bugsink", required=False),
    Unit("repository", module="repository", required=False),
    Unit("docker", module="docker.engine", required=False, forgets=True),
    Unit("containers", ("docker", "environment"), module="docker.project", step=_containers, required=False),
    Unit("registry", module="registry", required=False),
    Unit("web", module="web"),
    Unit("api_keys", ("standins", "bugsink"), module="api_keys", required=False),
    Unit("reports", ("apps",), module="reports", required=False),
    Unit("triggers", ("standins",), module="triggers", required=False),
    # After the mirror, which locks tables in another order than a dump does.
    Unit("backup", ("mirror",), module="backup", required=False),
    Unit("rollback", ("contract", "nginx"), module="rollback", required=False),
    Unit("people", ("contract", "reports", "schema", "rollback"), module="people", required=False),
    Unit("recovery", ("backup", "people", "repository"), module="recovery", required=False),
    Unit("final", ("prometheus", "alertmanager"), module="final", required=False),
    Unit("mobile", ("people", "edge", "standins"), module="mobile", required=False),
    Unit("code_reports", module="code_reports", required=False),
    Unit(
        "reviews",
        ("people", "prometheus", "alertmanager", "standins", "repository", "past_orders"),
        module="reviews",
        required=False,
    ),
    Unit("server", ("certs",), module="server.sshd", required=False),
    Unit("dns", module="dns", required=False),
    Unit("wall", ("server", "nginx"), module="wall", required=False),
)


def with_needs(names: tuple[str, ...]) -> tuple[Unit, ...]:
    """Return the units of these names and all that they need; KeyError for a name that is none."""
    by_name = {unit.name: unit for unit in UNITS}
    wanted: set[str] = set()

    def add(name: str) -> None:
        if name not in by_name:
            raise KeyError(f"no unit {name!r}; there are: {', '.join(by_name)}")
        if name not in wanted:
            wanted.add(name)
            for need in by_name[name].needs:
                add(need)

    for name in names:
        add(name)
    return tuple(unit for unit in UNITS if unit.name in wanted)
