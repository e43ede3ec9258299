"""What makes a team roll back, and how it would notice."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import HttpUrl, Section
from pytest_deploycheck.target.chain import Hash


def _ratio(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError("must be a share below 1, such as 0.999")
    return value


class Invariant(Section):
    """Something that is always true of the data: `sql` is a SELECT of one value, which must be `equals`.

    All of them are read by one statement, that is from one snapshot.
    """

    name: str = Field(min_length=1)
    sql: str = Field(min_length=1)
    equals: int | str = 0


class TriggersSection(Section):
    """`[triggers]`: the rollback plan as a file (TOML, or YAML) beside the target file, and what it needs to be seen.

    `plan`: a table for each of vuln, perf, corruption, chain and bugs, see docs/records.md.  `objective`: the
    share of requests that must succeed.  `app_jobs`: Prometheus's jobs that fall silent together with the
    application.  `invariants`: of the business's data.  `supply_sql`: SELECT of `supply`, the tokens that the
    database says there are, and of `block`, up to which it followed the chain.  `admin_events`: signatures of
    events that only an administrator causes.  `expected_transactions`: those of them that were planned.
    `journeys`: names of synthetic journeys; `journey_metric` and `journey_run_metric` tell how the last run of
    each ended (1 is well) and when (Unix time), by the label `journey_label`.  `blockers_url`: a search of the
    team's own tracker for open issues of the highest priorities, `security_url` for open critical ones of security;
    both answer JSON: a list, or an object with a count.
    """

    plan: str = ""
    objective: Annotated[float, AfterValidator(_ratio)] = 0.999
    app_jobs: list[str] = ["app"]
    chain_watches: dict[str, str] = {}
    invariants: list[Invariant] = []
    supply_sql: str = ""
    admin_events: list[str] = [
        "Paused(address)",
        "Unpaused(address)",
        "Upgraded(address)",
        "AdminChanged(address,address)",
        "BeaconUpgraded(address)",
        "OwnershipTransferred(address,address)",
        "RoleGranted(bytes32,address,address)",
        "RoleRevoked(bytes32,address,address)",
        "RoleAdminChanged(bytes32,bytes32,bytes32)",
    ]
    expected_transactions: list[Hash] = []
    journeys: list[str] = ["login", "wallet", "quote"]
    journey_metric: str = "journey_success"
    journey_run_metric: str = "journey_last_run_timestamp_seconds"
    journey_label: str = "journey"
    blockers_url: HttpUrl | None = None
    security_url: HttpUrl | None = None
    issues_token: SecretRef | None = None
