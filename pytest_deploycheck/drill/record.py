"""The record of one drill, `deploycheck.drill/v1`: strictly read, since people decide by it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytest_deploycheck.target.base import Moment

SCHEMA: Literal["deploycheck.drill/v1"] = "deploycheck.drill/v1"
Name = Literal["maintenance", "snapshot", "previous", "restore_db", "verify", "resume", "postmortem"]
State = Literal["done", "failed", "blocked"]


class NotARecord(ValueError):
    """What was read is no record of a drill; the message names the first field that is wrong."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Where(_Strict):
    """The target that was drilled."""

    name: str
    environment: str


class Manifest(_Strict):
    """A release: `images` by service as digests; `fits`: the schema versions that its code works with."""

    version: str = ""
    commit: str = ""
    images: dict[str, str] = {}
    config_sha256: str = ""
    fits: list[str] = Field(default=[], alias="schema")
    contract: str = ""
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Command(_Strict):
    """A command as it was run: how it ended, and the digest of what it printed."""

    shown: str
    status: int
    took_s: float
    output_sha256: str


class Step(_Strict):
    """One step: what was seen before and after it, and its command.

    started_at, ended_at: ISO 8601, empty for a step that was blocked.  interrupted: how often the drill was killed
    in it and went on from there.  why: of a failed step, in words.
    """

    name: Name
    state: State
    started_at: str = ""
    ended_at: str = ""
    why: str = ""
    interrupted: int = 0
    command: Command | None = None
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}

    @property
    def start(self) -> datetime:
        """When it began."""
        return datetime.fromisoformat(self.started_at)

    @property
    def end(self) -> datetime:
        """When it ended."""
        return datetime.fromisoformat(self.ended_at)


class Outage(_Strict):
    """What a prober saw of the public routes, on its own, from before the first step to the end.

    samples: questions asked; refused: of these, without an answer or with a status of 500 and more.  outage_s: from
    the first refusal to the first good answer after the last, summed over every such stretch; unseen_s: stretches
    in which nobody asked, which count as an outage too.  stretches: (seconds from the start, seconds).
    """

    samples: int
    refused: int
    broken_off: int
    outage_s: float
    unseen_s: float
    stretches: list[tuple[float, float]] = []


class DrillRecord(_Strict):
    """A drill from its beginning to its end.

    release: what ran before it.  previous: what was brought back.  rto_s: from the switch to maintenance until users
    were back.  rpo_s: seconds of business data that the restored database does not have; rows_lost: by table.
    aborted: why the drill gave up, empty when it did not.  left: what state it left the service in; forward: whether
    the release of before runs again, None without a command for that.
    """

    schema_: Literal["deploycheck.drill/v1"] = Field(default=SCHEMA, alias="schema")
    id: str = Field(min_length=1)
    target: Where
    started_at: Moment
    ended_at: Moment
    tool: str
    operator: str
    release: Manifest
    previous: Manifest
    db_rollback: Literal["none", "downgrade", "restore"]
    migrations: str
    steps: list[Step]
    outage: Outage
    rows_lost: dict[str, int] = {}
    rpo_s: float | None = None
    rto_s: float | None = None
    aborted: str = ""
    left: str
    forward: bool | None = None
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def step(self, name: str) -> Step | None:
        """Return a step by its name; None where the record does not tell of it."""
        return next((one for one in self.steps if one.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return self.model_dump(mode="json", by_alias=True)


def parse(values: Mapping[str, Any]) -> DrillRecord:
    """Read a record, or raise NotARecord with the first thing that is wrong with it."""
    try:
        return DrillRecord.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise NotARecord(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
