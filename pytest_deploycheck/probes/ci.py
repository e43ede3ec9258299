"""The CI probe: which checks ran for the released commit, and how they ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes import ci_results, clones
from pytest_deploycheck.probes.ci_results import CiCheck
from pytest_deploycheck.probes.evidence_files import released

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class CiFacts:
    """The checks of one commit.

    known: the CI has the commit.  committed_at: UTC ISO 8601, "" where it does not say.  complete: every check was
    listed.  required: names or globs of the checks that must have passed.  source: where this was read.
    """

    source: str
    commit: str
    known: bool
    committed_at: str
    checks: tuple[CiCheck, ...]
    complete: bool
    required: tuple[str, ...]


@probe(facts=CiFacts, deadline=20, needs=("ci_gate",), uses={"ci": "GET"})
def ci(target: Target, connect: Connections) -> CiFacts:
    """List the checks of the released commit, by the CI's API or out of files that a CI left."""
    section, commit = target.ci, released(target)
    if section.provider == "file":
        found, source = ci_results.from_files(target, commit), section.file
    else:
        ask = ci_results.gitlab if section.provider == "gitlab" else ci_results.github
        found, source = ask(ci_results.client(target, connect), section.project, commit), section.address
    clone = None if found.committed_at else clones.find(target, connect.git(), commit)
    return CiFacts(
        source=source,
        commit=commit,
        known=found.known,
        committed_at=clone.committed_at() if clone else found.committed_at,
        checks=found.checks,
        complete=found.complete,
        required=tuple(section.required_checks),
    )
