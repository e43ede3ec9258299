"""Which deployment this is, and what should be running there."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_deploycheck.target.base import HttpUrl, Moment, Section


class TargetSection(Section):
    """`[target]`: which deployment this is and where its public door stands."""

    name: str = Field(min_length=1)
    environment: Literal["production", "staging", "testnet", "dev", "demo"]
    base_url: HttpUrl
    domains: list[str] = []
    ca_file: str = ""
    allow: list[Literal["burst", "load", "canary", "negative-writes"]] = []
    request_budget: int = 5000
    checklist: str = ""


class ReleaseSection(Section):
    """`[release]`: what should be running there."""

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
