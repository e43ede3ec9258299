"""Rollback Procedure, steps four and five (items 112 and 113): the database fits, and the suites say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import drills, evidence
from pytest_deploycheck.claims.drills import fact
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_deploycheck.drill.record import DrillRecord, Step
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.drill import DrillFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts

RESTORE = "rollback.procedure.restore_db"
VERIFY = "rollback.procedure.verify"


def newest(evidence: EvidenceFacts, facts: DrillFacts, limits: Limits, now: datetime) -> DrillRecord:
    """Return the newest drill that counts."""
    return drills.newest(
        evidence.files, now=now, max_age_d=limits.drill_max_age_d, migrations=facts.migrations
    )


@pytest.mark.checklist(RESTORE, text="Restore database from backup (if needed)")
def test_restored(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """The database came to what the release before fits, as the release says: unchanged, downgraded or restored.

    Where nothing is done with it, the suites of the release before on the schema of this one are the proof.
    """
    record = newest(evidence_facts, drill_facts, limits, now)
    step = drills.step(record, "restore_db")
    mode = fact(step, "mode", str)
    if not drill_facts.db_rollback:
        unproven(
            Reason.NO_CONFIG, "no release.db_rollback in the target file; say none, downgrade or restore"
        )
    if mode != drill_facts.db_rollback:
        unproven(
            Reason.STALE,
            f"the drill did {mode} with the database, and this release needs {drill_facts.db_rollback}",
        )
    assert fact(step, "answers", bool), "the release before did not work with the database"
    head = fact(step, "schema", (str, type(None)))
    fits = record.previous.fits
    if mode == "none":
        verify = record.step("verify")
        assert verify is not None, "nothing was done with the database, and no suites show that this works"
        assert verify.state == "done", f"nothing was done with the database, and the suites say: {verify.why}"
    if fits and head is not None:
        assert head in fits, (
            f"the schema is at {head}; release {record.previous.version} fits {', '.join(fits)}"
        )
    elif mode != "none":
        unproven(
            Reason.NO_EVIDENCE,
            "the manifest of the release before does not say which schema it fits (schema)",
        )
    if mode == "restore":
        label = fact(record.step("snapshot") or step, "id", str)
        assert fact(step, "from", str), "the restore does not say what it restored"
        assert step.after["from"] == label or step.after.get("point_at"), f"what was restored is not {label}"
    took = fact(step, "took_s", (int, float))
    assert took <= limits.drill_rto_s, f"it took {took / 60:.0f} minutes"


@pytest.mark.checklist(RESTORE, text="Restore database from backup (if needed)")
def test_sound(evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime) -> None:
    """Nothing was lost with the data: sequences, extensions, grants and indexes are as they have to be."""
    step = drills.step(newest(evidence_facts, drill_facts, limits, now), "restore_db")
    if not fact(step, "rows", dict):
        unproven(Reason.NO_CONFIG, "the drill looked at no business table; name them in db.business_tables")
    for one in fact(step, "sequences", list):
        last, top = one.get("last"), one.get("max")
        if top is None:
            continue
        if last is None:
            unproven(Reason.NO_ACCESS, f"where {one['sequence']} stands; give db.admin_dsn")
        assert last >= top, f"{one['sequence']} stands at {last}, and its column goes up to {top}"
    lost = sorted(set(fact(step, "extensions", list, part="before")) - set(fact(step, "extensions", list)))
    assert not lost, f"extensions are missing: {', '.join(lost)}"
    grants = step.after.get("grants")
    if grants is None:
        unproven(
            Reason.NO_CONFIG, "no db.app_role in the target file; whether it kept its rights was not seen"
        )
    assert not grants, f"rights are missing: {grants[0]}"
    if step.after["mode"] == "restore":
        sound = step.after.get("amcheck")
        assert sound is not False, "amcheck found broken indexes"


@pytest.mark.checklist(RESTORE, text="Restore database from backup (if needed)")
def test_loss(evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime) -> None:
    """What was lost is known and little, and the copy of the chain is the chain again."""
    record = newest(evidence_facts, drill_facts, limits, now)
    step = drills.step(record, "restore_db")
    if record.rpo_s is None:
        unproven(Reason.NO_EVIDENCE, "the restore does not say to which time it went (point_at)")
    assert record.rpo_s <= limits.drill_rpo_s, f"{record.rpo_s:.0f} s of business data were lost"
    tables = set(fact(step, "rows", dict))
    assert tables, "the drill looked at no business table"
    assert set(record.rows_lost) >= tables, "the record does not count the rows lost of each table"
    if record.rpo_s == 0:
        lost = {name: count for name, count in record.rows_lost.items() if count}
        assert not lost, f"rows were lost although the restored point is after the last write: {lost}"
    if drill_facts.contract:
        _indexed(step)


def _indexed(step: Step) -> None:
    """Have every event of the chain in the database, and none that the chain does not have."""
    events = step.after.get("events")
    if events is None:
        unproven(Reason.NO_EVIDENCE, "the drill could not compare the database with the chain")
    assert events["last_block"] >= events["first_block"], "no block was compared"
    assert events["missing"] == 0, (
        f"{events['missing']} events of blocks {events['first_block']} to {events['last_block']} are not in the "
        "restored database: the chain was not indexed again"
    )
    assert events["unknown"] == 0, f"the database has {events['unknown']} events that the chain does not have"


@pytest.mark.checklist(VERIFY, text="Verify system functionality")
def test_verified(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """The suites passed on the release before, all of them, before users came back."""
    record = newest(evidence_facts, drill_facts, limits, now)
    step = drills.step(record, "verify")
    release = fact(step, "release", dict)
    assert release.get("commit") == record.previous.commit, (
        f"the suites looked at {release.get('version')} ({release.get('commit')}), not at the release before"
    )
    items = fact(step, "items", dict)
    assert items, "the suites judged no item"
    bad = sorted(f"{item}: {verdict}" for item, verdict in items.items() if verdict != "passed")
    assert not bad, f"on the release before, {len(bad)} items did not pass: {bad[0]}"
    assert fact(step, "exit_status", int) == 0, "the suites did not end well"
    functional = [item for item in items if item.startswith("post_deploy.functional.")]
    assert functional, "the suites looked at nothing of post_deploy.functional"
    assert fact(step, "run", str), "the record names no run"
    assert len(fact(step, "evidence_sha256", str)) == 64, "the record does not bind the run's evidence"
    took = fact(step, "took_s", (int, float))
    assert took <= limits.drill_verify_max_s, f"the suites took {took:.0f} s"


@pytest.mark.checklist(VERIFY, text="Verify system functionality")
def test_a_person_looked(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """A person looked at restored data in that drill, and it was what it had to be."""
    record = newest(evidence_facts, drill_facts, limits, now)
    drills.step(record, "verify")
    file = evidence.newest(
        evidence_facts.files, VERIFY, now=now, max_age_d=limits.drill_max_age_d, this_release=False
    )
    about = evidence.fact(file, "drill", str)
    if about != record.id:
        unproven(Reason.STALE, f"{file.name} is about {about}, not about the newest drill {record.id}")
    assert evidence.fact(file, "looked_at", str).strip(), f"{file.name} does not say what was looked at"
    assert evidence.fact(file, "as_expected", bool), f"{file.name}: the restored data were not as expected"
