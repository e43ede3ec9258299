"""What the records of reviews refer to: runs in the ledger, commits, and files that go with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_deploycheck import ledger as ledgers
from pytest_deploycheck.claims.cited import sha256_of
from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes import clones
from pytest_deploycheck.probes.evidence_files import is_commit
from pytest_deploycheck.probes.settled import passed_after
from pytest_deploycheck.rules import personal

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.git import Git

BEHAVIOR = "post_go_live.first_week.behavior"
TUNING = "post_go_live.first_week.tuning"
PERF = "post_go_live.ongoing.perf_review"
AUDIT = "post_go_live.ongoing.sec_audit"
MONITORING = "post_go_live.ongoing.monitoring"
SECLOGS = "post_go_live.first_week.seclogs"
ITEMS = (BEHAVIOR, SECLOGS, TUNING, PERF, AUDIT, MONITORING)
SECURITY = ("pre_deploy.security.", "post_deploy.security.")
SCOPE = ("access", "secrets", "patches", "firewall", "vulnerabilities", "alerts", "contract")
"""What a security audit looks at each month: accounts, keys and roles; the age of secrets; patches; the firewall
against last month's; open vulnerabilities; alerts; what administrators did with the contract."""
FILES_MAX = 100
"""So many of the newest records are looked at."""


@dataclass(frozen=True)
class CitedRun:
    """A run that a record cites, as the ledger has it.

    at: when it ended, ISO 8601.  evidence: SHA-256 of its evidence.json.  security: verdicts of the security items
    that it judged.
    """

    run: str
    at: str
    evidence: str
    security: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CitedCommit:
    """A commit that a record cites; committed_at is UTC ISO 8601, empty where the clone does not have it."""

    commit: str
    committed_at: str


@dataclass(frozen=True)
class Attached:
    """A file of a record.

    readable: its text could be looked at.  personal: kinds of personal data in it, with how many.
    """

    record: str
    path: str
    sha256: str
    readable: bool
    personal: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ReviewFilesFacts:
    """What records of reviews refer to.

    committed: (record, when its file was first committed: ISO 8601, empty unknown).  clone: whether there is a clone
    to look for commits in, and where.  go_live_at: ISO 8601, empty where it is not fixed.  tuned_in: the run
    that found what was tuned good once it was due.
    """

    go_live_at: str
    committed: tuple[tuple[str, str], ...]
    runs: tuple[CitedRun, ...]
    clone: bool
    clone_at: str
    commits: tuple[CitedCommit, ...]
    attached: tuple[Attached, ...]
    tuned_in: str = ""

    def committed_at(self, record: str) -> datetime | None:
        """Return when a record was committed, None where that is not known."""
        text = dict(self.committed).get(record, "")
        return datetime.fromisoformat(text) if text else None

    def run(self, name: str) -> CitedRun | None:
        """Return a run, None where the ledger does not have it."""
        return next((one for one in self.runs if one.run == name), None)

    def commit(self, name: str) -> CitedCommit | None:
        """Return a commit that the clone has, None where it does not."""
        return next((one for one in self.commits if one.commit == name and one.committed_at), None)

    def of(self, record: str) -> tuple[Attached, ...]:
        """Return the files of a record."""
        return tuple(one for one in self.attached if one.record == record)


@probe(facts=ReviewFilesFacts, deadline=30, uses={"files": "read", "repo": "read"}, safety="S0")
def review_files(target: Target, connect: Connections) -> ReviewFilesFacts:
    """Look up what the records of reviews cite, and read the files that go with them."""
    connect.socket_allowed("files", "read", target.claims.dir)
    folder = target.file(target.claims.dir)
    files = sorted(
        (one for one in connect.signed_files() if one.item in ITEMS and one.kind == "record"),
        key=lambda one: one.produced_at,
    )[-FILES_MAX:]
    git = connect.git()
    clone = clones.find(target, git, target.release.commit) if is_commit(target.release.commit) else None
    live = target.release.go_live_at
    return ReviewFilesFacts(
        go_live_at=live.isoformat() if live else "",
        committed=tuple(committed(git, folder, files)),
        runs=tuple(_runs(target, connect, files)),
        clone=clone is not None,
        clone_at=clones.where(target),
        commits=tuple(_commits(clone, files)),
        attached=tuple(_attached(target, folder, files)),
        tuned_in=passed_after(target, connect, TUNING, live + timedelta(days=target.limits.tuning_due_d))
        if live
        else "",
    )


def committed(git: Git, folder: Path, files: list[SignedFile]) -> Iterator[tuple[str, str]]:
    """Yield when each file was first committed, by its author's clock, which rebasing leaves alone."""
    if not files or git.read(folder, "rev-parse", "--git-dir").status != 0:
        return
    for file in files:
        listed = git.read(
            folder, "rev-list", "--format=%at", "HEAD", "--", file.name, options=("--literal-pathspecs",)
        )
        times = [int(line) for line in listed.text.splitlines() if line.isdigit()]
        yield file.name, datetime.fromtimestamp(min(times), UTC).isoformat() if times else ""


def _runs(target: Target, connect: Connections, files: list[SignedFile]) -> Iterator[CitedRun]:
    wanted = {str(file.facts["run"]) for file in files if file.facts.get("run")}
    if not wanted or not target.ledger.path:
        return
    connect.socket_allowed("files", "read", target.ledger.path)
    for entry in ledgers.read(target.file(target.ledger.path)).entries:
        if (
            entry.run in wanted
            and not entry.interrupted
            and (entry.target, entry.environment) == (target.name, target.target.environment)
        ):
            security = tuple(
                (item, verdict)
                for item, verdict in entry.items.items()
                if item.startswith(SECURITY) and verdict != "not_run"
            )
            yield CitedRun(entry.run, entry.time, entry.evidence, security)


def _commits(clone: clones.Clone | None, files: list[SignedFile]) -> Iterator[CitedCommit]:
    wanted: set[str] = set()
    for file in files:
        findings = file.facts.get("findings") if file.item == TUNING else None
        for one in findings if isinstance(findings, list) else ():
            if isinstance(one, dict) and one.get("commit"):
                wanted.add(str(one["commit"]))
    for commit in sorted(wanted)[:FILES_MAX] if clone else ():
        assert clone is not None
        known = is_commit(commit) and clone.has(commit)
        at = clones.Clone(clone.path, commit, clone.git).committed_at() if known else ""
        yield CitedCommit(commit, at)


def _attached(target: Target, folder: Path, files: list[SignedFile]) -> Iterator[Attached]:
    """Yield the files of records that are what they were when they were signed."""
    allowed = {target.contract.address.lower()} | _principals(target)
    for file in files:
        for name, problem in file.artifacts:
            path = (folder / file.name).parent / name
            if problem or not path.is_file():
                continue
            text = personal.text_of(path) if file.item == BEHAVIOR else ""
            kinds = personal.found(text, allowed) if text else {}
            yield Attached(file.name, name, sha256_of(path), text is not None, tuple(sorted(kinds.items())))


def _principals(target: Target) -> set[str]:
    """Return those who sign: their addresses are no users'."""
    from pytest_deploycheck.claims import of_target
    from pytest_deploycheck.claims.roles import ROLES

    roles = of_target.roles(target)
    return {who.lower() for role in ROLES for who in roles.holders(role)}
