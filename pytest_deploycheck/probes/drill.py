"""What could be rolled back to today: the release before, its images, the commands, and drills that were begun."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_deploycheck.drill import journal as journals
from pytest_deploycheck.drill.manifest import manifest
from pytest_deploycheck.drill.record import Manifest
from pytest_deploycheck.observe import CannotLook, Dead, Reads, probe
from pytest_deploycheck.rules import nginx
from pytest_deploycheck.transports.registries import DIGEST, Registry
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_COMMANDS = ("maintenance_on", "maintenance_off", "snapshot_cmd", "previous_cmd", "restore_cmd")
_SHELL = frozenset("cd set export source . exec if for while test [ true ( {".split())


@dataclass(frozen=True)
class Command:
    """A command of `[rollback]`: whether it is given, and whether its program is there (None: not seen)."""

    name: str
    given: bool
    program: str
    there: bool | None


@dataclass(frozen=True)
class PreviousImage:
    """An image of the release before. where: registry, running, "" for nowhere, None where nobody could say; why."""

    service: str
    digest: str
    where: str | None
    why: str


@dataclass(frozen=True)
class Previous:
    """The release before, as its manifest has it. images: (service, digest).  fits: schema versions that it knows."""

    version: str = ""
    commit: str = ""
    images: tuple[tuple[str, str], ...] = ()
    config_sha256: str = ""
    fits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """A drill in the folder: its id, when it ended (ISO 8601, empty while it has not), and its step then."""

    id: str
    ended_at: str
    step: str


@dataclass(frozen=True)
class DrillFacts:
    """Readiness for a rollback.

    problem: why there is no manifest of the release before, empty where there is.  toggle: whether the edge is
    configured to answer 503 while something outside of it says so; None where its configuration cannot be read.
    events: every drill that was begun, oldest first.  migrations: the tool.  first_release: nothing was before.
    """

    problem: str
    previous: Previous
    version: str
    commit: str
    contract: str
    contract_plan: str
    db_rollback: str
    migrations: str
    snapshot_items: tuple[str, ...]
    release_images: tuple[tuple[str, str], ...]
    images: tuple[PreviousImage, ...]
    commands: tuple[Command, ...]
    toggle: bool | None
    events: tuple[Event, ...]
    workers: bool
    queue: bool
    silences: bool
    offhost: bool
    first_release: bool

    @property
    def unfinished(self) -> tuple[Event, ...]:
        """Drills that were begun and did not end."""
        return tuple(one for one in self.events if not one.ended_at)


def _reads(target: Target) -> Reads:
    programs = [_program(getattr(target.rollback, name)) for name in _COMMANDS]
    paths = [one for one in programs if one.startswith("/")] if target.rollback.on == "host" else []
    return Reads(main=(target.edge.dump_command, *(f"test -x {path}" for path in dict.fromkeys(paths))))


@probe(
    facts=DrillFacts,
    deadline=20,
    after=("ssh_gate",),
    uses={
        "files": "read",
        "host": "read",
        "registry": "HEAD GET",
        "image_token": "GET",
        "image_blobs": "GET",
    },
    reads=_reads,
)
def drill(target: Target, connect: Connections) -> DrillFacts:
    """Look whether a rollback would be possible now; nothing is run."""
    section = target.rollback
    connect.socket_allowed("files", "read", section.dir)
    problem, before = "", Manifest()
    try:
        before = manifest(target)
    except ValueError as error:
        problem = str(error)
    return DrillFacts(
        problem=problem,
        previous=Previous(
            before.version,
            before.commit,
            tuple(sorted(before.images.items())),
            before.config_sha256,
            tuple(before.fits),
        ),
        version=target.release.version,
        commit=target.release.commit,
        contract=target.contract.address,
        contract_plan=section.contract_plan,
        db_rollback=target.release.db_rollback,
        migrations=target.migrations.tool or "",
        snapshot_items=tuple(section.snapshot_items),
        release_images=tuple(sorted(target.release.images.items())),
        images=tuple(_images(target, connect, before)),
        commands=tuple(_command(target, connect, name) for name in _COMMANDS),
        toggle=_toggle(target, connect),
        events=tuple(_events(target.file(section.dir))),
        workers=bool(section.worker_sql),
        queue=bool(section.backlog_sql),
        silences=target.alertmanager is not None,
        offhost=bool(target.backup and target.backup.min_offhost > 0),
        first_release=target.release.first_deploy,
    )


def _program(command: str) -> str:
    try:
        words = [word for word in shlex.split(command) if "=" not in word.partition("/")[0]]
    except ValueError:
        return ""
    words = words[1:] if words[:1] == ["sudo"] else words
    return words[0] if words else ""


def _command(target: Target, connect: Connections, name: str) -> Command:
    program = _program(getattr(target.rollback, name))
    there: bool | None = None
    if not program or program in _SHELL:
        pass
    elif target.rollback.on == "local":
        there = shutil.which(program, path=None) is not None or (target.path.parent / program).is_file()
    elif program.startswith("/"):
        try:
            there = connect.read(f"test -x {program}").status == 0
        except (CannotLook, Dead):
            there = None
    return Command(name, bool(program), program, there)


def _images(target: Target, connect: Connections, before: Manifest) -> list[PreviousImage]:
    """Say where each image of the release before is: what runs now is there; the rest is asked of the registry."""
    found = []
    client: Registry | None = None
    for service, digest in sorted(before.images.items()):
        if target.release.images.get(service) == digest:
            found.append(PreviousImage(service, digest, "running", ""))
            continue
        where: str | None = None
        why = ""
        try:
            if not DIGEST.fullmatch(digest):
                raise CannotLook(Reason.UNPARSEABLE, f"{digest[:80]!r} is no digest")
            client = client or _registry(target, connect)
            name = _repository(target.build.images.get(service, service), client.host)
            where = "registry" if client.digest(name, digest) == digest else ""
        except (CannotLook, Dead) as problem:
            why = problem.message
        found.append(PreviousImage(service, digest, where, why))
    return found


def _repository(reference: str, host: str) -> str:
    name = reference.partition("@")[0].removeprefix(f"{host}/")
    folder, _, last = name.rpartition("/")
    return f"{folder}/{last.partition(':')[0]}".lstrip("/")


def _registry(target: Target, connect: Connections) -> Registry:
    section = target.build
    if not section.registry_url:
        raise CannotLook(Reason.NO_CONFIG, f"no build.registry_url in {target.path.name}; add it")
    password = connect.secret(section.registry_password) if section.registry_password else ""
    return Registry(
        target,
        lambda name, base: connect.http(name, base=base),
        password=password,
        learn=connect.learn_secret,
    )


def _toggle(target: Target, connect: Connections) -> bool | None:
    """Whether the edge's configuration has a way to answer 503 on its own."""
    try:
        done = connect.read(target.edge.dump_command)
        if done.status != 0:
            return None
        config = nginx.load(done.stdout)
    except (CannotLook, Dead, nginx.NotNginx):
        return None
    return any(_closes(config))


def _closes(directive: nginx.Directive) -> Iterator[bool]:
    """Yield each place that answers 503 by itself; where an error's words are made is no such place."""
    for one in directive.block or ():
        if one.name == "return" and one.args[:1] == ("503",):
            yield True
        elif not (one.name == "location" and one.args[:1] and one.args[0].startswith("@")):
            yield from _closes(one)


def _events(folder: Path) -> list[Event]:
    found = []
    for path in sorted(folder.glob(f"*{journals.SUFFIX}")) if folder.is_dir() else ():
        entries = journals.read(path)
        end = next((entry for entry in entries if entry["what"] == "ended"), None)
        step = next((str(entry["step"]) for entry in reversed(entries) if entry["what"] == "step"), "")
        found.append(Event(path.name.removesuffix(journals.SUFFIX), str(end["at"]) if end else "", step))
    return found
