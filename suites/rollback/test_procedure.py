"""Rollback Procedure, the first three steps (items 109 to 111): the door is closed, the state kept, the release back.

Each is proven by the newest signed record of a drill (docs/drill.md), and by what would be possible now.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import drills
from pytest_deploycheck.claims.drills import at, fact
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.drill.record import DrillRecord
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.drill import DrillFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts

MAINTENANCE = "rollback.procedure.maintenance"
SNAPSHOT = "rollback.procedure.snapshot"
PREVIOUS = "rollback.procedure.previous"


def newest(evidence: EvidenceFacts, facts: DrillFacts, limits: Limits, now: datetime) -> DrillRecord:
    """Return the newest drill that counts."""
    return drills.newest(
        evidence.files, now=now, max_age_d=limits.drill_max_age_d, migrations=facts.migrations
    )


def commands(facts: DrillFacts, *names: str) -> None:
    """Have commands of the target file that are there."""
    for name in names:
        one = next(one for one in facts.commands if one.name == name)
        if not one.given:
            unproven(Reason.NO_CONFIG, f"no rollback.{name} in the target file; add it")
        assert one.there is not False, f"rollback.{name}: {one.program} is not there"


@pytest.mark.checklist(MAINTENANCE, text="Stop accepting new requests (maintenance mode)")
def test_maintenance(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """Every public route turned users away, in time and with 503, Retry-After and words that programs understand.

    A page that says "maintenance" with status 200 is taken for the answer by every program and cache. Operators and
    load balancers still came through.
    """
    step = drills.step(newest(evidence_facts, drill_facts, limits, now), "maintenance")
    took = fact(step, "closed_after_s", (int, float))
    assert took <= limits.drill_close_max_s, f"the door closed after {took:.0f} s"
    routes = fact(step, "routes", list)
    assert routes, "the drill asked no public route"
    opened = [one for one in fact(step, "routes", list, part="before") if one["status"] not in (0, 503)]
    assert opened, "no public route was open before the door was closed: the drill showed nothing"
    for one in routes:
        name = f"{one['method']} {one['url']}"
        assert one["status"] == 503, f"in maintenance, {name} answers {one['status']}"
        assert one.get("retry_after"), f"in maintenance, {name} does not say when to come back (Retry-After)"
        kind = str(one.get("media_type", ""))
        assert kind in ("application/problem+json", "application/json", "text/html"), (
            f"in maintenance, {name} answers with {kind or 'nothing'}, no page and no problem details"
        )
        assert one.get("says"), f"in maintenance, {name} answers with an empty body"
    for one in fact(step, "live", list):
        assert 200 <= one["status"] < 400, (
            f"in maintenance, {one['url']} answers a load balancer {one['status']}"
        )
    through = fact(step, "operator_status", int)
    assert 200 <= through < 400, f"in maintenance, operators do not come through: {through}"


@pytest.mark.checklist(MAINTENANCE, text="Stop accepting new requests (maintenance mode)")
def test_nothing_is_written(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """Behind the closed door nothing was written: no row, no work, no transaction; and what was under way ended well."""
    record = newest(evidence_facts, drill_facts, limits, now)
    step = drills.step(record, "maintenance")
    watched = fact(step, "quiet_s", (int, float))
    assert watched >= limits.drill_quiet_s, f"the drill watched for {watched:g} s only"
    before, after = fact(step, "rows", dict), fact(step, "rows_later", dict)
    if not before:
        unproven(Reason.NO_CONFIG, "the drill looked at no business table; name them in db.business_tables")
    assert before == after, f"in maintenance, rows were written: {before} became {after}"
    if drill_facts.workers:
        worker = fact(step, "worker")
        assert worker == fact(step, "worker_later"), "in maintenance, a worker went on working"
    nonce = step.after.get("nonce")
    assert nonce == step.after.get("nonce_later"), "in maintenance, a transaction was sent"
    broken = record.outage.broken_off
    assert broken == 0, f"{broken} requests were cut off without an answer"


@pytest.mark.checklist(MAINTENANCE, text="Stop accepting new requests (maintenance mode)")
def test_silences_end(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """Alerts were kept quiet by silences that end by themselves, and the door can still be closed today."""
    step = drills.step(newest(evidence_facts, drill_facts, limits, now), "maintenance")
    known = {one["id"] for one in step.before.get("silences") or ()}
    for one in step.after.get("silences") or ():
        if one["id"] in known:
            continue
        lasts = (datetime.fromisoformat(one["ends_at"]) - step.start).total_seconds()
        assert lasts <= limits.drill_silence_max_s, f"silence {one['id']} lasts {lasts / 3600:.1f} hours"
    commands(drill_facts, "maintenance_on", "maintenance_off")
    assert drill_facts.toggle is not False, "the edge's configuration has no way to answer 503 by itself"


@pytest.mark.checklist(SNAPSHOT, text="Backup current state")
def test_snapshot(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """All that is needed to come forward again was kept, after the door was closed, and not only on this machine."""
    record = newest(evidence_facts, drill_facts, limits, now)
    step = drills.step(record, "snapshot")
    shut = drills.step(record, "maintenance")
    assert fact(step, "id", str), "the snapshot has no id"
    assert at(step, "started_at") >= shut.end, "the snapshot was begun before the door was closed"
    items = fact(step, "items", dict)
    for name in drill_facts.snapshot_items:
        assert items.get(name), f"the snapshot does not hold: {name}"
    if "env" in drill_facts.snapshot_items:
        assert items["env"].get("encrypted") is True, (
            "the snapshot holds the environment file, and not encrypted"
        )
    if "contract" in drill_facts.snapshot_items:
        assert isinstance(items["contract"].get("block"), int), (
            "the snapshot does not say up to which block it goes"
        )
    if "images" in drill_facts.snapshot_items and record.release.images:
        assert dict(items["images"]) == record.release.images, (
            "the snapshot names other images than those that ran"
        )
    listed = step.after.get("catalogue")
    if listed is None:
        unproven(Reason.NO_EVIDENCE, "no catalogue of backups could be read in the drill")
    assert listed["repos"], f"no catalogue of backups lists the snapshot {step.after['id']}"
    made = datetime.fromisoformat(listed["at"])
    assert made.timestamp() >= shut.end.timestamp() - 1, (
        f"the catalogue's snapshot is of {made}, before the maintenance"
    )
    if drill_facts.offhost:
        assert listed["off_host"], "the snapshot lies only on the machine that is changed"


@pytest.mark.checklist(SNAPSHOT, text="Backup current state")
def test_snapshot_is_complete(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """The database stood still from the closed door to the snapshot, and its command is there today."""
    record = newest(evidence_facts, drill_facts, limits, now)
    step = drills.step(record, "snapshot")
    begin, end = _lsn(fact(step, "lsn", str, part="before")), _lsn(fact(step, "lsn", str))
    assert end >= begin, f"the log's position went back during the snapshot, from {begin} to {end}"
    commands(drill_facts, "snapshot_cmd")


@pytest.mark.checklist(PREVIOUS, text="Restore previous version")
def test_previous(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """The release before answered, on every instance, in time, from its own images and with its own configuration."""
    record = newest(evidence_facts, drill_facts, limits, now)
    step = drills.step(record, "previous")
    wanted = record.previous
    assert wanted.commit, "the drill's record names no commit of the release before"
    assert wanted.commit != record.release.commit, "the drill went back to the release that ran"
    told = fact(step, "told.commit", str)
    assert told == wanted.commit, f"commit {told} answered, not {wanted.commit} of release {wanted.version}"
    others = sorted(set(fact(step, "answers", list)) - {wanted.commit})
    assert not others, f"some instances still answered as {others[0]}"
    took = fact(step, "took_s", (int, float))
    assert took <= limits.drill_previous_max_s, f"it took {took:.0f} s until the release before ran"
    running = fact(step, "images", dict)
    for service, digest in wanted.images.items():
        assert running.get(service) == digest, f"{service} ran from {running.get(service)}, not from {digest}"
    if wanted.config_sha256:
        assert fact(step, "config_sha256", str) == wanted.config_sha256, (
            "the configuration is not that of the release before"
        )


@pytest.mark.checklist(PREVIOUS, text="Restore previous version")
def test_previous_is_there(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """The release before could be started now: its manifest names every service by a digest that is still there."""
    newest(evidence_facts, drill_facts, limits, now)
    if drill_facts.problem:
        unproven(Reason.NO_CONFIG, drill_facts.problem)
    assert drill_facts.previous.commit, "the manifest of the release before names no commit"
    assert drill_facts.previous.commit != drill_facts.commit, (
        "the manifest of the release before is of this release"
    )
    present = {one.service for one in drill_facts.images}
    missing = sorted({service for service, _ in drill_facts.release_images} - present)
    assert not missing, f"the manifest of the release before does not name an image of {', '.join(missing)}"
    for one in drill_facts.images:
        if one.where is None:
            unproven(Reason.NO_ACCESS, f"whether the image of {one.service} is still there: {one.why}")
        assert one.where, f"{one.service}: {one.digest} of the release before is not in the registry any more"
    commands(drill_facts, "previous_cmd")
    if drill_facts.contract:
        assert drill_facts.contract_plan, "rollback.contract_plan does not say what becomes of the contract"


def _lsn(text: str) -> int:
    """Return a position in the write-ahead log as a number."""
    high, slash, low = text.partition("/")
    if not slash:
        unproven(Reason.UNPARSEABLE, f"{text!r} is no position in the log")
    return (int(high, 16) << 32) + int(low, 16)
