"""Operational Readiness, Documentation (item 66): the troubleshooting guide."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import evidence
from pytest_deploycheck.claims.documents import reviewed, sound
from pytest_deploycheck.claims.evidence import fact, moment
from pytest_deploycheck.probes.health import ALIASES, HealthFacts
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.api_docs import ApiDocsFacts
    from pytest_deploycheck.probes.docs_facts import DocsFacts, Entry
    from pytest_deploycheck.probes.evidence import EvidenceFacts

TROUBLESHOOTING = "operations.documentation.troubleshooting"
TEXT = "Troubleshooting guide available"


@pytest.mark.checklist(TROUBLESHOOTING, text=TEXT)
def test_troubleshooting(docs_facts: DocsFacts, limits: Limits) -> None:
    """The guide's entries tell symptom, check, cause and fix, for every component and every service of others."""
    guide = docs_facts.troubleshooting
    if guide is None:
        unproven(Reason.NO_CONFIG, "no docs.troubleshooting in the target file; add it")
    sound(guide, limits)
    assert docs_facts.entries, f"{guide.path} has no entry with symptom, check, cause and fix"
    for entry in docs_facts.entries:
        assert not entry.lacks, f"{guide.path}, {entry.name!r}: says no {', '.join(entry.lacks)}"
    for name in (*docs_facts.components, *docs_facts.dependencies):
        assert covered(docs_facts.entries, name), f"{guide.path} has no entry about {name}"


@pytest.mark.checklist(TROUBLESHOOTING, text=TEXT)
def test_troubleshooting_components(docs_facts: DocsFacts, health_facts: HealthFacts) -> None:
    """Everything that the health check names has an entry."""
    if docs_facts.troubleshooting is None:
        unproven(Reason.NO_CONFIG, "no docs.troubleshooting in the target file; add it")
    told = {name for sample in health_facts.samples for name, _ in sample.components}
    if not told:
        unproven(Reason.NO_EVIDENCE, f"{health_facts.path} names no component that the guide could cover")
    for name in sorted(told):
        assert covered(docs_facts.entries, name), (
            f"{docs_facts.troubleshooting.path} has no entry about {name}, which {health_facts.path} tells of"
        )


@pytest.mark.checklist(TROUBLESHOOTING, text=TEXT)
def test_troubleshooting_refusals(docs_facts: DocsFacts, api_docs_facts: ApiDocsFacts) -> None:
    """Every status of refusal that the API documents has an entry; without any, failures as such have one."""
    if docs_facts.troubleshooting is None:
        unproven(Reason.NO_CONFIG, "no docs.troubleshooting in the target file; add it")
    if not api_docs_facts.operations:
        unproven(Reason.NO_EVIDENCE, f"{api_docs_facts.path} documents no operation")
    for status in api_docs_facts.failures or ("401", "429", "503"):
        found = any(re.search(rf"\b{status}\b", entry.about) for entry in docs_facts.entries)
        assert found, f"{docs_facts.troubleshooting.path} has no entry about answers with {status}"


@pytest.mark.checklist(TROUBLESHOOTING, text=TEXT)
def test_troubleshooting_reviewed(
    docs_facts: DocsFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Somebody who knows the service read the guide as it is now."""
    age = limits.runbooks_review_max_age_d
    file = evidence.newest(evidence_facts.files, TROUBLESHOOTING, now=now, max_age_d=age, this_release=False)
    if docs_facts.troubleshooting is None:
        unproven(Reason.NO_CONFIG, "no docs.troubleshooting in the target file; add it")
    reviewed(fact(file, "documents", dict), [docs_facts.troubleshooting], file.name)
    at = moment(file, "reviewed_at")
    assert now - at <= timedelta(days=age), f"the review is {(now - at).days} days old"


def covered(entries: tuple[Entry, ...], name: str) -> bool:
    """Whether an entry is about something, under any of the names that it usually has."""
    plain = name.lower()
    names = {
        plain,
        *next((known for known in ALIASES.values() if plain in known), ALIASES.get(plain, frozenset())),
    }
    words = "|".join(re.escape(one) for one in sorted(names))
    return any(
        re.search(rf"(?<![a-z0-9])(?:{words})s?(?![a-z0-9])", entry.about.lower()) for entry in entries
    )
