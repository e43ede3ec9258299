"""Whether what runs has the values of the environment file: its containers, or units of systemd since their start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import Dead, Reads, probe
from pytest_deploycheck.probes import env, env_units
from pytest_deploycheck.probes.docker import CONTAINERS, entries
from pytest_deploycheck.probes.docker_containers import container
from pytest_deploycheck.probes.env_file import expected, state
from pytest_deploycheck.probes.env_units import Unit
from pytest_deploycheck.rules.env_types import judge
from pytest_deploycheck.rules.placeholders import placeholder

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.shell import Done

FED = 0.5
"""A container with this share of the file's keys is one that the file is given to (own)."""


@dataclass(frozen=True)
class Loaded:
    """One container, without a value.

    fed: the file is given to it, so that it must have every key.  shared: keys of the file that it has.
    differ: those with another value.  missing: keys that it lacks although the file is given to it.
    wrong: (key, what is wrong) of every key that the file's rules judge, whoever set it.
    """

    service: str
    container: str
    fed: bool
    shared: tuple[str, ...]
    differ: tuple[str, ...]
    missing: tuple[str, ...]
    wrong: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class EnvLoadedFacts:
    """Every running container with a key of the file, or every unit that env.units names.

    modified_at: when the file was last written, UTC ISO 8601; empty where a secrets manager renders it.
    named: services that must have every key (env.container_services); absent: those of them that do not run.
    looked: how many running containers were looked at.
    """

    path: str
    modified_at: str
    named: tuple[str, ...]
    absent: tuple[str, ...]
    looked: int
    loaded: tuple[Loaded, ...]
    units: tuple[Unit, ...]


def reads(target: Target) -> Reads:
    """Return the file's reads and those of what runs."""
    running = env_units.reads(target).main or (CONTAINERS,)
    return Reads(main=(*env.reads(target).main, *env.stat_reads(target).main, *running))


@probe(
    facts=EnvLoadedFacts,
    deadline=20,
    needs=("ssh_gate",),
    after=("docker_gate",),
    uses={"host": "read"},
    reads=reads,
)
def env_loaded(target: Target, connect: Connections) -> EnvLoadedFacts:
    """Compare the environment of each running container with the file, key by key; no value leaves the process."""
    section = target.env
    values = env.values(target, connect)
    file, _ = state(target, connect) if section.rendered is None else (None, "")
    found, looked = [], 0
    wanted = {name: value for name, value in values.items() if name not in section.overridden}
    for service, label, have in () if section.units else running(target, connect):
        looked += 1
        named = service in section.container_services
        if named or wanted.keys() & have.keys():
            found.append(_compared(target, service, label, wanted, have, named))
    services = {one.service for one in found}
    return EnvLoadedFacts(
        path=env.path(target),
        modified_at=file.modified_at if file else "",
        named=tuple(section.container_services),
        absent=tuple(name for name in section.container_services if name not in services),
        looked=looked,
        loaded=tuple(found),
        units=env_units.units(target, connect),
    )


def running(target: Target, connect: Connections) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield service, label and environment of every container that runs; of the target's project if it names one."""
    done = connect.read(CONTAINERS)
    _alive(done)
    for entry in entries(done, "docker inspect"):
        one = container(entry)
        if one.running and not one.oneoff and target.docker.project in ("", one.project):
            lines = (entry.get("Config") or {}).get("Env") or ()
            have = dict(str(line).partition("=")[::2] for line in lines)
            env.learn(target, connect, have)
            yield one.service or one.name, one.label, have


def _alive(done: Done) -> None:
    """Raise unless the engine answered; without any container `docker inspect` complains, which is an answer."""
    said = (done.stderr.strip().splitlines() or [""])[-1]
    if done.status != 0 and not done.stdout.strip() and "at least 1" not in done.stderr:
        raise Dead("docker", f"no container engine answers on the server: {said[:160]}")


def _compared(
    target: Target, service: str, label: str, wanted: Mapping[str, str], have: Mapping[str, str], named: bool
) -> Loaded:
    shared = [name for name in wanted if name in have]
    fed = named or len(shared) >= FED * len(wanted)
    return Loaded(
        service=service,
        container=label,
        fed=fed,
        shared=tuple(shared),
        differ=tuple(name for name in shared if have[name] != wanted[name]),
        missing=tuple(name for name in wanted if name not in have) if fed else (),
        wrong=tuple(_wrong(target, have)) if fed else (),
    )


def _wrong(target: Target, have: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the values that are in effect; where they come from does not matter."""
    wants = expected(target)
    for name, value in have.items():
        kind = env.kind(target, name)
        if kind in ("mode", "debug", "level", "chain") or name in target.env.types:
            why = judge(kind, value, wants) if value else ""
            if why:
                yield name, why
        if placeholder(value, target.env.placeholder_patterns):
            yield name, "is still a placeholder"
