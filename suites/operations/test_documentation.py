"""Operational Readiness, Documentation (items 64 and 65): the deployment guide and the runbooks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import evidence
from pytest_deploycheck.claims.documents import reviewed, sound, true
from pytest_deploycheck.claims.evidence import fact, moment, moment_of
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.docs_facts import DocsFacts, Document
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.rules import RulesFacts

DEPLOY = "operations.documentation.deploy"
RUNBOOKS = "operations.documentation.runbooks"


@pytest.mark.checklist(DEPLOY, text="Deployment documentation updated")
def test_deploy(docs_facts: DocsFacts, limits: Limits) -> None:
    """The deployment guide has all its parts, is finished, and names only what this release has."""
    guide = _named(docs_facts.deploy, "docs.deploy")
    sound(guide, limits)
    assert not guide.lacks, f"{guide.path} has no section about: {'; '.join(guide.lacks)}"
    if not docs_facts.repository:
        unproven(
            Reason.NO_ACCESS,
            "the clone of the repository does not have the released commit, so that nobody can say what the guide "
            "describes; set repo.clone",
        )
    assert any(part.commands for part in guide.parts), f"{guide.path} has no command that could be run"
    assert guide.covers is not False, (
        f"{guide.path} is for {', '.join(guide.versions)}, not for {docs_facts.version}"
    )


@pytest.mark.checklist(DEPLOY, text="Deployment documentation updated")
def test_deploy_current(
    docs_facts: DocsFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Since what it describes last changed, the guide was changed as well, or somebody read it again.

    Times are those of commits, never of files.  The review names the guide by its digest, so that it is about
    this text.
    """
    guide = _named(docs_facts.deploy, "docs.deploy")
    file = evidence.newest(
        evidence_facts.files, DEPLOY, now=now, max_age_d=limits.docs_review_max_age_d, this_release=False
    )
    reviewed_at = reviewed(fact(file, "documents", dict), [guide], file.name)
    at = moment(file, "reviewed_at")
    assert at <= now + timedelta(minutes=5), f"{file.name}: reviewed in the future"
    assert now - at <= timedelta(days=limits.docs_review_max_age_d), (
        f"the review is {(now - at).days} days old"
    )
    assert reviewed_at, f"{file.name} names no document"
    if not docs_facts.inputs:
        unproven(
            Reason.NO_CONFIG,
            "the repository has nothing that a deployment is made from; set docs.deploy_inputs",
        )
    known = [(path, datetime.fromisoformat(changed)) for path, changed in docs_facts.inputs if changed]
    if not known:
        unproven(Reason.NO_ACCESS, "the clone does not say when what the guide describes last changed")
    path, changed = max(known, key=lambda one: one[1])
    touched = datetime.fromisoformat(guide.changed_at) if guide.changed_at else None
    assert (touched is not None and touched >= changed) or at >= changed, (
        f"{path} changed at {changed.isoformat()}; {guide.path} changed at {guide.changed_at or '?'} and was "
        f"reviewed at {at.isoformat()}"
    )
    if guide.covers is None:
        assert not file.differs, f"{guide.path} says no version, and its review is for another release"


@pytest.mark.checklist(RUNBOOKS, text="Runbooks created for common operations")
def test_runbooks(docs_facts: DocsFacts, limits: Limits) -> None:
    """Every operation has a runbook with its sections and commands, finished and true of this release."""
    if not docs_facts.runbook_dir:
        unproven(Reason.NO_CONFIG, "no docs.runbook_dir in the target file; add it")
    assert docs_facts.pages, f"{docs_facts.runbook_dir} holds no page"
    assert docs_facts.runbooks, "docs.required_runbooks asks for none"
    for operation, why in docs_facts.not_needed:
        assert why.strip(), f"docs.runbooks_not_needed says not why {operation!r} is not needed"
    for page in docs_facts.pages:
        true(page)
    for book in docs_facts.runbooks:
        assert book.path, f"no page of {docs_facts.runbook_dir} has a heading for: {book.operation}"
        where = f"{book.path}, {book.heading!r}"
        assert not book.lacks, f"{where} has no section about: {', '.join(book.lacks)}"
        assert book.commands, f"{where} has no command that could be run"
        assert not book.undone, f"{where} is not finished: {', '.join(book.undone)}"


@pytest.mark.checklist(RUNBOOKS, text="Runbooks created for common operations")
def test_runbooks_of_alerts(docs_facts: DocsFacts, rules_facts: RulesFacts) -> None:
    """Every alert's link leads to a page and a heading with steps, and no page is about an alert that is gone."""
    if not docs_facts.runbook_dir:
        unproven(Reason.NO_CONFIG, "no docs.runbook_dir in the target file; add it")
    assert rules_facts.alerts, "Prometheus has no alert"
    linked: set[str] = set()
    for alert in rules_facts.alerts:
        if not alert.runbook:
            assert not _is_critical(alert.severity), (
                f"alert {alert.name} is {alert.severity} and has no runbook"
            )
            continue
        address, _, anchor = alert.runbook.partition("#")
        page = page_of(docs_facts.pages, address, rules_facts.runbook_base, docs_facts.runbook_dir)
        assert page is not None, (
            f"alert {alert.name} links to {address}, which is none of {docs_facts.runbook_dir}"
        )
        linked.add(page.path)
        part = next((one for one in page.parts if not anchor or one.slug == anchor.lower()), None)
        assert part is not None, f"alert {alert.name} links to #{anchor}, which {page.path} does not have"
        assert part.steps, f"{page.path}, {part.title!r}: says not what to do when {alert.name} fires"
    names = {alert.name.lower() for alert in rules_facts.alerts}
    for page in docs_facts.pages:
        for part in page.parts if page.path in linked else ():
            gone = looks_like_alert(part.title) and part.title.lower() not in names
            assert not gone, f"{page.path} is about {part.title}, which is no alert any more"


@pytest.mark.checklist(RUNBOOKS, text="Runbooks created for common operations")
def test_runbooks_reviewed(
    docs_facts: DocsFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Operations read each runbook as it is now, and went through those that are needed in an emergency."""
    age = limits.runbooks_review_max_age_d
    file = evidence.newest(evidence_facts.files, RUNBOOKS, now=now, max_age_d=age, this_release=False)
    needed = {book.path for book in docs_facts.runbooks if book.path}
    assert needed, f"{docs_facts.runbook_dir or 'docs.runbook_dir'} holds no runbook of any operation"
    reviewed(
        fact(file, "documents", dict), [page for page in docs_facts.pages if page.path in needed], file.name
    )
    at = moment(file, "reviewed_at")
    assert now - at <= timedelta(days=age), f"the review is {(now - at).days} days old"
    exercised = fact(file, "exercised", dict)
    for operation in docs_facts.critical:
        done = exercised.get(operation)
        assert isinstance(done, dict) and done.get("at"), f"nobody has gone through the runbook: {operation}"
        assert done.get("drill"), (
            f"{file.name} names no drill or incident in which {operation!r} was gone through"
        )
        ago = now - moment_of(str(done["at"]), f"{file.name}: exercised {operation}")
        assert timedelta(minutes=-5) <= ago <= timedelta(days=limits.runbook_exercise_max_age_d), (
            f"{operation!r} was gone through {ago.days} days ago"
        )


def _named(document: Document | None, key: str) -> Document:
    if document is None:
        unproven(Reason.NO_CONFIG, f"no {key} in the target file; add it")
    return document


def page_of(pages: Iterable[Document], address: str, base: str, folder: str) -> Document | None:
    """Return the page that an alert's link leads to: by its path below the wiki's address, or by its name."""
    plain = address.rstrip("/")
    inside = plain.removeprefix(f"{base}/") if base and plain.startswith(f"{base}/") else ""
    name = plain.rpartition("/")[2].rpartition(".")[0] or plain.rpartition("/")[2]
    for page in pages:
        if inside and page.path.removeprefix(f"{folder.rstrip('/')}/").rpartition(".")[0] in (
            inside,
            inside.rpartition(".")[0],
        ):
            return page
    if inside:
        return None
    return next((page for page in pages if page.path.rpartition("/")[2].rpartition(".")[0] == name), None)


def looks_like_alert(title: str) -> bool:
    """Whether a heading is one word in the manner of alerts' names: several capitals, no space."""
    return (
        title.isalnum()
        and title[:1].isupper()
        and sum(letter.isupper() for letter in title) > 1
        and not title.isupper()
    )


def _is_critical(severity: str) -> bool:
    return severity.lower() in ("critical", "page", "p1", "sev1", "emergency", "high", "1")
