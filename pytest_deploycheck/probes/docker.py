"""The docker probe: the engine, its containers and images, and the Compose project as it is declared now."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Reads, probe
from pytest_deploycheck.probes import docker_compose, docker_engine
from pytest_deploycheck.probes.docker_containers import Image, container, image, moment
from pytest_deploycheck.probes.docker_facts import DockerFacts, Event
from pytest_deploycheck.transports import Connections, compose
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.docker_engine import EngineUnit
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports.shell import Done

CONTAINERS = "docker inspect $(docker ps --all --quiet --no-trunc)"
IMAGES = (
    "docker image inspect $(docker inspect --format '{{.Config.Image}} {{.Image}}' "
    "$(docker ps --all --quiet --no-trunc) | tr ' ' '\\n' | sort -u)"
)
NOTHING_NAMED = re.compile("at least 1|no names or ids|no containers")
"""How docker and podman refuse to inspect nothing."""
EVENTS = (
    "docker events --since={since} --until=0s --filter=type=container --filter=event=start "
    "--filter=event=health_status --filter=event=die --filter=event=oom --format '{{{{json .}}}}'"
)


def reads(target: Target) -> Reads:
    """Return everything that is asked of the server, in the order of the facts."""
    return Reads(
        main=(
            docker_engine.VERSION,
            docker_engine.INFO,
            docker_engine.COMPOSE_VERSION,
            docker_engine.LEGACY_VERSION,
            docker_engine.UNITS,
            docker_engine.USER_UNITS,
            docker_engine.LINGER,
            docker_engine.WHO,
            docker_engine.LISTENERS,
            CONTAINERS,
            IMAGES,
            events_read(target),
            *(project_read(target, asked) for asked in (compose.DECLARED, compose.PS)),
        )
    )


def project_read(target: Target, asked: str) -> str:
    """Return the command by which Compose is asked about the target's project."""
    section = target.docker
    return compose.question(
        asked, project=section.project, files=section.compose_files, program=section.compose
    )


def events_read(target: Target) -> str:
    """Return the command for what happened since the deployment began, or in the last day."""
    began = target.release.deploy_started_at
    return EVENTS.format(since=began.isoformat() if began else "24h")


@probe(
    facts=DockerFacts,
    deadline=30,
    needs=("ssh_gate", "docker_gate"),
    uses={"host": "read"},
    reads=reads,
)
def docker(target: Target, connect: Connections) -> DockerFacts:
    """Read the engine, its containers and images, and what Compose would do now with the project's files."""
    info = connect.read(docker_engine.INFO).stdout
    engine = docker_engine.engine(connect.read(docker_engine.VERSION).stdout, info)
    if engine is None:
        raise CannotLook(Reason.UNPARSEABLE, "docker version and docker info tell of no engine")
    containers = tuple(container(one) for one in entries(connect.read(CONTAINERS), "docker inspect"))
    projects = tuple(sorted({one.project for one in containers if one.project}))
    config = connect.read(project_read(target, compose.DECLARED))
    declared, digests = docker_compose.declaration(config.stdout)
    services = docker_compose.services(declared, digests) or None
    project = target.docker.project or (projects[0] if len(projects) == 1 else "")
    if not project and target.docker.compose_files:
        project = str(declared.get("name", ""))
    listed = connect.read(project_read(target, compose.PS))
    plugin, standalone = (
        connect.read(docker_engine.COMPOSE_VERSION),
        connect.read(docker_engine.LEGACY_VERSION),
    )
    began = target.release.deploy_started_at
    section = target.docker
    return DockerFacts(
        engine=engine,
        compose=docker_engine.compose_tool(
            (plugin.status, plugin.stdout), (standalone.status, standalone.stdout)
        ),
        units=_units(connect),
        linger=_linger(connect),
        listeners=docker_engine.listeners(*_answer(connect.read(docker_engine.LISTENERS))),
        project=project,
        projects=projects,
        services=services if project else None,
        services_unseen="" if services and project else unseen(config, projects, section.project),
        containers=containers,
        listed=docker_compose.listed(listed.stdout) if listed.status == 0 and project else None,
        images=_images(connect),
        events=events(connect.read(events_read(target)).stdout),
        released=tuple(target.release.images.items()),
        commit=target.release.commit,
        source=target.repo.remote,
        deploy_started_at=moment(began.isoformat()) if began else "",
        third_party=tuple(target.build.third_party),
        exempt=tuple(section.exempt.items()),
        oneshot=tuple(section.oneshot),
        external=tuple(section.external),
        order=tuple(edge(one) for one in section.order),
        asked_at=moment(docker_engine.document(info).get("SystemTime")) or connect.now().isoformat(),
    )


def edge(text: str) -> tuple[str, str]:
    """Return dependent and dependency of `app -> db`."""
    dependent, _, dependency = text.partition("->")
    return dependent.strip(), dependency.strip()


def entries(done: Done, what: str) -> list[dict[str, Any]]:
    """Return what an inspect printed; none where there was nothing to inspect, for which it asks for a name."""
    found = docker_compose.objects(done.stdout)
    if found is None or (not found and done.status != 0 and not NOTHING_NAMED.search(done.stderr)):
        said = (done.stderr.splitlines() or ["nothing"])[0][:160]
        raise CannotLook(Reason.UNPARSEABLE, f"{what} printed no JSON; it said: {said}")
    return [dict(one) for one in found]


def events(text: str) -> tuple[Event, ...]:
    """Return the events out of `docker events --format '{{json .}}'`: one object a line."""
    found = []
    for one in docker_compose.objects(text) or ():
        actor = one.get("Actor")
        id = one.get("id") or one.get("ID") or (actor.get("ID") if isinstance(actor, dict) else "")
        nanoseconds = one.get("timeNano")
        if id and isinstance(nanoseconds, int):
            at = moment_of(nanoseconds)
            found.append(Event(str(id), str(one.get("Action") or one.get("status", "")), at))
    return tuple(found)


def moment_of(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 as UTC ISO 8601."""
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(timespec="microseconds")


def unseen(config: Done, projects: tuple[str, ...], wanted: str) -> str:
    """Return why the project's declaration cannot be read, and what to do."""
    if not wanted and len(projects) > 1:
        return f"several Compose projects run here: {', '.join(projects)}; name one in docker.project"
    if config.status == compose.NO_PROJECT or (wanted and wanted not in projects and not projects):
        return "no container belongs to a project of Compose; name docker.compose_files and docker.project"
    said = next(
        (line for line in reversed(config.stderr.splitlines()) if line.strip()), "it declares no service"
    )
    return f"Compose does not read the project's files: {said[:200]}"


def _answer(done: Done) -> tuple[int, str]:
    return done.status, done.stdout


def _units(connect: Connections) -> tuple[EngineUnit, ...] | None:
    system = docker_engine.units(*_answer(connect.read(docker_engine.UNITS)))
    own = docker_engine.units(*_answer(connect.read(docker_engine.USER_UNITS)), user=True)
    return None if system is None else (*system, *(own or ()))


def _linger(connect: Connections) -> bool | None:
    """Whether the user's own units start with the machine."""
    who, lingering = connect.read(docker_engine.WHO), connect.read(docker_engine.LINGER)
    if who.status != 0:
        return None
    return who.stdout.strip() in lingering.stdout.split()


def _images(connect: Connections) -> tuple[Image, ...]:
    found = docker_compose.objects(connect.read(IMAGES).stdout)
    by_id = {one.id: one for one in map(image, found or ())}
    return tuple(by_id.values())
