"""Which deployment this is, and what should be running there."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_deploycheck.target.base import HttpUrl, IpAddress, Moment, Section


class TargetSection(Section):
    """`[target]`: which deployment this is and where its public door stands.

    source_address: the runner's own address to ask the public door from, where it has several and one of them is
    let in during maintenance.
    """

    name: str = Field(min_length=1)
    environment: Literal["production", "staging", "testnet", "dev", "demo"]
    base_url: HttpUrl
    domains: list[str] = []
    ca_file: str = ""
    allow: list[Literal["burst", "load", "canary", "negative-writes"]] = []
    request_budget: int = 5000
    checklist: str = ""
    source_address: IpAddress | Literal[""] = ""


class ReleaseSection(Section):
    """`[release]`: what should be running there.

    db_rollback: what a rollback does with the database: nothing, since the release before works with the new schema,
    a downgrade, or a restore.
    """

    version: str = ""
    commit: str = ""
    deployed_at: Moment | None = None
    go_live_at: Moment | None = None
    images: dict[str, str] = {}
    tag: str = ""
    deploy_started_at: Moment | None = None
    first_deploy: bool = False
    deployed_by: str = ""
    authors: list[str] = []
    db_rollback: Literal["", "none", "downgrade", "restore"] = ""
