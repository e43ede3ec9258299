"""Faults of the rollback: a drill that went wrong in one thing, is old, or could not be repeated today."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.records.drill import countersign
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault
from tests.faults.ledgers import rolled_back
from tests.faults.tools import edited, signed_again, unsaid

DRILL = "operations.maintenance.rollback"
STEPS = ("maintenance", "snapshot", "previous", "restore_db", "verify", "resume", "postmortem")
ITEMS = {name: f"rollback.procedure.{name}" for name in STEPS}
ALL = (DRILL, *ITEMS.values())
NEEDS = ("people", "rollback")
LOOK = ("evidence", "drill_times")
Values = dict[str, Any]


def said(change: Callable[[Values], object], *, item: str = DRILL, sign: bool = True) -> Any:
    """Return an injection that changes what was signed about an item."""

    def inject(demo: Deployment) -> AbstractContextManager[None]:
        return signed_again(demo, item, lambda values: change(values["facts"]), sign=sign)

    return inject


def step(name: str, change: Callable[[Values], object]) -> Callable[[Values], object]:
    """Return a change of one step of the drill."""

    def edit(facts: Values) -> None:
        change(next(one for one in facts["steps"] if one["name"] == name))

    return edit


def after(name: str, **values: Any) -> Callable[[Values], object]:
    """Return a change of what a step saw at its end."""
    return step(name, lambda one: one["after"].update(values))


def within(name: str, key: str, **values: Any) -> Callable[[Values], object]:
    """Return a change of a table that a step saw at its end."""
    return step(name, lambda one: one["after"][key].update(values))


def first(name: str, key: str, **values: Any) -> Callable[[Values], object]:
    """Return a change of the first entry of a list that a step saw at its end."""
    return step(name, lambda one: one["after"][key][0].update(values))


def without(name: str, key: str) -> Callable[[Values], object]:
    """Return a change that leaves out what a step saw."""
    return step(name, lambda one: one["after"].pop(key))


def failed(facts: Values) -> None:
    """Let the third step have failed, and what comes after it be blocked."""
    for one in facts["steps"]:
        if one["name"] == "previous":
            one.update(state="failed", why="the image is gone", after={})
        elif STEPS.index(one["name"]) > 2:
            one.update(state="blocked", started_at="", ended_at="", before={}, after={})


def shifted(name: str, by: timedelta) -> Callable[[Values], object]:
    """Return a change that moves a step in time."""

    def move(one: Values) -> None:
        for key in ("started_at", "ended_at"):
            one[key] = (datetime.fromisoformat(one[key]) + by).isoformat()

    return step(name, move)


def silence_of_a_day(facts: Values) -> None:
    """Let the maintenance's silence end tomorrow."""
    one = next(one for one in facts["steps"] if one["name"] == "maintenance")
    ends = datetime.fromisoformat(one["started_at"]) + timedelta(days=1)
    one["after"]["silences"] = [{"id": "s1", "ends_at": ends.isoformat(), "comment": "maintenance"}]


def one_row_more(one: Values) -> None:
    """Let a purchase come in while the door is closed."""
    one["after"]["rows_later"]["purchases"] += 1


LEFT = [{"id": "s1", "ends_at": "2030-01-01T00:00:00Z", "comment": "maintenance of the drill"}]
M, S, P, R, V, U = STEPS[:6]
for item, name, change, becomes in (
    (M, "the maintenance page has status 200", first(M, "routes", status=200, media_type="text/html"), "failed"),
    (M, "the page does not say when to come back", first(M, "routes", retry_after=""), "failed"),
    (M, "the refusal has no body", first(M, "routes", says=""), "failed"),
    (M, "the door closed after two minutes", after(M, closed_after_s=130.0), "failed"),
    (M, "load balancers saw it as dead", first(M, "live", status=503), "failed"),
    (M, "operators were shut out", after(M, operator_status=503), "failed"),
    (M, "a worker kept sending", step(M, one_row_more), "failed"),
    (M, "a transaction was sent", after(M, nonce=7, nonce_later=8), "failed"),
    (M, "the indexer was not paused", after(M, worker_later="2026-11-24T13:45:59+00:00"), "failed"),
    (M, "requests were cut off", lambda facts: facts["outage"].update(broken_off=3), "failed"),
    (M, "alerts are silent for a day", silence_of_a_day, "failed"),
    (M, "nothing was open before", step(M, lambda one: one["before"].update(routes=[])), "failed"),
    (M, "nobody watched what is written", without(M, "rows_later"), "unproven"),
    (S, "the environment file was skipped", step(S, lambda one: one["after"]["items"].pop("env")), "failed"),
    (S, "the environment file lies open", step(S, lambda one: one["after"]["items"]["env"].update(encrypted=False)), "failed"),
    (S, "the backup is older than the closed door", after(S, started_at="2026-11-01T00:00:00+00:00"), "failed"),
    (S, "the catalogue's snapshot is of the day before", within(S, "catalogue", at="2026-11-01T00:00:00+00:00"), "failed"),
    (S, "it lies on this machine only", within(S, "catalogue", off_host=[]), "failed"),
    (S, "no catalogue lists it", within(S, "catalogue", repos=[]), "failed"),
    (S, "it does not say up to which block", step(S, lambda one: one["after"]["items"]["contract"].pop("block")), "failed"),
    (S, "it names other images", step(S, lambda one: one["after"]["items"].update(images={"nginx": "sha256:1"})), "failed"),
    (S, "no catalogue could be read", after(S, catalogue=None), "unproven"),
    (P, "the same release answered", within(P, "told", commit="0" * 40), "failed"),
    (P, "one instance stayed behind", step(P, lambda one: one["after"]["answers"].append("0" * 40)), "failed"),
    (P, "another image ran", step(P, lambda one: one["after"]["images"].update(nginx="sha256:1")), "failed"),
    (P, "with the configuration of the new one", after(P, config_sha256="0" * 64), "failed"),
    (P, "it took a quarter of an hour", after(P, took_s=900.0), "failed"),
    (P, "the drill went back to the same release", lambda facts: facts["previous"].update(commit=facts["release"]["commit"]), "failed"),
    (R, "the chain was not indexed again", within(R, "events", missing=4, in_database=56), "failed"),
    (R, "the index has what the chain does not", within(R, "events", unknown=2), "failed"),
    (R, "a sequence is below its column", first(R, "sequences", last=3), "failed"),
    (R, "the application lost its rights", after(R, grants=["token_app may not use purchases"]), "failed"),
    (R, "an extension is missing", after(R, extensions=["plpgsql"]), "failed"),
    (R, "indexes are broken", after(R, amcheck=False), "failed"),
    (R, "the schema is too new for the release", after(R, schema="5"), "failed"),
    (R, "an hour of data is lost", lambda facts: facts.update(rpo_s=3600.0), "failed"),
    (R, "rows are lost that were there", lambda facts: facts["rows_lost"].update(purchases=3), "failed"),
    (R, "the release before did not work with it", after(R, answers=False), "failed"),
    (R, "nobody knows to when it was restored", lambda facts: facts.update(rpo_s=None), "unproven"),
    (R, "the drill did something else with it", after(R, mode="downgrade"), "unproven"),
    (R, "nobody compared it with the chain", after(R, events=None), "unproven"),
    (V, "one item failed on the release before", within(V, "items", **{"post_deploy.functional.db": "failed"}), "failed"),
    (V, "an item was not run and counted", within(V, "items", **{"post_deploy.functional.db": "not_run"}), "failed"),
    (V, "the new release was verified", within(V, "release", commit="0" * 40), "failed"),
    (V, "nothing was judged", after(V, items={}), "failed"),
    (V, "nothing functional was judged", after(V, items={"post_deploy.security.cert": "passed"}), "failed"),
    (V, "it does not bind the evidence", after(V, evidence_sha256=""), "failed"),
    (V, "the suites took half an hour", after(V, took_s=1800.0), "failed"),
    (U, "a silence was left", after(U, silences=LEFT), "failed"),
    (U, "the workers stayed paused", after(U, worker_moves_after_s=None), "failed"),
    (U, "a job was done twice", after(U, duplicates=1.0), "failed"),
    (U, "the same key bought twice", within(U, "canary", same=False), "failed"),
    (U, "a route stayed closed", first(U, "routes", status=503), "failed"),
    (U, "the door was open after two minutes", after(U, open_after_s=125.0), "failed"),
    (U, "jobs still wait", after(U, drained_after_s=None, backlog=7), "failed"),
    (U, "it did not stay so", after(U, stable_wrong=2), "failed"),
    (U, "nobody watched", after(U, stable_s=0.1), "failed"),
    (U, "the prober saw forty minutes", lambda facts: facts["outage"].update(outage_s=2400.0), "failed"),
    (U, "the prober asked something else", lambda facts: facts["outage"].update(refused=0), "failed"),
    (U, "nobody tried a transaction", after(U, canary=None), "unproven"),
):  # fmt: skip
    look_alikes = {
        "the prober saw forty minutes": (ITEMS["postmortem"],),
        "the drill went back to the same release": (ITEMS["verify"],),
    }
    fault(
        ITEMS[item],
        name,
        probes=LOOK,
        needs=NEEDS,
        becomes=Verdict(becomes),
        also=look_alikes.get(name, ()),
    )(said(change))

for name, change, also, becomes in (
    ("a step failed", failed, (ITEMS["previous"], ITEMS["postmortem"]), "failed"),
    ("the order was another", shifted("snapshot", timedelta(seconds=60)), (ITEMS["snapshot"], ITEMS["previous"]), "failed"),
    ("a step is missing", lambda facts: facts["steps"].pop(1), tuple(ITEMS.values()), "failed"),
    ("it took an hour", lambda facts: facts.update(rto_s=3600.0), (ITEMS["resume"],), "failed"),
    ("it was given up", lambda facts: facts.update(aborted="the target file changed"), (), "failed"),
    ("the release did not come back", lambda facts: facts.update(forward=False), (), "failed"),
    ("it is half a year old", lambda facts: facts.update(ended_at="2026-05-01T00:00:00+00:00"), ALL, "unproven"),
    ("migrations were made in another way", lambda facts: facts.update(migrations="alembic"), ALL, "unproven"),
    ("it is no record", lambda facts: facts.update(schema="deploycheck.drill/v0"), ALL, "unproven"),
):  # fmt: skip
    fault(DRILL, name, probes=LOOK, needs=NEEDS, also=also, becomes=Verdict(becomes))(said(change))

fault(DRILL, "changed after it was signed", probes=LOOK, needs=NEEDS, also=ALL)(
    said(lambda facts: facts.update(rto_s=1.0), sign=False)
)


@fault(DRILL, "nobody signed one", probes=LOOK, needs=NEEDS, also=ALL, becomes=Verdict.UNPROVEN)
@contextmanager
def unsigned(demo: Deployment) -> Iterator[None]:
    """Take the drill's record away."""
    with unsaid(demo, DRILL):
        yield


PREVIOUS = (ITEMS["previous"],)


@fault(
    DRILL,
    "the image of the release before was deleted",
    probes=("drill",),
    needs=(*NEEDS, "registry"),
    also=PREVIOUS,
)
@contextmanager
def image_deleted(demo: Deployment) -> Iterator[None]:
    """Prune the registry."""
    digest = _manifest(demo)["images"]["token-api"].removeprefix("sha256:")
    blob = demo.world.path("registry", "blobs", "sha256", digest)
    blob.rename(blob.with_suffix(".away"))
    try:
        yield
    finally:
        blob.with_suffix(".away").rename(blob)


@fault(ITEMS["previous"], "the manifest forgets a service", probes=("drill",), needs=NEEDS)
@contextmanager
def service_forgotten(demo: Deployment) -> Iterator[None]:
    """Leave nginx out of the manifest of the release before."""
    line = f'"nginx": "{_manifest(demo)["images"]["nginx"]}",'
    with edited(demo.world.path("rollback", "previous.json"), (line, "")):
        yield


@fault(ITEMS["previous"], "the manifest is of this release", probes=("drill",), needs=NEEDS)
@contextmanager
def same_release(demo: Deployment) -> Iterator[None]:
    """Write the release's own commit into the manifest."""
    change = (_manifest(demo)["commit"], demo.world.release.commit)
    with edited(demo.world.path("rollback", "previous.json"), change):
        yield


@fault(
    DRILL, "nobody kept a manifest", probes=("drill",), needs=NEEDS, also=PREVIOUS, becomes=Verdict.UNPROVEN
)
@contextmanager
def no_manifest(demo: Deployment) -> Iterator[None]:
    """Delete the manifest of the release before."""
    path = demo.world.path("rollback", "previous.json")
    path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        path.with_suffix(".away").rename(path)


@fault(ITEMS["maintenance"], "the edge cannot answer 503", probes=("drill",), needs=(*NEEDS, "server"))
@contextmanager
def no_toggle(demo: Deployment) -> Iterator[None]:
    """Take the maintenance out of nginx's configuration, as it is on the disk."""
    with edited(demo.world.path("nginx", "nginx.conf"), ("return 503;", "return 502;")):
        yield


@fault(
    ITEMS["maintenance"], "the program of the switch is gone", probes=("drill",), needs=NEEDS, also=(DRILL,)
)
@contextmanager
def no_command(demo: Deployment) -> Iterator[None]:
    """Let the target file name a program that is not there."""
    text = demo.target.read_text()
    line = next(line for line in text.splitlines() if line.startswith("maintenance_on"))
    with edited(demo.target, (line, 'maintenance_on = "/nowhere/switch on"')):
        yield


@fault(ITEMS["resume"], "a drill was killed and nobody took it up", probes=("drill",), needs=NEEDS)
@contextmanager
def killed(demo: Deployment) -> Iterator[None]:
    """Leave the journal of a drill that did not end."""
    path = demo.world.path("rollback", "drills", "drill-20261120T100000Z-000001.journal.jsonl")
    at = datetime.now(UTC).isoformat()
    lines = [{"at": at, "what": "begun", "bound": ""}, {"at": at, "what": "step", "step": "restore_db"}]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    try:
        yield
    finally:
        path.unlink()


ACCOUNT = ITEMS["postmortem"]


def told(change: Callable[[Values], object]) -> Any:
    """Return an injection that changes the account, and has it signed by both again."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        people = People(demo.world)
        [other] = people.claims.glob("record-rollback-procedure-postmortem-*.json.operations.sig")
        before = other.read_bytes()
        with signed_again(demo, ACCOUNT, lambda values: change(values["facts"])):
            countersign(people, other.with_name(other.name.removesuffix(".operations.sig")), "operations")
            try:
                yield
            finally:
                other.write_bytes(before)

    return inject


for name, change, becomes in (
    ("an action is long overdue", lambda facts: facts["actions"][0].update(due="2026-09-01"), "failed"),
    ("an action is nobody's", lambda facts: facts["actions"][0].update(owner=""), "failed"),
    ("an action has no date", lambda facts: facts["actions"][0].pop("due"), "failed"),
    ("an action is followed nowhere", lambda facts: facts["actions"][0].update(tracker=""), "failed"),
    ("it leads to nothing", lambda facts: facts.update(actions=[]), "failed"),
    ("the cause is human error", lambda facts: facts.update(root_causes=["Human error."]), "failed"),
    ("it names no cause", lambda facts: facts.update(root_causes=[]), "failed"),
    ("nothing helped", lambda facts: facts.update(what_helped=[]), "failed"),
    ("nobody decided anything", lambda facts: facts.update(decisions=[]), "failed"),
    ("no runbook was touched", lambda facts: facts.update(runbook_updates=[]), "failed"),
    ("its timeline is out of order", lambda facts: facts["timeline"].reverse(), "failed"),
    ("its timeline is two lines", lambda facts: facts.update(timeline=facts["timeline"][:2]), "failed"),
    ("it tells of another outage", lambda facts: facts["impact"].update(outage_s=1.0), "failed"),
    ("it does not say what set it off", lambda facts: facts.pop("trigger"), "unproven"),
):  # fmt: skip
    fault(ACCOUNT, name, probes=LOOK, needs=NEEDS, becomes=Verdict(becomes))(told(change))


@fault(ACCOUNT, "a drill has no account", probes=("drill",), needs=NEEDS)
@contextmanager
def no_account(demo: Deployment) -> Iterator[None]:
    """Leave the journal of a drill of three weeks ago, of which nobody wrote."""
    path = demo.world.path("rollback", "drills", "drill-20261101T100000Z-000002.journal.jsonl")
    at = (datetime.now(UTC) - timedelta(days=21)).isoformat()
    lines = [{"at": at, "what": "begun", "bound": ""}, {"at": at, "what": "ended", "aborted": ""}]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    try:
        yield
    finally:
        path.unlink()


@fault(ACCOUNT, "a rollback has no account", probes=("rollbacks",), needs=("people",))
@contextmanager
def rollback_without_account(demo: Deployment) -> Iterator[None]:
    """Let the ledger tell of a rollback of three weeks ago, of which nobody wrote."""
    with rolled_back(demo, timedelta(days=21)):
        yield


@fault(ACCOUNT, "who led the drill did not sign", probes=LOOK, needs=NEEDS)
@contextmanager
def one_signature(demo: Deployment) -> Iterator[None]:
    """Take the countersignature away."""
    folder = demo.world.path("people", "claims")
    [path] = folder.glob("record-rollback-procedure-postmortem-*.json.operations.sig")
    path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        path.with_suffix(".away").rename(path)


for name, change, becomes in (
    ("the data were not as expected", lambda facts: facts.update(as_expected=False), "failed"),
    ("a person looked in another drill", lambda facts: facts.update(drill="drill-1"), "unproven"),
):
    fault(ITEMS["verify"], name, probes=LOOK, needs=NEEDS, becomes=Verdict(becomes))(
        said(change, item=ITEMS["verify"])
    )


def _manifest(demo: Deployment) -> Values:
    values: Values = json.loads(demo.world.path("rollback", "previous.json").read_text())
    return values
