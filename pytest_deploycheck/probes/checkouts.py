"""The checkout probe: the code as it lies on the server, and which commit the running images were built of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Reads, probe
from pytest_deploycheck.probes.docker import CONTAINERS, IMAGES
from pytest_deploycheck.probes.evidence_files import is_commit, released
from pytest_deploycheck.probes.remotes import same_repository, shown
from pytest_deploycheck.rules.image_refs import parse
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.shell import Done

REVISION = "org.opencontainers.image.revision"
_SERVICE = "com.docker.compose.service"
_PROJECT = "com.docker.compose.project"
MOST_PATHS = 50


@dataclass(frozen=True)
class Revision:
    """One running container of a built service: the commit that its image's label names, "" without the label."""

    service: str
    container: str
    revision: str


@dataclass(frozen=True)
class CheckoutFacts:
    """The working tree on the server, and what was built of it.

    path: "" where the server holds images only.  head: "" where there is no checkout; None where git did not run.
    said: what Git said then.  dirty: `XY path` of `git status`, without what may be there; None unknown.
    ahead: commits that origin's branch (as last fetched) does not have; None unknown.  remote: where it was pulled
    from.  remote_as_declared: None where one of both is unknown.  built: services or images that are built of this repository.
    running: their containers; None where no container engine answered.
    """

    path: str
    commit: str
    head: str | None
    said: str
    dirty: tuple[str, ...] | None
    ahead: int | None
    remote: str
    remote_as_declared: bool | None
    built: tuple[str, ...]
    running: tuple[Revision, ...] | None


def in_checkout(path: str, *arguments: str) -> str:
    """Return a command that reads a checkout on a server: as any user, writing no index, running no hook."""
    options = "--no-optional-locks -c safe.directory=* -c core.fsmonitor=false"
    return " ".join(("git", *options.split(), "-C", path, *arguments))


def _commands(path: str, branch: str) -> tuple[str, ...]:
    return (
        in_checkout(path, "rev-parse", "HEAD"),
        in_checkout(path, "status", "--porcelain=v1"),
        in_checkout(path, "rev-list", "--count", f"origin/{branch}..HEAD"),
        in_checkout(path, "remote", "get-url", "origin"),
    )


def _reads(target: Target) -> Reads:
    section = target.repo
    code = _commands(section.path, section.branch) if section.path and not section.image_only else ()
    return Reads(main=(*code, CONTAINERS, IMAGES))


@probe(facts=CheckoutFacts, deadline=20, needs=("ssh_gate",), uses={"host": "read"}, reads=_reads)
def checkout(target: Target, connect: Connections) -> CheckoutFacts:
    """Read the checkout on the server and the labels of the images that run there."""
    section, commit = target.repo, released(target)
    images = {n: digest for n, digest in target.release.images.items() if n not in target.build.third_party}
    built = tuple(images)
    containers = running(connect.read(CONTAINERS), connect.read(IMAGES), images, target.docker.project)
    if section.image_only:
        return CheckoutFacts("", commit, "", "", None, None, "", None, built, containers)
    if not section.path:
        file = target.path.name
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no repo.path in {file}; add it, or image_only = true where there is no checkout",
        )
    head, status, ahead, remote = (connect.read(one) for one in _commands(section.path, section.branch))
    found = head.stdout.strip()
    there = head.status == 0 and is_commit(found)
    address = remote.stdout.strip() if remote.status == 0 else ""
    return CheckoutFacts(
        path=section.path,
        commit=commit,
        head=found if there else None if head.status in (126, 127) else "",
        said="" if there else (head.stderr.strip().splitlines() or [f"status {head.status}"])[0][:200],
        dirty=dirty(status.stdout, section.allow_untracked) if status.status == 0 else None,
        ahead=int(ahead.stdout) if ahead.status == 0 and ahead.stdout.strip().isdigit() else None,
        remote=shown(address),
        remote_as_declared=same_repository(section.remote, address) if section.remote and address else None,
        built=built,
        running=containers,
    )


def dirty(status: str, allowed: Iterable[str]) -> tuple[str, ...]:
    """Return the lines of `git status --porcelain=v1` but those of untracked files that may be there."""
    globs = tuple(allowed)
    lines = [line for line in status.splitlines() if len(line) > 3]
    return tuple(
        line
        for line in lines
        if not (line.startswith("?? ") and any(fnmatch(line[3:].strip('"'), pattern) for pattern in globs))
    )[:MOST_PATHS]


def running(
    containers: Done, images: Done, released: Mapping[str, str], project: str
) -> tuple[Revision, ...] | None:
    """Return the containers of released images that run, each with the revision of its image.

    released: service or image -> digest, of what is built here.  A container is one of them by its label of Compose,
    by its name, by its image's name, or by the digest or id of its image.  None without an engine's answer.
    """
    listed, known = _array(containers), _array(images)
    if listed is None:
        return None
    by_id = {str(image.get("Id")): image for image in known or ()}
    found = []
    for container in listed:
        own, state = _labels(container), container.get("State")
        if project and own.get(_PROJECT, project) != project:
            continue
        if isinstance(state, Mapping) and state.get("Running") is False:
            continue
        image = by_id.get(str(container.get("Image")), {})
        name = str(container.get("Name", "")).lstrip("/")
        service = own.get(_SERVICE) or name
        names = {service, name, _image_name(container)}
        digests = {str(container.get("Image")), *_digests(image)}
        if names & set(released) or digests & set(released.values()):
            revision = (_labels(image) or own).get(REVISION, "")
            found.append(Revision(service, name, revision.strip().lower()))
    return tuple(found)


def _image_name(container: Mapping[str, Any]) -> str:
    config = container.get("Config")
    return parse(str(config.get("Image") or "")).name if isinstance(config, Mapping) else ""


def _digests(image: Mapping[str, Any]) -> list[str]:
    listed = image.get("RepoDigests")
    return [str(one).rpartition("@")[2] for one in listed] if isinstance(listed, list) else []


def _array(done: Done) -> list[dict[str, Any]] | None:
    """Return the objects that `docker inspect` printed; it also ends with 1 where there was none to inspect."""
    try:
        values = safe_json.loads(done.stdout or "null")
    except (ValueError, RecursionError):
        return None
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else None


def _labels(inspected: Mapping[str, Any]) -> dict[str, str]:
    config = inspected.get("Config")
    labels = config.get("Labels") if isinstance(config, Mapping) else None
    return {str(name): str(value) for name, value in labels.items()} if isinstance(labels, Mapping) else {}
