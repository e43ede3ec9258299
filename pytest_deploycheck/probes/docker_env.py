"""The environment of the project's containers, for probes that compare it in memory; never for facts.

Use it in a probe that declares `environment_read()` among its reads and `uses={"host": "read"}`:

    for service, containers in environment(connect, docker_facts).items(): ...

The text is that of the docker probe's own read, so it costs the server nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_deploycheck.probes.docker import CONTAINERS, entries
from pytest_deploycheck.probes.docker_containers import container
from pytest_deploycheck.probes.docker_facts import DockerFacts
from pytest_deploycheck.redact import url_parts
from pytest_deploycheck.rules.env_names import is_secret
from pytest_deploycheck.rules.strength import famous
from pytest_deploycheck.transports import Connections


def environment_read() -> str:
    """Return the command that the environment is read out of."""
    return CONTAINERS


def environment(
    connect: Connections, docker: DockerFacts
) -> Mapping[str, tuple[tuple[str, dict[str, str]], ...]]:
    """Return service -> (container, {name: value}) for every container of the project; secrets are learned.

    Every value whose name says that it is a secret, and every credential in an address, is unprintable from
    then on. Raises what reading on the server raises.
    """
    ids = {one.id: one for one in docker.own}
    found: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {}
    for entry in entries(connect.read(CONTAINERS), "docker inspect"):
        one = container(entry)
        if one.id not in ids:
            continue
        pairs = (str(line).partition("=") for line in (entry.get("Config") or {}).get("Env") or ())
        values = {name: value for name, _, value in pairs}
        for name, value in values.items():
            secret = is_secret(name) and not famous(value)
            for part in {value} if secret else url_parts(value):
                connect.learn_secret(part)
        found[one.service] = (*found.get(one.service, ()), (one.label, values))
    return found
