"""`evidence.json`."""

from __future__ import annotations

import json

import pytest

from pytest_deploycheck import record as records
from pytest_deploycheck.reports.json import dumps

from .factory import record
from .hostile import CORPUS, poisoned
from .pages import leaves


@pytest.mark.parametrize("start", range(0, len(CORPUS), 5))
def test_any_record_comes_back_unchanged(start: int) -> None:
    """Hostile strings, lone surrogates and NUL among them, survive writing and reading (R9)."""
    made = poisoned(record(40), start)
    assert json.loads(dumps(made)) == made.to_json()
    assert records.loads(dumps(made), "evidence.json").to_json() == made.to_json()


def test_the_corpus_reaches_the_record() -> None:
    """Each hostile string stands somewhere in a poisoned record, so that these tests mean something."""
    held = leaves(poisoned(record()).to_json())
    missing = [evil for evil in CORPUS if not any(text.startswith(evil) for text in held)]
    assert missing == []
    assert not {"tokens.example.com", "prod", "targets/prod.toml"} & set(held)


def test_it_is_ascii_and_cannot_close_a_script() -> None:
    """The bytes hold no `<`, `>` or `&`, so they may stand inside HTML as they are."""
    text = dumps(poisoned(record()))
    assert text.isascii()
    assert not set("<>&") & set(text)


def test_each_item_and_observation_has_its_own_line() -> None:
    """Two runs can be compared line by line."""
    made = record()
    lines = dumps(made).splitlines()
    assert sum(line.startswith(' {"item":') for line in lines) == len(made.items)
    assert sum(line.startswith(' {"probe":') and '"facts"' in line for line in lines) == len(
        made.observations
    )
