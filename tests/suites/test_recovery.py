"""Backups of the first week, tests of each quarter, and the archiver, judged over facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import PROVISIONAL, Pending, Unproven
from pytest_deploycheck.claims.signatures import Status
from pytest_deploycheck.claims.signed import Signature, SignedFile
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.archiver import ArchiverFacts
from pytest_deploycheck.probes.backup import BackupFacts, Repository
from pytest_deploycheck.probes.backup_age import moment
from pytest_deploycheck.probes.backup_catalogue import Backup
from pytest_deploycheck.probes.backup_jobs import BackupJobsFacts, Job
from pytest_deploycheck.probes.dr_plan import DrPlanFacts, Smoke
from pytest_deploycheck.probes.evidence import EvidenceFacts
from suites.go_live import test_final_backups as final
from suites.operations import test_backup as schedule
from suites.post_go_live import test_first_week_backups as week
from suites.post_go_live import test_ongoing_dr as quarter

LIVE = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LIMITS = Limits()
DAY = timedelta(days=1)


def made(repo: str, at: datetime, **changes: Any) -> Backup:
    """Return a good backup that ended at a time."""
    label = f"{at:%m%d%H}"
    values = {
        "kind": "snapshot",
        "error": False,
        "size_bytes": 1000,
        "cluster": "7412",
        "tags": (),
        "paths": ("/srv/dumps",),
    }
    ended = at.isoformat()
    return Backup(repo=repo, label=label, started_at=ended, ended_at=ended, **{**values, **changes})


def nightly(*, without: int | None = None, repo: str = "", **changes: Any) -> BackupFacts:
    """Return a month of backups each night at two, here and off the host; without one of a night after the go-live."""
    first = LIVE.replace(hour=2) - 10 * DAY
    backups = [
        made(name, first + number * DAY)
        for number in range(40)
        for name in ("near", "far")
        if not (without is not None and number == 10 + without and repo in ("", name))
    ]
    repositories = tuple(
        Repository(name, f"/srv/{name}", "", name == "far", False, True, 10**9) for name in ("near", "far")
    )
    facts = BackupFacts(
        tool="restic",
        repositories=repositories,
        backups=tuple(backups),
        min_offhost=1,
        require_encryption=True,
        tag="predeploy",
        label="",
        deploy_started_at="",
        first_deploy=False,
        go_live_at=LIVE.isoformat(),
        rpo_h=26,
        rto_h=1,
        keep_d=30,
        scope=(("database", "dumps"),),
        elsewhere=(("uploads", "none"), ("config", "repository"), ("keys", "vault")),
        sentinel_tables=("users",),
    )
    return replace(facts, **changes)


def until(facts: BackupFacts, now: datetime) -> BackupFacts:
    """Return what its catalogues have at a time."""
    return replace(facts, backups=tuple(one for one in facts.backups if one.ended <= now))


def judge_week(facts: BackupFacts, now: datetime) -> list[datetime]:
    """Judge the backups of the week; return until when that is provisional."""
    noted: list[datetime] = []
    token = PROVISIONAL.set(noted)
    try:
        week.test_backups(until(facts, now), LIMITS, now)
    finally:
        PROVISIONAL.reset(token)
    return noted


def test_week_pending() -> None:
    """Before the first backup after the go-live is due there is nothing to judge."""
    with pytest.raises(Pending):
        judge_week(nightly(), LIVE + timedelta(hours=20))


def test_week_provisional_then_final() -> None:
    """What is there so far counts until the week is over, and then for good."""
    assert judge_week(nightly(), LIVE + 3 * DAY) == [LIVE + 7 * DAY]
    assert judge_week(nightly(), LIVE + 8 * DAY) == []


@pytest.mark.parametrize("repo", ["near", "far"])
@pytest.mark.parametrize("night", [1, 4, 7])
def test_week_without_a_night(repo: str, night: int) -> None:
    """One night without a backup, in either place, fails, also when all is well again."""
    with pytest.raises(AssertionError, match=f"{repo}: no good backup for"):
        judge_week(nightly(without=night, repo=repo), LIVE + 8 * DAY)


def test_week_with_errors_only() -> None:
    """Seven backups of which all have errors are none."""
    facts = nightly()
    bad = tuple(replace(one, error=one.ended > LIVE) for one in facts.backups)
    with pytest.raises(AssertionError, match="have errors"):
        judge_week(replace(facts, backups=bad), LIVE + 8 * DAY)


def test_week_with_a_small_one() -> None:
    """The newest backup is a tenth of the others: something is not in it."""
    facts = nightly()
    now = LIVE + 5 * DAY
    last = max(one.ended for one in until(facts, now).backups)
    small = tuple(replace(one, size_bytes=100) if one.ended == last else one for one in facts.backups)
    with pytest.raises(AssertionError, match="-90%"):
        judge_week(replace(facts, backups=small), now)


def record(item: str, role: str, at: datetime, facts: dict[str, Any], **changes: Any) -> SignedFile:
    """Return a record that counts."""
    values: dict[str, Any] = {
        "name": f"{item}-{at:%Y%m%d%H%M}.json",
        "sha256": "0" * 64,
        "kind": "record",
        "item": item,
        "principal": f"{role}@token.test",
        "role": role,
        "produced_at": at.isoformat(),
        "valid_until": (at + 400 * DAY).isoformat(),
        "facts": facts,
        "signatures": (Signature(f"{role}@token.test", Status.OK),),
    }
    return SignedFile(**values | changes)


def restored(backup: Backup, at: datetime, **changes: Any) -> SignedFile:
    """Return a record of a restore that began at a time."""
    table = {"users": {"rows": 5, "checksum": "77"}}
    facts = {
        "label": backup.label,
        "repo": backup.repo,
        "scratch_identifier": "99",
        "started_at": at.isoformat(),
        "ended_at": (at + timedelta(minutes=9)).isoformat(),
        "duration_s": 540,
        "amcheck": "clean",
        "head": "4",
        "head_at_backup": "4",
        "tables": table,
        "tables_at_backup": table,
        "smoke": {"there are users": True},
        "operator": "grace",
    }
    return record("operations.backup.restore", "devops", at + timedelta(minutes=10), facts | changes)


def evidence(*files: SignedFile) -> EvidenceFacts:
    """Return signed files."""
    return EvidenceFacts("claims", files, ())


@pytest.mark.parametrize(("night", "days", "fine"), [(3, 4, True), (0, 1, False), (-3, 1, False)])
def test_week_restored(night: int, days: int, fine: bool) -> None:
    """Once the week is over, a restore of a backup from before the go-live is not enough."""
    facts, now = until(nightly(), LIVE + 8 * DAY), LIVE + 8 * DAY
    at = LIVE.replace(hour=2) + night * DAY
    backup = next(one for one in facts.of("far") if one.ended == at)
    files = evidence(restored(backup, LIVE + days * DAY))
    if fine:
        week.test_backup_restored(files, facts, LIMITS, now)
        return
    with pytest.raises(AssertionError, match="before the go-live"):
        week.test_backup_restored(files, facts, LIMITS, now)
    with pytest.raises(Pending):
        week.test_backup_restored(files, until(facts, LIVE + 3 * DAY), LIMITS, LIVE + 3 * DAY)


def test_week_restored_from_the_host() -> None:
    """A restore of the copy on the host proves nothing for the day on which the host is lost."""
    facts, now = until(nightly(), LIVE + 8 * DAY), LIVE + 8 * DAY
    backup = next(one for one in facts.of("near") if one.ended > LIVE)
    with pytest.raises(AssertionError, match="on the host"):
        week.test_backup_restored(evidence(restored(backup, LIVE + 2 * DAY)), facts, LIMITS, now)


def test_physical_restore_keeps_the_identifier() -> None:
    """A physical backup has production's identifier; then it must have been restored on another host."""
    facts, now = until(nightly(), LIVE + 8 * DAY), LIVE + 8 * DAY
    backup = facts.of("far")[-3]
    same = {"scratch_identifier": "7412", "scratch_host": "db-2", "production_host": "db-1"}
    week.test_backup_restored(evidence(restored(backup, LIVE + 7 * DAY, **same)), facts, LIMITS, now)
    same["scratch_host"] = "db-1"
    with pytest.raises(AssertionError, match="into production"):
        week.test_backup_restored(evidence(restored(backup, LIVE + 7 * DAY, **same)), facts, LIMITS, now)


@pytest.mark.parametrize("entry", [{"rows": "many", "checksum": "77"}, {"rows": 5, "checksum": 77}])
def test_restore_of_something_else(entry: dict[str, Any]) -> None:
    """Facts of other types than they should have prove nothing, also where both sides are alike."""
    facts, now = until(nightly(), LIVE + 8 * DAY), LIVE + 8 * DAY
    same = {"tables": {"users": entry}, "tables_at_backup": {"users": entry}}
    with pytest.raises(Unproven, match="is no"):
        week.test_backup_restored(
            evidence(restored(facts.of("far")[-3], LIVE + 7 * DAY, **same)), facts, LIMITS, now
        )


def drilled(kind: str, days: float, **changes: Any) -> SignedFile:
    """Return a record of a test some days after the go-live."""
    at = LIVE + timedelta(days=days)
    facts: dict[str, Any] = {"kind": kind, "held_at": at.isoformat(), "actions": []}
    if kind != "tabletop":
        facts |= {
            "lost_at": (at - timedelta(minutes=40)).isoformat(),
            "users_back_at": at.isoformat(),
            "restored_to": (at - timedelta(hours=9, minutes=40)).isoformat(),
            "rto_s": 2400,
            "rpo_s": 9 * 3600,
        }
    return record("post_go_live.ongoing.dr_test", "operations", at + timedelta(hours=1), facts | changes)


YEARS = (
    "full rebuild",
    "restore",
    "key compromise",
    "provider loss",
    "full rebuild",
    "restore",
    "key compromise",
)


def judge_quarters(now: datetime, *files: SignedFile, **changes: Any) -> None:
    """Judge tests of recovery."""
    smoke = tuple(Smoke(file.name, "a.xml", 6, 6, 0, "") for file in files)
    values: dict[str, Any] = {
        "lacks": (),
        "unforeseen": (),
        "stored": "",
        "interval_h": 24,
        "rpo_h": 26,
        "rto_h": 1,
    }
    facts = DrPlanFacts(document=None, meta=(), smoke=smoke, go_live_at=LIVE.isoformat(), **{**values})
    facts = replace(facts, **changes)
    quarter.test_quarterly(evidence(*files), facts, LIMITS, now)
    quarter.test_measured(evidence(*files), facts, LIMITS, now)


def regular(count: int) -> list[SignedFile]:
    """Return tests every 91 days, of each kind in turn."""
    return [drilled(YEARS[number % len(YEARS)], 91 * (number + 1)) for number in range(count)]


def test_quarters_pending() -> None:
    """In the first quarter none is due."""
    with pytest.raises(Pending):
        judge_quarters(LIVE + 100 * DAY)


def test_quarters_none() -> None:
    """After it there must be one."""
    with pytest.raises(Unproven, match="no signed record"):
        judge_quarters(LIVE + 110 * DAY)


@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_quarters_regular(count: int) -> None:
    """A test each quarter, of each kind in turn, is what is wanted, also after years."""
    judge_quarters(LIVE + (91 * count + 30) * DAY, *regular(count))


@pytest.mark.parametrize(
    ("count", "days", "why"),
    [(1, 91 + 130, "130 days ago"), (4, 4 * 91 + 107, "107 days ago")],
)
def test_quarters_old(count: int, days: int, why: str) -> None:
    """The newest is too long ago."""
    with pytest.raises(AssertionError, match=why):
        judge_quarters(LIVE + days * DAY, *regular(count))


def test_quarters_left_out() -> None:
    """A quarter without a test is seen also when the next had one."""
    files = [drilled("restore", 80), drilled("full rebuild", 300)]
    with pytest.raises(AssertionError, match="no test for 220 days"):
        judge_quarters(LIVE + 310 * DAY, *files)


def test_quarters_at_a_table() -> None:
    """Talks at a table are no tests, however many there are."""
    with pytest.raises(AssertionError, match="talks at a table"):
        judge_quarters(LIVE + 200 * DAY, drilled("tabletop", 90), drilled("tabletop", 180))


def test_quarters_always_the_same() -> None:
    """After a year each kind was among them."""
    files = [drilled("restore", 91 * number) for number in range(1, 6)]
    with pytest.raises(AssertionError, match="full rebuild, key compromise, provider loss"):
        judge_quarters(LIVE + 470 * DAY, *files)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"rto_s": 60}, "its times"),
        ({"rto_s": 7200, "lost_at": (LIVE + 90 * DAY - timedelta(hours=2)).isoformat()}, "rto_h is 1"),
        (
            {"actions": [{"what": "rope", "opened_at": (LIVE + 10 * DAY).isoformat()}]},
            "open for more than 60 days: rope",
        ),
    ],
)
def test_quarters_not_within(changes: dict[str, Any], why: str) -> None:
    """Times must fit and be within the promise, and what was found is mended in time."""
    if "lost_at" in changes:
        changes = {**changes, "restored_to": (LIVE + 89.7 * DAY).isoformat(), "rpo_s": 0.3 * 86400 - 7200}
    with pytest.raises(AssertionError, match=why):
        judge_quarters(LIVE + 100 * DAY, drilled("restore", 90, **changes))


def test_quarters_unmeasured() -> None:
    """A test of which nobody took the time proves nothing."""
    file = drilled("restore", 90)
    facts = {key: value for key, value in file.facts.items() if key != "users_back_at"}
    with pytest.raises(Unproven, match="users_back_at"):
        judge_quarters(LIVE + 100 * DAY, replace(file, facts=facts))


def test_quarters_without_results() -> None:
    """Nor does one on whose result no suite ran."""
    with pytest.raises(AssertionError, match="no JUnit file"):
        judge_quarters(LIVE + 100 * DAY, drilled("restore", 90), smoke=())


WAL = ArchiverFacts(True, 300, 100, None, "", 10**6, False)


@pytest.mark.parametrize(
    ("wal", "why"),
    [
        (replace(WAL, failed_ago_s=10, failed_wal="0000000100000000000000AB"), "fails, the last time for 0"),
        (replace(WAL, archived_ago_s=None, failed_ago_s=10), "fails"),
        (replace(WAL, archived_ago_s=7200), "last archived 7200 s ago"),
        (replace(WAL, on=False), "without archived WAL"),
        (replace(WAL, timeout_s=0), "archive_timeout is 0"),
        (replace(WAL, timeout_s=3600), "1.2 h late"),
    ],
)
def test_an_hour_may_be_lost(wal: ArchiverFacts, why: str) -> None:
    """With a backup a day, an hour's promise stands on archived WAL; each way in which that fails is seen."""
    facts = nightly(tool="pgbackrest", rpo_h=1)
    schedule.test_promise(facts, WAL, LIMITS)
    with pytest.raises(AssertionError, match=why):
        schedule.test_promise(facts, wal, LIMITS)


def test_a_database_at_rest() -> None:
    """Nothing was written for a day, so that nothing had to be archived."""
    quiet = replace(WAL, archived_ago_s=86_400, behind_bytes=300)
    schedule.test_promise(nightly(tool="pgbackrest", rpo_h=1), quiet, LIMITS)


def test_dumps_take_no_wal() -> None:
    """Archived WAL is of no use to a dump."""
    with pytest.raises(AssertionError, match="no WAL can be added"):
        schedule.test_promise(nightly(tool="pgdump", rpo_h=1), WAL, LIMITS)


NOW = LIVE + 5 * DAY
CRON = Job(
    "local://",
    "cron",
    "30 2 * * * … restic",
    False,
    "",
    (NOW + timedelta(hours=14)).isoformat(),
    "",
    86400,
    None,
)


@pytest.mark.parametrize(
    ("jobs", "fine"),
    [
        ((CRON,), True),
        ((replace(CRON, every_s=7 * 86400),), False),
        ((replace(CRON, next_at=(NOW + 3 * DAY).isoformat()),), False),
        ((replace(CRON, next_at="", waiting=False),), False),
        # A timer that counts from its last run tells no time.
        ((replace(CRON, kind="timer", next_at="", last_at=(NOW - timedelta(hours=3)).isoformat()),), True),
        ((replace(CRON, kind="timer", next_at="", last_at=(NOW - 2 * DAY).isoformat()),), False),
        # Another one that is often enough.
        ((replace(CRON, every_s=7 * 86400), CRON), True),
        ((replace(CRON, kind="timer", why_not="it is inactive"),), False),
    ],
)
def test_other_schedules(jobs: tuple[Job, ...], fine: bool) -> None:
    """A line of cron is as good as a timer, where it runs often enough."""
    facts = BackupJobsFacts(1, jobs, ())
    if fine:
        schedule.test_schedule(facts, nightly(), LIMITS, NOW)
        return
    with pytest.raises(AssertionError):
        schedule.test_schedule(facts, nightly(), LIMITS, NOW)


def test_no_schedule_seen() -> None:
    """A machine that is not looked at may start backups: that is not proven, and not a failure."""
    with pytest.raises(Unproven, match=r"backup\.schedule"):
        schedule.test_schedule(BackupJobsFacts(2, (), ()), nightly(), LIMITS, NOW)
    with pytest.raises(AssertionError, match=r"no server has the timer"):
        schedule.test_schedule(BackupJobsFacts(2, (), ("backup.timer",)), nightly(), LIMITS, NOW)


def test_history() -> None:
    """A month of backups is a history; one that stopped a day and a half ago, or just began, is none."""
    schedule.test_history(until(nightly(), NOW), LIMITS, NOW)
    with pytest.raises(AssertionError, match="no good backup for"):
        schedule.test_history(until(nightly(), NOW), LIMITS, NOW + DAY)
    new = replace(nightly(), backups=tuple(made(name, NOW - timedelta(hours=1)) for name in ("near", "far")))
    with pytest.raises(AssertionError, match="no schedule yet"):
        schedule.test_history(new, LIMITS, NOW)


def test_others_in_the_same_place() -> None:
    """Backups of something else do not fill the gaps of the database's."""
    facts = until(nightly(), NOW)
    others = tuple(replace(one, paths=("/srv/photos",)) for one in facts.backups if one.ended > LIVE)
    mixed = replace(facts, backups=tuple(one for one in facts.backups if one.ended <= LIVE) + others)
    with pytest.raises(AssertionError, match="no good backup for"):
        schedule.test_history(mixed, LIMITS, NOW)


def judge_final(facts: BackupFacts, now: datetime) -> None:
    """Judge the backups as they are at a time."""
    final.test_backups(until(facts, now), LIMITS, now)


def later(facts: BackupFacts, hours: float) -> BackupFacts:
    """Let copies off the host be made some hours after the backups."""
    by = timedelta(hours=hours)
    return replace(
        facts,
        backups=tuple(
            replace(one, ended_at=(one.ended + by).isoformat()) if one.repo == "far" else one
            for one in facts.backups
        ),
    )


@pytest.mark.parametrize("minutes", [1, 20, 50, 70, 600, 1439])
def test_now_with_copies_a_little_later(minutes: int) -> None:
    """Copies that are made three quarters of an hour later are well at any time of the day."""
    judge_final(later(nightly(), 0.75), LIVE.replace(hour=2) + 5 * DAY + timedelta(minutes=minutes))


def test_now_without_copies() -> None:
    """Copies that stopped are seen an hour later, when the one here is fresh."""
    night = LIVE.replace(hour=2) + 5 * DAY
    facts = nightly()
    stopped = replace(
        facts, backups=tuple(one for one in facts.backups if one.repo == "near" or one.ended < night)
    )
    judge_final(stopped, night + timedelta(minutes=50))
    with pytest.raises(AssertionError, match=r"far: the newest good backup is 25\.2 h old"):
        judge_final(stopped, night + timedelta(minutes=70))


def test_now_with_an_error() -> None:
    """The newest has errors, and one before it does not help."""
    facts = until(nightly(), NOW)
    newest = facts.of("near")[-1]
    bad = tuple(replace(one, error=one == newest) for one in facts.backups)
    with pytest.raises(AssertionError, match="has errors"):
        judge_final(replace(facts, backups=bad), NOW)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_795_420_800.0, "2026-11-23T08:00:00+00:00"),
        (7200.0, (NOW - timedelta(hours=2)).isoformat()),
        (0.0, None),
        (1.8e12, None),
        (None, None),
    ],
)
def test_series_of_ages(value: float | None, text: str | None) -> None:
    """Some exporters tell when, others how long ago; milliseconds and zero are neither."""
    assert moment(value, NOW) == text
