"""The envelope: what one signed file says, strictly read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pytest_deploycheck import safe_json

FORMAT = "deploycheck.evidence/v1"
SIZE_MAX_BYTES = 256 * 1024
"""A larger file is refused unread: an envelope names its files, it does not hold them."""

Kind = Literal["attestation", "waiver", "not_applicable", "record", "sign_off"]


class EnvelopeError(Exception):
    """A file is no envelope; the message names the file, the field, what is wrong and what to write."""


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs a time zone, e.g. 2026-11-24T09:30:00Z")
    return value


Moment = Annotated[datetime, AfterValidator(_aware)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Where(_Strict):
    """The target that it is about."""

    name: str
    environment: str


class Release(_Strict):
    """What was released: `images` by service, `contract` its address; empty where there is none."""

    version: str = ""
    commit: str = ""
    images: dict[str, str] = {}
    contract: str = ""


class Producer(_Strict):
    """Who says so: the principal of `allowed_signers`, in one of the roles of the roles file."""

    principal: str = Field(min_length=1)
    role: str = Field(min_length=1)


class Artifact(_Strict):
    """A file that belongs to it: `path` relative to the envelope, and its SHA-256."""

    path: str = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Envelope(_Strict):
    """One statement of one person.

    item, item_fingerprint: the checklist item and its text.  produced_at, valid_until: UTC, to the second.
    requested_by: of a waiver, who asked for it.  facts: what a record reports, by the item's own names.
    covers: of a sign-off, the digests that it is over: ledger, run, evidence, config, and earlier sign-offs.
    """

    format: Literal["deploycheck.evidence/v1"] = "deploycheck.evidence/v1"
    kind: Kind
    item: str = Field(min_length=1)
    item_fingerprint: str = Field(min_length=1)
    target: Where
    release: Release
    produced_at: Moment
    valid_until: Moment
    producer: Producer
    statement: str = Field(min_length=1, max_length=4000)
    requested_by: str = ""
    facts: dict[str, Any] = {}
    artifacts: list[Artifact] = []
    covers: dict[str, str] = {}

    def to_bytes(self) -> bytes:
        """Return the file's content."""
        return (json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n").encode()


def parse(content: bytes, name: str) -> Envelope:
    """Read an envelope, or say in one sentence what is wrong with the file of this name."""
    if len(content) > SIZE_MAX_BYTES:
        raise EnvelopeError(
            f"{name}: larger than {SIZE_MAX_BYTES // 1024} KiB; name files as artifacts instead"
        )
    try:
        values = safe_json.loads(content, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(f"{name}: not JSON: {error}") from None
    if not isinstance(values, Mapping) or values.get("format") != FORMAT:
        found = values.get("format") if isinstance(values, Mapping) else None
        raise EnvelopeError(f"{name}: format {found!r} is not {FORMAT!r}")
    if "valid_until" not in values:
        raise EnvelopeError(f"{name}: has no expiry; add valid_until")
    try:
        return Envelope.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "file"
        message = str(first["msg"]).removeprefix("Value error, ")
        raise EnvelopeError(f"{name}: {key}: {message}") from None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key given twice: readers differ in which of the two they believe."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found
