"""Deployment Process, Database Setup: migrations (item 28)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.claims import evidence
from pytest_deploycheck.claims.evidence import fact

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.migrations import MigrationsFacts

ITEM = "deploy.database.migrations"
MIGRATIONS = "Database migrations tested"


@pytest.mark.smoke
@pytest.mark.checklist(ITEM, text=MIGRATIONS)
def test_migrations(migrations_facts: MigrationsFacts) -> None:
    """The database is where the release's code expects it: all applied, none failed, none of another release."""
    facts = migrations_facts
    assert facts.files, "the release has no migrations"
    assert not facts.missing, f"the table of {facts.tool} is not there: nothing was ever applied"
    assert not facts.failed, f"these did not end well: {', '.join(facts.failed)}"
    assert not facts.pending, f"in the release, but not applied: {', '.join(facts.pending)}"
    assert not facts.unknown, f"applied, but not in the release: {', '.join(facts.unknown)}"
    assert not facts.edited, f"applied from other files than the release's: {', '.join(facts.edited)}"
    assert len(facts.heads) <= 1, f"the history forked; its heads are {', '.join(facts.heads)}"


@pytest.mark.checklist(ITEM, text=MIGRATIONS)
def test_migrations_rehearsed(
    migrations_facts: MigrationsFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Exactly these files were rehearsed on a copy with data, the application ran on it, and there is a way back."""
    file = evidence.newest(evidence_facts.files, ITEM, now=now, max_age_d=limits.rehearsal_max_age_d)
    rehearsed = fact(file, "files_hash", str)
    assert rehearsed == migrations_facts.files_hash, (
        f"{file.name} is about other migration files than the release's"
    )
    assert fact(file, "upgraded", bool) is True, f"{file.name}: the upgrade did not succeed"
    assert fact(file, "smoke", str) == "passed", f"{file.name}: the application did not work on the result"
    rows = fact(file, "rows", int)
    assert rows >= limits.rehearsal_min_rows, f"{file.name}: rehearsed on {rows} rows"
    assert fact(file, "downgrade", str) in ("tested", "forward-only"), (
        f"{file.name} says nothing of a way back"
    )
    locked = fact(file, "longest_lock_s", (int, float))
    assert locked <= limits.rehearsal_lock_max_s, f"{file.name}: a lock was held for {locked} s"
