"""Backups as their catalogues list them, and the places where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, Reads, probe
from pytest_deploycheck.probes.backup_catalogue import Backup, BadCatalogue, dumps, pgbackrest, restic
from pytest_deploycheck.probes.gates import GateFacts
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.data import BackupRepo, BackupSection
    from pytest_deploycheck.transports import Connections

_REMOTE = ("sftp:", "rest:", "s3:", "b2:", "azure:", "gs:", "swift:", "rclone:")
PGBACKREST = "pgbackrest --output=json{stanza} info"


@dataclass(frozen=True)
class Repository:
    """A place where backups are kept.

    problem: why its catalogue cannot be read, empty where it can.  off_host: on another machine.
    same_device: on the device that holds the database, None where that was not seen.  encrypted: None where
    the tool does not say.  free_bytes: room for more, None where it is not ours to see.
    """

    name: str
    where: str
    problem: str
    off_host: bool
    same_device: bool | None
    encrypted: bool | None
    free_bytes: int | None


@dataclass(frozen=True)
class BackupFacts:
    """All repositories and all backups in them, oldest first, and what the target file expects.

    deploy_started_at, go_live_at: ISO 8601, empty where it is not given.  first_deploy: nothing was there before.
    interval_h, rpo_h, rto_h, keep_d: what is promised, None where the target file does not say.  scope: (part, a word
    of its backups).  elsewhere: (part, where it is safe).  sentinel_tables: what a restore must have compared.
    """

    tool: str
    repositories: tuple[Repository, ...]
    backups: tuple[Backup, ...]
    min_offhost: int
    require_encryption: bool
    tag: str
    label: str
    deploy_started_at: str
    first_deploy: bool
    go_live_at: str = ""
    interval_h: float = 24
    rpo_h: float | None = None
    rto_h: float | None = None
    keep_d: float | None = None
    scope: tuple[tuple[str, str], ...] = ()
    elsewhere: tuple[tuple[str, str], ...] = ()
    sentinel_tables: tuple[str, ...] = ()

    def of(self, repo: str) -> tuple[Backup, ...]:
        """Return a repository's backups, oldest first."""
        return tuple(one for one in self.backups if one.repo == repo)

    @property
    def away(self) -> tuple[str, ...]:
        """Return the names of the repositories on other machines."""
        return tuple(repo.name for repo in self.repositories if repo.off_host)


def _section(target: Target) -> BackupSection:
    if target.backup is None:
        raise CannotLook(Reason.NO_CONFIG, f"no [backup] in {target.path.name}; add tool and repos")
    if not target.backup.repos:
        raise CannotLook(
            Reason.NO_CONFIG, f"no backup.repos in {target.path.name}; add one with name and location"
        )
    return target.backup


def _command(section: BackupSection, repo: BackupRepo) -> str:
    if section.tool == "pgbackrest":
        return PGBACKREST.format(stanza=f" --stanza={section.stanza}" if section.stanza else "")
    if section.tool == "restic":
        password = f" --password-file={repo.password_file}" if repo.password_file else ""
        return f"restic -r {repo.location}{password} --no-cache --no-lock snapshots --json"
    return f"ls -l --time-style=+%s {repo.location}"


def _is_path(repo: BackupRepo) -> bool:
    return repo.location.startswith("/")


def _reads(target: Target) -> Reads:
    section = target.backup
    if section is None:
        return Reads()
    commands = [_command(section, repo) for repo in section.repos]
    for repo in section.repos:
        if _is_path(repo):
            commands += [f"df -B1 --output=avail {repo.location}", f"stat --format=%d {repo.location}"]
    if section.data_dir:
        commands.append(f"stat --format=%d {section.data_dir}")
    return Reads(main=tuple(dict.fromkeys(commands)))


@probe(facts=GateFacts, deadline=20, needs=("ssh_gate",), uses={"host": "read"}, reads=_reads)
def backup_gate(target: Target, connect: Connections) -> GateFacts:
    """Read the catalogue of backups; one that can be read opens the gate."""
    section = _section(target)
    problems = []
    for repo in section.repos:
        _, _, problem = catalogue(section, repo, connect)
        if not problem:
            return GateFacts(f"{section.tool} lists the backups in {repo.name}", 0.0)
        problems.append(f"{repo.name}: {problem}")
    raise Dead("backup", f"no catalogue of {section.tool} can be read: {'; '.join(problems)}"[:400])


@probe(facts=BackupFacts, deadline=20, needs=("ssh_gate", "backup_gate"), uses={"host": "read"}, reads=_reads)
def backup(target: Target, connect: Connections) -> BackupFacts:
    """List every backup of every repository, and look at where the repositories are."""
    section = _section(target)
    data = connect.read(f"stat --format=%d {section.data_dir}").stdout.strip() if section.data_dir else ""
    repositories, backups = [], []
    for repo in section.repos:
        found, facts, problem = catalogue(section, repo, connect)
        backups += found
        repositories.append(repository(section, repo, facts, problem, data, connect))
    started = target.release.deploy_started_at
    return BackupFacts(
        tool=section.tool,
        repositories=tuple(repositories),
        backups=tuple(sorted(backups, key=lambda one: one.ended_at)),
        min_offhost=section.min_offhost,
        require_encryption=section.require_encryption,
        tag=section.tag if section.tool == "restic" else "",
        label=section.label,
        deploy_started_at=started.isoformat() if started else "",
        first_deploy=target.release.first_deploy,
        go_live_at=live.isoformat() if (live := target.release.go_live_at) else "",
        interval_h=section.interval_h,
        rpo_h=section.rpo_h,
        rto_h=section.rto_h,
        keep_d=section.keep_d,
        scope=tuple(section.scope.items()),
        elsewhere=tuple(section.kept_elsewhere.items()),
        sentinel_tables=tuple(target.restore.sentinel_tables),
    )


def catalogue(
    section: BackupSection, repo: BackupRepo, connect: Connections
) -> tuple[list[Backup], Any, str]:
    """Return a repository's backups, what its tool says of the repository, and why there is none to read."""
    done = connect.read(_command(section, repo))
    if done.status == 127:
        raise CannotLook(
            Reason.NO_EVIDENCE, f"{section.tool} is not on the server; install it, or change backup.tool"
        )
    if done.status != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.status}"]
        return [], {}, said[-1][:160]
    try:
        if section.tool == "pgbackrest":
            found, facts = pgbackrest(done.stdout, section.stanza, {repo.location: repo.name})
            return (
                found,
                facts[repo.name],
                "" if facts[repo.name] else f"there is no repository {repo.location}",
            )
        reader = restic if section.tool == "restic" else dumps
        return list(reader(done.stdout, repo.name)), {}, ""
    except BadCatalogue as error:
        return [], {}, str(error)


def repository(
    section: BackupSection, repo: BackupRepo, facts: Any, problem: str, data: str, connect: Connections
) -> Repository:
    """Say where a repository is; data: the number of the device that holds the database, empty if unknown."""
    off_host = repo.off_host or repo.location.startswith(_REMOTE)
    device = free = ""
    if _is_path(repo):
        device = connect.read(f"stat --format=%d {repo.location}").stdout.strip()
        free = (connect.read(f"df -B1 --output=avail {repo.location}").stdout.split() or [""])[-1]
    encrypted = {"restic": True, "pgdump": False}.get(section.tool)
    if section.tool == "pgbackrest":
        encrypted = facts.get("cipher") not in ("none", None) if facts else None
    return Repository(
        name=repo.name,
        where=repo.location if _is_path(repo) else repo.location.partition(":")[0],
        problem=problem,
        off_host=off_host,
        same_device=False if off_host else (device == data if device and data else None),
        encrypted=encrypted,
        free_bytes=int(free) if free.isdigit() and not off_host else None,
    )
