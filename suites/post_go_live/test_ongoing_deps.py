"""Post go-live, ongoing: dependencies are updated, and the updates reach production."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.audits import blocks
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.dependencies import DependenciesFacts
    from pytest_deploycheck.probes.lock_history import LockHistoryFacts

ITEM = "post_go_live.ongoing.deps"
DEPS = "Regular dependency updates"


@pytest.mark.checklist(ITEM, text=DEPS)
def test_deps(
    lock_history_facts: LockHistoryFacts, dependencies_facts: DependenciesFacts, limits: Limits, now: datetime
) -> None:
    """Each lock file was updated within the last weeks, or a fresh list shows that nothing was there to update."""
    facts = lock_history_facts
    assert facts.locks, f"{facts.branch} has no lock file"
    for lock in facts.locks:
        if facts.shallow or not lock.updated_at:
            unproven(
                Reason.NO_EVIDENCE,
                f"the clone's history does not tell when {lock.path} changed; fetch all of it",
            )
        age = now - datetime.fromisoformat(lock.updated_at)
        if age > timedelta(days=limits.deps_update_every_d):
            current = [
                listed
                for listed in dependencies_facts.outdated
                if listed.ecosystem == lock.ecosystem
                and not listed.behind
                and (seen := listed.origin.age_s(now)) is not None
                and seen <= limits.deps_audit_max_age_d * 86_400
            ]
            assert current, f"{lock.path} was last updated {age.days} days ago, and no list shows it current"


@pytest.mark.checklist(ITEM, text=DEPS)
def test_deps_audited(dependencies_facts: DependenciesFacts, limits: Limits, now: datetime) -> None:
    """They are audited every week, nothing severe is open, and no runtime has come to its end."""
    facts = dependencies_facts
    if not facts.audits:
        unproven(Reason.NO_EVIDENCE, "there is no audit of dependencies; see [reports]")
    for runtime in facts.runtimes:
        assert not runtime.ends_on or runtime.ends_on >= now.date().isoformat(), (
            f"{runtime.name} {runtime.version} (in {runtime.named_in}) gets no security updates since {runtime.ends_on}"
        )
    for audit in facts.audits:
        for hit in audit.audited.found:
            assert not blocks(hit.level, facts.block_level), f"{audit.origin.file}: {hit.id} in {hit.package}"
        for level, count in audit.audited.counted:
            assert count == 0 or not blocks(level, facts.block_level), (
                f"{audit.origin.file}: {count} vulnerabilities are {level}"
            )
    for name, why in facts.unreadable:
        unproven(Reason.UNPARSEABLE, f"{name}: {why}")
    for ecosystem in sorted({lock.ecosystem for lock in facts.locks or ()}):
        ages = [
            age
            for audit in facts.audits
            if audit.ecosystem in (ecosystem, "") and (age := audit.origin.age_s(now)) is not None
        ]
        if not ages:
            unproven(Reason.NO_EVIDENCE, f"no audit of {ecosystem} says when it was made")
        assert min(ages) <= limits.deps_audit_max_age_d * 86_400, (
            f"the newest audit of {ecosystem} is {min(ages) / 86_400:.0f} days old"
        )


@pytest.mark.checklist(ITEM, text=DEPS)
def test_deps_reach_production(
    lock_history_facts: LockHistoryFacts, dependencies_facts: DependenciesFacts, limits: Limits, now: datetime
) -> None:
    """What was updated on the branch is released soon, in images that are built anew and say what is in them."""
    facts = dependencies_facts
    history = lock_history_facts
    assert history.locks, f"{history.branch} has no lock file"
    for lock in history.locks:
        if lock.same_as_released:
            continue
        if history.shallow or not lock.updated_at:
            unproven(Reason.NO_EVIDENCE, f"the clone's history does not tell when {lock.path} changed")
        lag = now - datetime.fromisoformat(lock.updated_at)
        assert lag <= timedelta(days=limits.deps_deploy_lag_max_d), (
            f"{lock.path} was updated on {history.branch} {lag.days} days ago and is not released"
        )
    for service, digest in facts.built:
        about = [one for one in facts.sboms if digest in one.digests]
        if not facts.sboms:
            unproven(
                Reason.NO_EVIDENCE,
                "no bill of materials tells what the running images hold; see reports.sbom",
            )
        assert about, f"{service} runs {digest[:19]}…, and no bill of materials is about that image"
        newest = max(about, key=lambda one: one.origin.produced_at)
        age_s = newest.origin.age_s(now)
        if age_s is None:
            unproven(Reason.NO_EVIDENCE, f"{newest.origin.file} does not say when it was made")
        assert age_s <= limits.deps_base_max_age_d * 86_400, (
            f"{newest.origin.file}: the image of {service} was taken stock of {age_s / 86_400:.0f} days ago; build it anew"
        )
