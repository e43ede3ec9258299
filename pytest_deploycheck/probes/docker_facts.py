"""What the docker probe sees: the engine, its containers and images, and the Compose project."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_deploycheck.probes.docker_compose import Listed, Service
from pytest_deploycheck.probes.docker_containers import Container, Image
from pytest_deploycheck.probes.docker_engine import ComposeTool, Engine, EngineUnit
from pytest_deploycheck.rules.startup_order import COMPLETED


@dataclass(frozen=True)
class Event:
    """Something that happened to a container; the engine remembers the last 256 of all kinds.

    action: start, die, oom, or health_status: with the new status.  at: UTC ISO 8601.
    """

    container: str
    action: str
    at: str


@dataclass(frozen=True)
class DockerFacts:
    """The engine and the project, and what the target file expects of them.

    units, listeners: None where the server does not tell.  project: the name of the project that is judged,
    empty when the target file names none and there is none, or several (`projects`).  services: as its
    files declare them now, None where they cannot be read (`services_unseen` says why).  containers: all of
    the engine's.  listed: the project's as Compose lists them, None where it does not.  images: those that the
    containers have or were created from.  released: (service or image, digest).  commit: the released one.
    source: where the product's code lives.  third_party: services that run somebody else's image.  order:
    (dependent, dependency) that the target file asks for.  asked_at: the engine's own clock, UTC ISO 8601.
    """

    engine: Engine
    compose: ComposeTool
    units: tuple[EngineUnit, ...] | None
    linger: bool | None
    listeners: tuple[str, ...] | None
    project: str
    projects: tuple[str, ...]
    services: tuple[Service, ...] | None
    services_unseen: str
    containers: tuple[Container, ...]
    listed: tuple[Listed, ...] | None
    images: tuple[Image, ...]
    events: tuple[Event, ...]
    released: tuple[tuple[str, str], ...]
    commit: str
    source: str
    deploy_started_at: str
    third_party: tuple[str, ...]
    exempt: tuple[tuple[str, str], ...]
    oneshot: tuple[str, ...]
    external: tuple[str, ...]
    order: tuple[tuple[str, str], ...]
    asked_at: str

    @property
    def own(self) -> tuple[Container, ...]:
        """The containers of the project, without those of `compose run`."""
        return tuple(
            one for one in self.containers if self.project and one.project == self.project and not one.oneoff
        )

    def of(self, service: str) -> tuple[Container, ...]:
        """Return the containers of a service of the project."""
        return tuple(one for one in self.own if one.service == service)

    def service(self, name: str) -> Service | None:
        """Return a service as declared now; None when it is not, or when that cannot be read."""
        return next((one for one in self.services or () if one.name == name), None)

    def image(self, id: str) -> Image | None:
        """Return an image by its id."""
        return next((one for one in self.images if one.id == id), None)

    @property
    def product(self) -> tuple[str, ...]:
        """The services that run the product's own image.

        All but those that `build.third_party` names; without it those with a build section, those whose image
        names the product's repository as its source, and those with the same image.
        """
        if self.third_party:
            names = {one.service for one in self.own} | {one.name for one in self.services or ()}
            return tuple(sorted(names - set(self.third_party) - set(self.external)))
        told = {one.name for one in self.services or () if one.built}
        for one in self.own:
            found = self.image(one.image_id)
            if self.source and found and same_source(found.label("source"), self.source):
                told.add(one.service)
        refs = {one.image_ref for one in self.own if one.service in told}
        return tuple(sorted(told | {one.service for one in self.own if one.image_ref in refs}))

    @property
    def oneshots(self) -> frozenset[str]:
        """The services that run once: named in the target file, or waited for until they completed."""
        waited = {
            edge.service
            for one in self.services or ()
            for edge in one.depends_on
            if edge.condition == COMPLETED
        }
        return frozenset(waited | set(self.oneshot))


def same_source(label: str, remote: str) -> bool:
    """Whether an image's source label and a git remote are the same repository, however each is written."""

    def bare(text: str) -> str:
        text = text.lower().removesuffix("/").removesuffix(".git")
        return text.rpartition("://")[2].rpartition("@")[2].replace(":", "/")

    return bool(label) and bare(label) == bare(remote)
