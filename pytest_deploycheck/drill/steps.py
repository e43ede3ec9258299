"""The seven steps: what is seen before, what is done, what is seen after, and when a step has failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pytest_deploycheck.drill import account
from pytest_deploycheck.drill.look import closed
from pytest_deploycheck.drill.state import Drill, Facts, StepFailed, wait


@dataclass(frozen=True)
class Move:
    """One step: `before` only looks; `act` does it and looks again, and raises StepFailed where it went wrong."""

    before: Callable[[Drill], Facts]
    act: Callable[[Drill], Facts]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _open(drill: Drill) -> Facts:
    look = drill.look
    return {
        "routes": [look.route(url) for url in look.public()],
        "rows": look.rows(),
        "nonce": look.nonce(),
        "silences": look.silences(),
    }


def _close(drill: Drill) -> Facts:
    """Close the door, see that nobody gets in, and that nothing is written any more."""
    look, limits = drill.look, drill.limits
    urls = look.public()
    if not urls:
        raise StepFailed("there is no public route to close; name them in rollback.routes")
    drill.run("maintenance", drill.target.rollback.maintenance_on)
    took = wait(lambda: all(closed(look.route(url)) for url in urls), limits.drill_close_max_s)
    routes = [look.route(url) for url in urls]
    login = drill.target.auth.login_path
    if login:
        routes.append(look.route(drill.target.target.base_url + login, "POST"))
    operator = look.version()
    facts: Facts = {
        "closed_after_s": took,
        "routes": routes,
        "live": [look.route(drill.target.target.base_url + path) for path in look.live_paths()],
        "operator_status": int(operator["status"]),
        "silences": look.silences(),
        **_quiet(drill),
    }
    if took is None or not all(closed(one) for one in routes):
        raise Seen("some routes are not closed: " + _list(routes, closed), facts)
    if facts["rows"] != facts["rows_later"]:
        raise Seen(f"rows are still written: {facts['rows']} became {facts['rows_later']}", facts)
    return facts


def _quiet(drill: Drill) -> Facts:
    """Look at what is written, twice, with some time between."""
    look, section = drill.look, drill.target.rollback
    # What was let in before the door closed may end first.
    time.sleep(min(2.0, drill.limits.drill_quiet_s))
    first = {"rows": look.rows(), "worker": look.value(section.worker_sql), "nonce": look.nonce()}
    lsn = look.lsn()
    time.sleep(drill.limits.drill_quiet_s)
    return {
        **first,
        "lsn": lsn,
        "quiet_s": drill.limits.drill_quiet_s,
        "rows_later": look.rows(),
        "worker_later": look.value(section.worker_sql),
        "nonce_later": look.nonce(),
    }


class Seen(StepFailed):
    """A step failed and saw something all the same: `facts` are kept."""

    def __init__(self, message: str, facts: Facts) -> None:
        super().__init__(message)
        self.facts = facts


def _list(routes: list[dict[str, Any]], good: Callable[[dict[str, Any]], bool]) -> str:
    wrong = [f"{one['method']} {one['url']} answers {one['status']}" for one in routes if not good(one)]
    return "; ".join(wrong[:4])


def _lsn(drill: Drill) -> Facts:
    return {"lsn": drill.look.lsn(), "block": drill.look.block()}


def _keep(drill: Drill) -> Facts:
    """Keep the present state, by the target's own command, and find it in the catalogue of backups."""
    begun = _now()
    said = drill.run("snapshot", drill.target.rollback.snapshot_cmd).said
    facts: Facts = {
        "started_at": begun,
        "ended_at": _now(),
        "id": str(said.get("id", "")),
        "items": said.get("items") if isinstance(said.get("items"), Mapping) else {},
        "lsn": drill.look.lsn(),
        "block": drill.look.block(),
        "catalogue": account.catalogue(drill, str(said.get("id", ""))),
    }
    if not facts["id"]:
        raise Seen("the snapshot's command names no id in its last line", facts)
    return facts


def _running(drill: Drill) -> Facts:
    return {"told": drill.look.version(), "schema": drill.look.schema_version()}


def _back(drill: Drill) -> Facts:
    """Start the release before, and see that it is the one that answers."""
    begun = time.monotonic()
    said = drill.run("previous", drill.target.rollback.previous_cmd).said
    wanted = drill.previous.commit or drill.previous.version

    def told() -> bool:
        found = drill.look.version()
        return wanted in (found["commit"], found["version"])

    wait(told, max(1.0, drill.limits.drill_previous_max_s - (time.monotonic() - begun)))
    facts: Facts = {
        "took_s": round(time.monotonic() - begun, 3),
        "told": drill.look.version(),
        "answers": [drill.look.version()["commit"] for _ in range(6)],
        "images": said.get("images") if isinstance(said.get("images"), Mapping) else {},
        "config_sha256": str(said.get("config_sha256", "")),
        "schema": drill.look.schema_version(),
    }
    if any(commit != drill.previous.commit for commit in facts["answers"]):
        raise Seen(f"not release {drill.previous.version} answers, but {facts['told']}", facts)
    return facts


def _data(drill: Drill) -> Facts:
    look = drill.look
    return {"rows": look.rows(), "schema": look.schema_version(), "extensions": look.extensions()}


def _database(drill: Drill) -> Facts:
    """Bring the database to what the release before fits, and look whether nothing is missing in it."""
    look = drill.look
    mode = drill.target.release.db_rollback
    begun = time.monotonic()
    said: Mapping[str, Any] = {}
    if mode != "none":
        said = drill.run("restore_db", drill.target.rollback.restore_cmd).said
        wait(look.healthy, drill.limits.drill_previous_max_s)
    block = drill.seen.get("snapshot", {}).get("block")
    head = look.block()
    events = None
    if head is not None and block is not None:
        first = max(0, int(block) - drill.limits.wallet_history_blocks)
        events = look.events(first, head)
    return {
        "mode": mode,
        "took_s": round(time.monotonic() - begun, 3),
        "point_at": str(said.get("point_at", "")),
        "from": str(said.get("from", "")),
        "amcheck": said.get("amcheck"),
        "rows": look.rows(),
        "schema": look.schema_version(),
        "extensions": look.extensions(),
        "sequences": look.sequences(),
        "grants": look.grants(),
        "events": events,
        "answers": look.healthy(),
    }


def _verify(drill: Drill) -> Facts:
    """Run the suites on the release before, through the operator's door."""
    facts = drill.verify(drill)
    if facts.get("exit_status") != 0:
        raise Seen(f"the suites say {facts.get('decision')}: {facts.get('sentence', '')}"[:300], facts)
    return facts


def _closed(drill: Drill) -> Facts:
    look = drill.look
    return {
        "routes": [look.route(url) for url in look.public()[:1]],
        "backlog": look.value(drill.target.rollback.backlog_sql),
        "duplicates": look.value(drill.target.rollback.duplicates_sql),
    }


def _open_again(drill: Drill) -> Facts:
    """Open the door, do one transaction twice, and see that work goes on and nothing was done twice."""
    look, limits, section = drill.look, drill.limits, drill.target.rollback
    urls = look.public()
    drill.run("resume", section.maintenance_off)
    took = wait(
        lambda: all(look.route(url)["status"] not in (0, 503) for url in urls), limits.drill_open_max_s
    )
    facts: Facts = {"open_after_s": took, "routes": [look.route(url) for url in urls], "open_at": _now()}
    if took is None:
        raise Seen(
            "some routes are not open again: " + _list(facts["routes"], lambda one: not closed(one)), facts
        )
    worker = look.value(section.worker_sql)
    if section.canary_cmd:
        facts["canary"] = dict(drill.run("canary", section.canary_cmd).said)
    drained = wait(lambda: look.value(section.backlog_sql) in (0, 0.0, None), limits.drill_backlog_max_s)
    facts |= {
        "worker": worker,
        "worker_moves_after_s": wait(
            lambda: look.value(section.worker_sql) != worker, limits.drill_open_max_s
        )
        if section.worker_sql
        else None,
        "backlog": look.value(section.backlog_sql),
        "drained_after_s": drained,
        **_stable(drill, urls),
        "duplicates": look.value(section.duplicates_sql),
        "silences": look.silences(),
    }
    return facts


def _stable(drill: Drill, urls: list[str]) -> Facts:
    """Watch the routes for a while."""
    begun, wrong, asked = time.monotonic(), 0, 0
    while True:
        for url in urls:
            asked += 1
            wrong += drill.look.route(url)["status"] in (0, 502, 503, 504)
        left = drill.limits.drill_stable_s - (time.monotonic() - begun)
        if left <= 0:
            return {
                "stable_s": round(time.monotonic() - begun, 3),
                "stable_asked": asked,
                "stable_wrong": wrong,
            }
        time.sleep(min(left, 1.0))


def _nothing(drill: Drill) -> Facts:
    del drill
    return {}


STEPS: Mapping[str, Move] = {
    "maintenance": Move(_open, _close),
    "snapshot": Move(_lsn, _keep),
    "previous": Move(_running, _back),
    "restore_db": Move(_data, _database),
    "verify": Move(_running, _verify),
    "resume": Move(_closed, _open_again),
    "postmortem": Move(_nothing, account.draft),
}
