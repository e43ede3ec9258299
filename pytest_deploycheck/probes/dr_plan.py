"""The plan for disasters as it is written down, beside what is promised, and results of exercises that are attached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import docs_pages
from pytest_deploycheck.probes.docs_facts import Document
from pytest_deploycheck.probes.evidence_files import is_commit
from pytest_deploycheck.probes.junit_files import JUnitError, parse
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

SECTIONS = {
    "scope": "scope",
    "RTO": "rto|recovery time",
    "RPO": "rpo|recovery point",
    "scenarios": "scenario",
    "roles": "role|responsib",
    "contacts": "contact|call",
    "order of recovery": "order|sequence|priorit",
    "communication": "communicat|status page|inform",
    "access to secrets without the lost host": "access secret|secret host|credential|break glass",
}
"""Sections that a plan has; alternatives by `|`, see rules/markdown_docs.py."""
SCENARIOS = {
    "loss of a host": "host|server|machine|node lost",
    "loss of a region": "region|data cent|datacenter|site|zone",
    "corrupted database": "corrupt",
    "loss of the node provider": "rpc|provider|infura|alchemy",
    "compromised signer key": "signer|key compromis|private key|key leak|wallet key",
    "exploit of the contract": "contract|exploit",
    "loss of registry or names": "registry|dns|domain",
}
"""What a plan for such a service foresees; each is a heading, a label or an entry below the scenarios."""
ITEMS = ("operations.backup.recovery", "post_go_live.ongoing.dr_test")
SIZE_MAX_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Smoke:
    """A JUnit file that goes with a record: problem is why it is none that can be read."""

    record: str
    path: str
    tests: int
    passed: int
    failed: int
    problem: str


@dataclass(frozen=True)
class DrPlanFacts:
    """The plan, and what it is held against.

    document: None where the target file names none.  meta: front matter.  lacks, unforeseen: sections and scenarios
    that are not there.  stored: where it is when the host is lost, in words.  interval_h, rpo_h, rto_h: of
    `[backup]`, None without.  smoke: attached results.  go_live_at: ISO 8601, empty where it is not fixed.
    """

    document: Document | None
    meta: tuple[tuple[str, str], ...]
    lacks: tuple[str, ...]
    unforeseen: tuple[str, ...]
    stored: str
    interval_h: float | None
    rpo_h: float | None
    rto_h: float | None
    smoke: tuple[Smoke, ...]
    go_live_at: str

    def said(self, key: str) -> str:
        """Return a value of the front matter, empty where it is not there."""
        return dict(self.meta).get(key, "")


@probe(facts=DrPlanFacts, deadline=20, uses={"files": "read", "docs": "GET", "repo": "read"}, safety="S0")
def dr_plan(target: Target, connect: Connections) -> DrPlanFacts:
    """Read the plan, and the results that go with records of exercises."""
    section, plan = target.backup, target.dr.plan
    commit = target.release.commit
    library = docs_pages.Library(target, connect, commit if is_commit(commit) else "")
    live = target.release.go_live_at
    document, page = None, library.read(plan).page if plan else None
    if plan:
        described = docs_pages.Described(library)
        document = docs_pages.document(library, described, plan, (), target.release.version)
    # Without a part of its own, each scenario may be one.
    text = (page.section(SECTIONS["scenarios"]) or "\n".join(page.prose)) if page else ""
    unforeseen = tuple(name for name, words in SCENARIOS.items() if page and not _foreseen(text, words))
    return DrPlanFacts(
        document=document,
        meta=tuple((key, value[:80]) for key, value in page.front) if page else (),
        lacks=tuple(
            name
            for name, words in SECTIONS.items()
            if page and page.lacking((words,)) and (name != "scenarios" or unforeseen)
        ),
        unforeseen=unforeseen,
        stored=target.dr.stored,
        interval_h=section.interval_h if section else None,
        rpo_h=section.rpo_h if section else None,
        rto_h=section.rto_h if section else None,
        smoke=tuple(_smoke(target, connect)),
        go_live_at=live.isoformat() if live else "",
    )


def _foreseen(text: str, words: str) -> bool:
    """Whether a heading, a label or an entry of the scenarios speaks of one; a word in passing is none."""
    marked = re.findall(r"^\s*(?:#{1,6}\s+|[-*+]\s+|\d+[.)]\s+|\|\s*|\*\*)(.+)$", text, re.MULTILINE)
    return any(
        all(part in line.lower() for part in one.split()) for line in marked for one in words.split("|")
    )


def _smoke(target: Target, connect: Connections) -> Iterator[Smoke]:
    if not target.claims.dir:
        raise CannotLook(Reason.NO_CONFIG, f"no claims.dir in {target.path.name}; add it")
    connect.socket_allowed("files", "read", target.claims.dir)
    folder = target.file(target.claims.dir).resolve()
    for file in connect.signed_files():
        if file.item not in ITEMS:
            continue
        for name, _ in file.artifacts:
            path = (folder / name).resolve()
            if path.suffix.lower() != ".xml" or not path.is_relative_to(folder):
                continue
            try:
                if path.stat().st_size > SIZE_MAX_BYTES:
                    raise JUnitError("it is too large")
                found = parse(path.read_bytes())
            except (OSError, JUnitError) as error:
                yield Smoke(file.name, name, 0, 0, 0, str(error)[:160])
                continue
            bad = found.failures + found.errors
            yield Smoke(file.name, name, found.tests, found.tests - bad - found.skipped, bad, "")
