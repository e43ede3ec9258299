"""The end of the whole look: what was not seen by then is unproven in time, and nobody waits for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from pytest_deploycheck.observe import probe
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.transports import Connections

TARGET = '[target]\nname = "t"\nenvironment = "dev"\nbase_url = "http://127.0.0.1:1"\n'


@dataclass(frozen=True)
class Word:
    """Facts of one word."""

    word: str


@probe(facts=Word, deadline=5)
def quick() -> Word:
    """See something at once."""
    return Word("seen")


@probe(facts=Word, deadline=60)
def hung() -> Word:
    """Hang without looking at the time."""
    time.sleep(60)
    return Word("late")


@probe(facts=Word, deadline=60)
def patient(connect: Connections) -> Word:
    """Wait, with an eye on the time."""
    connect.sleep(60)
    return Word("late")


@probe(facts=Word, deadline=60, exclusive=True)
def alone() -> Word:
    """Come after the others."""
    return Word("seen")


def test_the_look_ends(tmp_path: Path) -> None:
    """What was seen counts; what hung, waited or had not begun says that the whole look was over."""
    (tmp_path / "t.toml").write_text(TARGET)
    registry = {one.name: one for one in (quick, hung, patient, alone)}
    began = time.monotonic()
    seen = Run(load(tmp_path / "t.toml"), within=1.0).gather(list(registry), registry)
    assert time.monotonic() - began < 30
    assert seen["quick"].state == "seen"
    for name in ("hung", "patient", "alone"):
        assert (seen[name].state, seen[name].reason) == ("unseen", "timeout")
        assert "whole look" in seen[name].detail, seen[name]


def test_without_an_end_all_is_seen(tmp_path: Path) -> None:
    """The same probes, without one: what comes alone is seen too."""
    (tmp_path / "t.toml").write_text(TARGET)
    registry = {one.name: one for one in (quick, alone)}
    seen = Run(load(tmp_path / "t.toml")).gather(list(registry), registry)
    assert {one.state for one in seen.values()} == {"seen"}
