"""The published JSON Schema of the record, against records of every kind."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_deploycheck.decision import Decision
from pytest_deploycheck.record import SCHEMA, Record
from pytest_deploycheck.verdict import Kind, Verdict

from .factory import record

TEXT = files("pytest_deploycheck.reports").joinpath("schema.json").read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = json.loads(TEXT)
VALIDATOR = jsonschema.Draft202012Validator(DOCUMENT)


def errors(made: Record | dict[str, Any]) -> list[str]:
    """Return what the schema has against a record, as JSON has it."""
    values = json.loads(made.dumps()) if isinstance(made, Record) else made
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(values)]


def test_the_schema_is_one() -> None:
    """The document is a valid schema of draft 2020-12 and names the record's version."""
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)
    assert DOCUMENT["properties"]["schema"] == {
        "description": "Name and major version of this schema; readers refuse any other.",
        "const": SCHEMA,
    }


def test_its_words_are_those_of_the_code() -> None:
    """Verdicts, decisions and kinds in the schema are the enumerations of the code."""
    assert DOCUMENT["$defs"]["verdict"]["enum"] == [verdict.value for verdict in Verdict]
    decision = DOCUMENT["properties"]["decision"]["properties"]["decision"]["enum"]
    assert decision == [name.value for name in Decision]
    kinds = DOCUMENT["properties"]["checklist"]["properties"]["items"]["items"]["properties"]["kind"]["enum"]
    assert kinds == [kind.value for kind in Kind]


@pytest.mark.parametrize("made", [record(), record(green=True), record(3)], ids=["no-go", "go", "three"])
def test_records_are_valid(made: Record) -> None:
    """Records of runs that went well and badly obey the schema."""
    assert errors(made) == []


@given(
    st.dictionaries(
        st.sampled_from([entry["id"] for entry in record().checklist["items"]]),
        st.tuples(st.sampled_from(Verdict), st.text(max_size=12), st.text(max_size=40)),
        max_size=30,
    ),
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_records_of_any_verdicts_and_texts_are_valid(
    overrides: dict[str, tuple[Verdict, str, str]], named: dict[str, str]
) -> None:
    """Whatever tests come to, and whatever images and stand-ins are called, the record obeys the schema."""
    made = record(overrides=overrides)
    assert (
        errors(Record(**{**vars(made), "standins": named, "release": {**made.release, "images": named}}))
        == []
    )


def objects(schema: Any, path: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object schema in the document."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for name, inner in schema.items():
            yield from objects(inner, f"{path}.{name}")
    elif isinstance(schema, list):
        for place, inner in enumerate(schema):
            yield from objects(inner, f"{path}[{place}]")


def test_it_is_strict() -> None:
    """Every object says which keys it has, or what its values are when keys are names; facts alone are free."""
    loose = [path for path, schema in objects(DOCUMENT) if schema.get("additionalProperties", True) is True]
    assert [path.rpartition(".properties.")[2] for path in loose] == ["facts.anyOf[0]"]


@pytest.mark.parametrize("section", list(DOCUMENT["properties"]))
def test_a_missing_section_is_noticed(section: str) -> None:
    """No top-level section may be absent."""
    values = json.loads(record().dumps())
    del values[section]
    assert any(section in error for error in errors(values))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "deploycheck/2"),
        (("surprise",), 1),
        (("decision", "decision"), "MAYBE"),
        (("decision", "counts", "maybe"), 1),
        (("items", 0, "verdict"), "fine"),
        (("items", 0, "surprise"), 1),
        (("items", 0, "outcomes", 0, "duration_s"), "fast"),
        (("items", 0, "claim"), {"kind": "promise"}),
        (("observations", 0, "state"), "maybe"),
        (("observations", 0, "facts"), "text"),
        (("observations", 0, "digest"), "abc"),
        (("run", "started_at"), "yesterday"),
        (("checklist", "items", 0, "fingerprint"), "xyz"),
        (("baseline", "state"), "fine"),
        (("requests", 0, "count"), -1),
    ],
)
def test_what_is_wrong_is_noticed(path: tuple[str | int, ...], value: object) -> None:
    """A wrong word, type, key or shape anywhere is an error."""
    values = copy.deepcopy(json.loads(record().dumps()))
    place: Any = values
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert errors(values) != []


def test_every_key_is_described_in_the_record_or_the_schema() -> None:
    """The record's own description names every section's keys, so that the two cannot drift apart."""
    described = Record.__doc__ or ""
    for section, schema in DOCUMENT["properties"].items():
        keys = schema.get("properties") or schema.get("items", {}).get("properties") or {}
        missing = [key for key in keys if key not in described and "description" not in keys[key]]
        assert missing == [], section


def test_the_documentation_names_every_key() -> None:
    """docs/schema/README.md has a row for each key of each object, under that object's heading."""
    page = (Path(__file__).parents[2] / "docs" / "schema" / "README.md").read_text(encoding="utf-8")
    headings = re.split(r"^#+ `?([\w.]+)`?$", page, flags=re.MULTILINE)
    rows = {
        title: set(re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE))
        for title, body in zip(headings[1::2], headings[2::2], strict=True)
    }
    for path, schema in objects(DOCUMENT):
        if schema.get("properties"):
            section = re.sub(r"^\$\.(properties|\$defs)\.", "", path).replace(".properties.", ".")
            section = "Sections" if path == "$" else section.removesuffix(".items")
            assert rows.get(section, set()) == set(schema["properties"]), section
