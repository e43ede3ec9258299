"""The published shape of a drill's record is that of the code."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema

from pytest_deploycheck.drill.record import DrillRecord

SCHEMA = json.loads(files("pytest_deploycheck.drill").joinpath("schema.json").read_text())
RECORDED = Path(__file__).parents[2] / "pytest_deploycheck" / "demo" / "files" / "drill" / "recorded.json"


def test_the_schema_is_that_of_the_code() -> None:
    """`schema.json` is what the model says; write it anew when a field changes."""
    assert DrillRecord.model_json_schema(by_alias=True) == SCHEMA


def test_the_recorded_drill_fits_it() -> None:
    """A real record validates against the schema, and one without its steps does not."""
    values = json.loads(RECORDED.read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(values)
    values.pop("steps")
    assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(values))
