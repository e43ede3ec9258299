"""A probe that can do with less waits for what it would like to use, and goes on without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_deploycheck.gather import closure
from pytest_deploycheck.observe import CannotLook, ProbeDefinitionError, Reads, probe
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.verdict import Reason

ORDER: list[str] = []


@dataclass(frozen=True)
class Word:
    """Facts of one word."""

    word: str


@probe(facts=Word, deadline=5)
def first() -> Word:
    """See nothing, and take a moment for it."""
    ORDER.append("first")
    raise CannotLook(Reason.NO_CONFIG, "nothing is configured")


@probe(facts=Word, deadline=5, after=("first",))
def modest() -> Word:
    """Do with less."""
    ORDER.append("modest")
    return Word("seen")


@probe(facts=Word, deadline=5, needs=("first",))
def strict() -> Word:
    """Need it."""
    ORDER.append("strict")
    return Word("seen")


def test_after_waits_and_does_not_inherit(tmp_path: Path) -> None:
    """What a probe comes after is done first, and its failure is no reason not to look; a need's is."""
    (tmp_path / "t.toml").write_text(
        '[target]\nname = "t"\nenvironment = "dev"\nbase_url = "http://127.0.0.1:1"\n'
    )
    ORDER.clear()
    registry = {one.name: one for one in (first, modest, strict)}
    seen = Run(load(tmp_path / "t.toml")).gather(["modest", "strict"], registry)
    assert {name: entry.state for name, entry in seen.items()} == {
        "first": "unseen",
        "modest": "seen",
        "strict": "unseen",
    }
    assert ORDER == ["first", "modest"]
    assert closure(["modest"], registry, after=False) == ["modest"]


def test_reads_need_the_server_or_come_after_it() -> None:
    """A probe that reads on servers names their gate, one way or the other."""
    with pytest.raises(ProbeDefinitionError, match="after="):

        @probe(facts=Word, deadline=5, reads=lambda target: Reads())
        def nowhere() -> Word:
            """Read without a gate."""
            return Word("")
