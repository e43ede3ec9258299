"""What a limit is: a number with its unit and its source; and how a check's reading of it is recorded."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from pytest_deploycheck.verdict import LimitUse


def limit(default: float, unit: str, source: str) -> Any:
    """Declare a limit with its unit and source."""
    return Field(default=default, description=source, json_schema_extra={"unit": unit}, ge=0)


class Numbers(BaseModel):
    """Some limits; a target file may change any of them, within the sign."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Recorded:
    """The limits as a test sees them: reading one leaves a trace for the evidence."""

    def __init__(self, limits: Numbers, origin: str) -> None:
        self._limits = limits
        self._origin = origin
        self._read: dict[str, LimitUse] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._limits, name)
        info = type(self._limits).model_fields[name]
        extra = cast(dict[str, Any], info.json_schema_extra)
        origin = self._origin if name in self._limits.model_fields_set else "default"
        self._read[name] = LimitUse(name, value, str(extra["unit"]), info.description or "", origin)
        return value

    def used(self) -> tuple[LimitUse, ...]:
        """Return the limits read so far, in reading order."""
        return tuple(self._read.values())
