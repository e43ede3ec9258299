"""The registry probe: which image each tag of the release names now, and what the released image is like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import image_configs
from pytest_deploycheck.probes.image_configs import ImageConfig
from pytest_deploycheck.transports.registries import DIGEST, INDEXES, Registry
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.builds import BuildsFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_HUB = ("docker.io", "index.docker.io")
"""How references name the registry whose API is at registry-1.docker.io."""


@dataclass(frozen=True)
class RegistryImage:
    """An image that is built here, in the registry.

    digest: the released one.  tagged: what the tag names now, "" for no such tag, None where the registry did not say.
    architectures: that it is made for.  config: of the released image for the target's architecture, None where it
    could not be read.  why: what stood in the way then.
    """

    service: str
    repository: str
    tag: str
    digest: str
    tagged: str | None
    architectures: tuple[str, ...]
    config: ImageConfig | None
    why: str


@dataclass(frozen=True)
class RegistryFacts:
    """Every image that is built here. architecture, require_nonroot: as the target file says."""

    url: str
    commit: str
    architecture: str
    require_nonroot: bool
    images: tuple[RegistryImage, ...]


@probe(
    facts=RegistryFacts,
    deadline=30,
    uses={"registry": "HEAD GET", "image_token": "GET", "image_blobs": "GET"},
)
def registry(target: Target, connect: Connections, builds_facts: BuildsFacts) -> RegistryFacts:
    """Ask the registry for each tag's digest, and for the configuration of the released image."""
    section = target.build
    password = connect.secret(section.registry_password) if section.registry_password else ""
    client = Registry(
        target,
        lambda name, base: connect.http(name, base=base),
        password=password,
        learn=connect.learn_secret,
    )
    return RegistryFacts(
        url=section.registry_url,
        commit=builds_facts.commit,
        architecture=section.architecture,
        require_nonroot=section.require_nonroot,
        images=tuple(
            _image(target, connect, client, builds_facts, service, digest)
            for service, digest in builds_facts.built
        ),
    )


def _image(
    target: Target, connect: Connections, client: Registry, facts: BuildsFacts, service: str, digest: str
) -> RegistryImage:
    repository, tag = place(target, client.host, facts, service)
    tagged: str | None = None
    config: ImageConfig | None = None
    architectures: tuple[str, ...] = ()
    why = ""
    try:
        tagged = client.digest(repository, tag) or ""
        if DIGEST.fullmatch(digest):
            found, architectures = _config(client, repository, digest, target.build.architecture)
            config = image_configs.read(found, connect.learn_secret) if found is not None else None
    except (CannotLook, Dead) as problem:
        if isinstance(problem, CannotLook) and problem.reason is Reason.TIMEOUT:
            raise
        why = problem.message
    return RegistryImage(service, repository, tag, digest, tagged, architectures, config, why)


def place(target: Target, host: str, facts: BuildsFacts, service: str) -> tuple[str, str]:
    """Return repository and tag of a service: as the target file says, as its build was pushed, else by its name."""
    version = target.release.version or target.release.tag
    pushed = [build.record.image for build in facts.of(service) if build.record.image]
    reference = target.build.images.get(service) or (pushed[0] if pushed else service)
    reference = reference.partition("@")[0].removeprefix(f"{host}/")
    first, slash, rest = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        if first not in (host, *_HUB) or (first in _HUB and not host.endswith("docker.io")):
            raise CannotLook(
                Reason.NO_CONFIG,
                f"{service} was pushed to {first}, and build.registry_url is {host}; correct it",
            )
        reference = rest
    repository, _, tag = reference.rpartition("/")[2].partition(":")
    folder = reference.rpartition("/")[0]
    return f"{folder}/{repository}".lstrip("/"), tag or version or "latest"


def _config(
    client: Registry, repository: str, digest: str, architecture: str
) -> tuple[Mapping[str, Any] | None, tuple[str, ...]]:
    """Return an image's configuration, out of an index that for one architecture; and which there are."""
    found = client.manifest(repository, digest)
    platforms: dict[str, str] = {}
    if found.get("mediaType") in INDEXES or "manifests" in found:
        listed = found.get("manifests")
        for one in listed if isinstance(listed, list) else ():
            about = one.get("platform") if isinstance(one, Mapping) else None
            name = str(about.get("architecture") or "") if isinstance(about, Mapping) else ""
            # BuildKit lists attestations as manifests of an unknown platform.
            if name not in ("", "unknown"):
                platforms.setdefault(name, str(one.get("digest")))
        if architecture not in platforms:
            return None, tuple(platforms)
        found = client.manifest(repository, platforms[architecture])
    about = found.get("config")
    config = client.blob(repository, str(about.get("digest"))) if isinstance(about, Mapping) else {}
    return config, tuple(platforms) or (str(config.get("architecture") or ""),)
