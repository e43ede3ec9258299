"""How the release before this one is brought back, and by which commands that is rehearsed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_deploycheck.target.base import IpAddress, Section

Item = Literal["database", "images", "config", "env", "contract", "volumes", "queue"]


class RollbackSection(Section):
    """`[rollback]`: the commands of a rollback, which `pytest suites/rollback --drill` runs, and nothing else does.

    on: where they run: "local" is the runner, "host" the server of `[host]`.  Each must do no harm when it is run
    twice.  `maintenance_on` and `maintenance_off` open and close the door, and stop and start what works behind it.
    `snapshot_cmd` keeps the present state and prints, as its last line, a JSON object of `id` and `items`.
    `previous_cmd` starts the release of `manifest`.  `restore_cmd` brings the database to what that release fits, as
    `release.db_rollback` says.  `canary_cmd` does one business transaction twice under the same key.  `forward_cmd`
    brings the present release back once the drill is over.

    manifest: a JSON file of the release before this one: version, commit, images, config_sha256, schema.
    routes: paths or addresses that are closed in maintenance; by default the public ones of `[auth]`.  live: paths
    that stay open for load balancers; by default the health path.  operator_source: the runner's own address from
    which the door stays open.  worker_sql: a SELECT of one value that moves while workers work; backlog_sql: of the
    number of jobs that wait; duplicates_sql: of the number of jobs that were done twice.  contract_plan: what
    becomes of the contract in a rollback.  dir: where journals and records of drills are kept.  key, principal:
    who signs a drill's record when it is over.
    """

    on: Literal["local", "host"] = "local"
    maintenance_on: str = ""
    maintenance_off: str = ""
    snapshot_cmd: str = ""
    snapshot_items: list[Item] = ["database", "images", "config", "env", "contract"]
    previous_cmd: str = ""
    restore_cmd: str = ""
    canary_cmd: str = ""
    forward_cmd: str = ""
    manifest: str = ""
    routes: list[str] = []
    live: list[Annotated[str, Field(pattern=r"^/")]] = []
    operator_source: IpAddress | Literal[""] = ""
    worker_sql: str = ""
    backlog_sql: str = ""
    duplicates_sql: str = ""
    contract_plan: str = ""
    dir: str = "drills"
    key: str = ""
    principal: str = ""
