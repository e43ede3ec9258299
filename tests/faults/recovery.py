"""Faults of backups in operation, of restores, and of recovery."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import backup, history, recovery, repository
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.records.drill import countersign
from pytest_deploycheck.verdict import Verdict
from tests.faults import tools
from tests.faults.backup import moved
from tests.faults.harness import fault
from tests.faults.tools import edited, signed_again, unsaid

SCHEDULE = "operations.backup.schedule"
RESTORE = recovery.RESTORE
PLAN = recovery.DR_PLAN
RECOVERY = recovery.RECOVERY
QUARTERLY = recovery.QUARTERLY
FIRST_WEEK = "post_go_live.first_week.backups"
FINAL = "go_live.final.backups"
STORAGE = "pre_deploy.infrastructure.backup_storage"
DEPLOY = "deploy.database.backup"
NEEDS = ("backup", "server", "recovery")
Change = Callable[[dict[str, Any]], object]


def units(change: Change) -> Callable[[Deployment], Any]:
    """Return an injection that changes what systemd would say of the backup's timer."""
    return lambda demo: tools.units_edited(demo, change)


def failed(values: dict[str, Any]) -> None:
    """Let the last run have failed."""
    values["backup.service"] |= {"Result": "exit-code", "ExecMainStatus": 1, "ActiveState": "failed"}


for name, change, also in (
    ("the timer is not loaded", lambda v: v.pop("backup.timer"), (FINAL,)),
    ("the timer is stopped", lambda v: v["backup.timer"].update(ActiveState="inactive"), (FINAL,)),
    ("the timer is disabled", lambda v: v["backup.timer"].update(UnitFileState="disabled"), (FINAL,)),
    (
        "the timer runs once a week",
        lambda v: v["backup.timer"].update(
            NextElapseUSecRealtime=v["backup.timer"]["LastTriggerUSec"] + 7 * 86400
        ),
        (),
    ),
    (
        "the timer has no next run",
        lambda v: v["backup.timer"].update(NextElapseUSecRealtime=0, SubState="elapsed"),
        (FINAL,),
    ),
    ("the job fails", failed, (FINAL,)),
):
    fault(SCHEDULE, name, probes=("backup_jobs",), also=also, needs=NEEDS)(units(change))
fault(FINAL, "the last run failed", probes=("backup_jobs",), also=(SCHEDULE,), needs=NEEDS)(units(failed))


def snapshots(demo: Deployment, repo: str) -> list[Path]:
    """Return the files of a repository's snapshots, oldest first."""
    place = demo.world.dir / "backup" / repo
    found = json.loads(backup.restic(demo.world, place, "snapshots", "--json"))
    return [place / "snapshots" / one["id"] for one in sorted(found, key=lambda one: str(one["time"]))]


def lost(repo: str, *which: int) -> Callable[[Deployment], Any]:
    """Return an injection that takes snapshots out of a repository."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        files = snapshots(demo, repo)
        away = [(files[number], demo.world.path("backup", f"away-{repo}-{number}")) for number in which]
        for file, place in away:
            file.rename(place)
        try:
            yield
        finally:
            for file, place in away:
                place.rename(file)

    return inject


fault(SCHEDULE, "yesterday's backup is gone", probes=("backup",), needs=NEEDS)(lost("local", 0))
fault(SCHEDULE, "yesterday's copy off the host is gone", probes=("backup",), needs=NEEDS)(lost("offsite", 0))
# Six minutes instead of an hour are enough to wait for a copy.
fault(
    FINAL,
    "copies off the host have stopped",
    probes=("backup",),
    also=(SCHEDULE, RESTORE),
    needs=NEEDS,
    limits={"backup_offhost_extra_h": 0.1},
)(lost("offsite", 1))
fault(
    RESTORE, "the restored backup is in no catalogue", probes=("backup",), also=(SCHEDULE, FINAL), needs=NEEDS
)(lost("offsite", 1))


def told(*changes: tuple[str, str]) -> Callable[[Deployment], Any]:
    """Return an injection that changes the target file."""
    return lambda demo: edited(demo.target, *changes)


fault(
    SCHEDULE,
    "an hour may be lost, and there is a dump a day",
    probes=("backup", "dr_plan"),
    also=(PLAN, RECOVERY),
    needs=NEEDS,
)(told(("rpo_h = 26", "rpo_h = 1")))
fault(SCHEDULE, "backups are kept for two days", probes=("backup",), needs=NEEDS)(
    told(("keep_d = 30", "keep_d = 2"))
)
fault(SCHEDULE, "a backup is due every hour", probes=("backup", "dr_plan"), also=(FINAL,), needs=NEEDS)(
    told(("interval_h = 24", "interval_h = 1"))
)
fault(SCHEDULE, "nothing with uploads is in the backups", probes=("backup",), needs=NEEDS)(
    told(('scope = { database = "dumps" }', 'scope = { database = "dumps", uploads = "uploads" }'))
)
fault(
    SCHEDULE,
    "nobody knows whether uploads are kept",
    probes=("backup",),
    needs=NEEDS,
    becomes=Verdict.UNPROVEN,
)(told(('uploads = "the service has none", ', "")))
METRIC = 'schedule = ["backup.timer"]'
fault(
    SCHEDULE,
    "monitoring knows of no backup",
    probes=("backup_age",),
    also=(FINAL,),
    needs=(*NEEDS, "prometheus", "exporters"),
)(told((METRIC, f'{METRIC}\nmetric = "no_such_series"')))
fault(
    SCHEDULE,
    "no alert tells of an old backup",
    probes=("backup_age",),
    also=(FINAL,),
    needs=(*NEEDS, "prometheus", "exporters"),
)(told((METRIC, f'{METRIC}\nmetric = "process_start_time_seconds"')))
fault(
    FINAL,
    "monitoring knows of another newest backup",
    probes=("backup",),
    needs=(*NEEDS, "prometheus", "exporters"),
    limits={"backup_metric_off_max_s": 1},
)(told())


@fault(
    FINAL,
    "the newest backup is of yesterday here as well",
    probes=("backup",),
    also=(SCHEDULE, RESTORE, DEPLOY),
    needs=NEEDS,
    limits={"backup_age_factor": 0.9, "backup_offhost_extra_h": -2},
)
@contextmanager
def both_stopped(demo: Deployment) -> Iterator[None]:
    """Take the newest of both repositories away."""
    with lost("local", 1)(demo), lost("offsite", 1)(demo):
        yield


def said(item: str, change: Change, *, sign: bool = True) -> Callable[[Deployment], Any]:
    """Return an injection that changes what was signed of an item, and lets all who signed sign again."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        people = People(demo.world)
        with ExitStack() as stack:
            others = [
                path
                for path in people.claims.glob("*.techlead.sig")
                if json.loads(path.with_name(path.name.removesuffix(".techlead.sig")).read_text())["item"]
                == item
            ]
            before = [(path, path.read_bytes()) for path in others]
            stack.enter_context(signed_again(demo, item, change, sign=sign))
            try:
                for path in others if sign else ():
                    countersign(people, path.with_name(path.name.removesuffix(".techlead.sig")), "techlead")
                yield
            finally:
                for path, content in before:
                    path.write_bytes(content)

    return inject


def facts(**changes: Any) -> Change:
    """Return a change of some facts."""
    return lambda values: values["facts"].update(changes)


def ago(**by: float) -> Change:
    """Return a change that lets a record, and all times in it, be older."""

    def change(values: dict[str, Any]) -> None:
        for part in (values, values["facts"]):
            for key, value in part.items():
                if key == "produced_at" or (key.endswith(("_at", "_to")) and isinstance(value, str)):
                    part[key] = (datetime.fromisoformat(value) - timedelta(**by)).isoformat()

    return change


def table(name: str, key: str, value: object) -> Change:
    """Return a change of what a restored table has."""
    return lambda values: values["facts"]["tables"][name].update({key: value})


def production(values: dict[str, Any]) -> None:
    """Let the restore have gone into production's own cluster."""
    same = {"scratch_host": "db-1", "production_host": "db-1"}
    values["facts"] |= {"scratch_identifier": "@production@", **same}


for name, change, becomes in (
    ("a checksum differs", table("users", "checksum", "1"), Verdict.FAILED),
    ("rows are missing", table("users", "rows", 4), Verdict.FAILED),
    ("a table was not compared", lambda v: v["facts"]["tables"].pop("purchases"), Verdict.FAILED),
    ("nobody noted what was backed up", lambda v: v["facts"]["tables_at_backup"].clear(), Verdict.FAILED),
    ("indexes are damaged", facts(amcheck="damaged"), Verdict.FAILED),
    ("nobody looked at indexes", facts(amcheck="unavailable"), Verdict.UNPROVEN),
    ("a migration is missing", facts(head="3"), Verdict.FAILED),
    ("the application could not use it", facts(smoke={"every account has a name": False}), Verdict.FAILED),
    ("nothing was tried on it", facts(smoke={}), Verdict.FAILED),
    ("another label", facts(label="deadbeef"), Verdict.FAILED),
    ("from the repository on the host", facts(repo="local"), Verdict.FAILED),
    ("another duration than its times tell", facts(duration_s=4000), Verdict.FAILED),
    ("nobody did it", facts(operator=""), Verdict.FAILED),
    ("half a year ago", ago(days=200), Verdict.UNPROVEN),
    ("the backup is younger than its restore", ago(days=3), Verdict.FAILED),
    ("it does not say into what", lambda v: v["facts"].pop("scratch_identifier"), Verdict.UNPROVEN),
):
    # How long the restore took is held against the plan, too.
    themes = (FINAL, PLAN) if "duration" in name else (FINAL,)
    fault(RESTORE, name, probes=("evidence",), also=themes, needs=NEEDS, becomes=becomes)(
        said(RESTORE, change)
    )
fault(RESTORE, "changed after it was signed", probes=("evidence",), also=(FINAL, PLAN), needs=NEEDS)(
    said(RESTORE, table("users", "rows", 6), sign=False)
)


@fault(RESTORE, "into production itself", probes=("evidence",), also=(FINAL,), needs=NEEDS)
@contextmanager
def into_production(demo: Deployment) -> Iterator[None]:
    """Let scratch be the cluster that the backup is of, on the same host."""
    from pytest_deploycheck.demo import postgres

    def change(values: dict[str, Any]) -> None:
        production(values)
        values["facts"]["scratch_identifier"] = postgres.system_identifier(demo.world)

    with said(RESTORE, change)(demo):
        yield


@fault(
    RESTORE,
    "nobody restored anything",
    probes=("evidence",),
    also=(FINAL, PLAN),
    needs=NEEDS,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def nobody(demo: Deployment) -> Iterator[None]:
    """Take the record away."""
    with unsaid(demo, RESTORE):
        yield


def another_plan(*changes: tuple[str, str]) -> Callable[[Deployment], Any]:
    """Return an injection of another plan, as a file beside the target file, which both have signed."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        import hashlib

        text = history.content(repository.remote(demo.world), demo.world.release.commit)[
            recovery.PLAN
        ].decode()
        for old, new in changes:
            assert old in text, f"{old!r} is not in the plan"
            text = text.replace(old, new)
        path = demo.world.path("people", "plan.md")
        path.write_text(text)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        place = f'plan = "{recovery.PLAN}"'
        try:
            with (
                edited(
                    demo.target, (place, 'plan = "people/plan.md"\nstored = "the wiki of another provider"')
                ),
                said(PLAN, facts(documents={"people/plan.md": digest}))(demo),
            ):
                yield
        finally:
            path.unlink()

    return inject


for name, change_ in (
    ("a scenario is missing", ("### Loss of a region", "### Loss of patience")),
    ("a section has no words", ("## Communication", "## Weather")),
    ("it promises what nobody keeps", ("rpo_h: 26", "rpo_h: 0.25")),
    ("it names no time", ("rto_h: 1\n", "")),
    ("it is not finished", ("An hour from the decision", "TODO An hour from the decision")),
):
    fault(PLAN, name, probes=("dr_plan", "evidence"), needs=NEEDS)(another_plan(change_))
fault(
    PLAN,
    "a backup a day, and half a day may be lost",
    probes=("backup", "dr_plan"),
    also=(SCHEDULE,),
    needs=NEEDS,
)(told(("rpo_h = 26", "rpo_h = 12")))
for name, change, becomes in (
    ("another text was reviewed", facts(documents={recovery.PLAN: "0" * 64}), Verdict.FAILED),
    ("nobody has read it for a year", ago(days=300), Verdict.UNPROVEN),
    ("the review is older than its record", facts(reviewed_at="2025-01-01T00:00:00+00:00"), Verdict.FAILED),
):
    fault(PLAN, name, probes=("evidence",), needs=NEEDS, becomes=becomes)(said(PLAN, change))
fault(
    PLAN, "restores take longer than all may take", probes=("evidence",), also=(RESTORE, FINAL), needs=NEEDS
)(said(RESTORE, facts(duration_s=5000)))


def alone(item: str) -> Callable[[Deployment], Any]:
    """Return an injection that takes the second signature of an item away."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        claims = People(demo.world).claims
        path = next(
            path
            for path in claims.glob("*.techlead.sig")
            if json.loads(path.with_name(path.name.removesuffix(".techlead.sig")).read_text())["item"] == item
        )
        with moved(path):
            yield

    return inject


fault(PLAN, "the technical lead has not signed", probes=("evidence",), needs=NEEDS)(alone(PLAN))
fault(RECOVERY, "the technical lead has not signed", probes=("evidence",), needs=NEEDS)(alone(RECOVERY))


def slower(values: dict[str, Any]) -> None:
    """Let users have been back after two hours."""
    lost_at = datetime.fromisoformat(values["facts"]["lost_at"])
    values["facts"] |= {"users_back_at": (lost_at + timedelta(hours=2)).isoformat(), "rto_s": 7200}


for name, change, becomes in (
    ("it took longer than is promised", slower, Verdict.FAILED),
    ("more was lost than is promised", lambda v: v["facts"].update(restored_to=(datetime.fromisoformat(v["facts"]["lost_at"]) - timedelta(hours=30)).isoformat(), rpo_s=30 * 3600), Verdict.FAILED),
    ("its times tell another duration", facts(rto_s=600), Verdict.FAILED),
    ("nothing was measured", lambda v: v["facts"].pop("users_back_at"), Verdict.UNPROVEN),
    ("no results of the suites", lambda v: v["artifacts"].clear(), Verdict.FAILED),
    ("only a restore", facts(kind="restore"), Verdict.FAILED),
    ("only whoever wrote the plan", facts(participants={"ken": "secondary"}), Verdict.FAILED),
    ("without the secondary", facts(participants={"grace": "primary", "alan": "primary"}), Verdict.FAILED),
    ("a deviation without a ticket", facts(deviations=[{"what": "late"}]), Verdict.FAILED),
    ("nobody paused the contract", facts(chain_steps=["second node"]), Verdict.FAILED),
    ("secrets from nowhere", facts(sources={"code": "x", "backup": "y"}), Verdict.FAILED),
    ("not on a clean host", facts(clean_host=""), Verdict.FAILED),
    ("a year ago", ago(days=300), Verdict.UNPROVEN),
):  # fmt: skip
    fault(RECOVERY, name, probes=("evidence", "dr_plan"), needs=NEEDS, becomes=becomes)(
        said(RECOVERY, change)
    )


@fault(RECOVERY, "a test of the suites failed", probes=("evidence", "dr_plan"), needs=NEEDS)
@contextmanager
def red(demo: Deployment) -> Iterator[None]:
    """Let one test of the attached results have failed, with a digest that fits."""
    import hashlib

    claims = People(demo.world).claims
    envelope = next(
        json.loads(path.read_text())
        for path in claims.glob("*.json")
        if json.loads(path.read_text()).get("item") == RECOVERY
    )
    file = claims / envelope["artifacts"][0]["path"]
    with edited(
        file, ('name="auth" time="1.0"/>', 'name="auth" time="1.0"><failure message="401"/></testcase>')
    ):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        with said(RECOVERY, lambda v: v["artifacts"][0].update(sha256=digest))(demo):
            yield


for name, change, becomes in (
    ("it took longer than is promised", slower, Verdict.FAILED),
    ("nothing was measured", lambda v: v["facts"].pop("lost_at"), Verdict.UNPROVEN),
    ("no results of the suites", lambda v: v["artifacts"].clear(), Verdict.FAILED),
    ("a talk at a table", lambda v: v["facts"].update(kind="tabletop", held_at=v["produced_at"]), Verdict.FAILED),
    ("what it showed was never mended", lambda v: v["facts"]["actions"][0].update(opened_at="2026-01-05T09:00:00+00:00", closed_at=""), Verdict.FAILED),
):  # fmt: skip
    fault(QUARTERLY, name, probes=("evidence", "dr_plan"), needs=NEEDS, becomes=becomes)(
        said(QUARTERLY, change)
    )


@contextmanager
def without_a_day(demo: Deployment) -> Iterator[None]:
    """Let a repository have no backup of the fourth day."""
    place = demo.world.dir / "backup" / "offsite"
    found = json.loads(backup.restic(demo.world, place, "snapshots", "--json"))
    day = sorted(found, key=lambda one: str(one["time"]))[5]
    with moved(place / "snapshots" / str(day["id"])):
        yield


def unknown(values: dict[str, Any]) -> None:
    """Let the restored backup be one that is in no catalogue."""
    values["facts"]["label"] = "00000000"


fault(
    FIRST_WEEK,
    "a day without a backup off the host",
    probes=("backup",),
    needs=NEEDS,
    also=(FINAL, RESTORE, SCHEDULE),
    lived=True,
)(without_a_day)
fault(
    FIRST_WEEK,
    "a backup that nobody knows was restored",
    probes=("evidence",),
    needs=NEEDS,
    also=(FINAL, RESTORE, SCHEDULE),
    lived=True,
)(said(RESTORE, unknown))
