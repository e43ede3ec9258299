"""Readiness for a rollback, seen without running anything; and the newest drill as a timeline."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_deploycheck.claims.accounts import business_days
from pytest_deploycheck.drill.journal import SUFFIX, Journal
from pytest_deploycheck.drill.outage import Sample, measured
from pytest_deploycheck.drill.record import DrillRecord, NotARecord, parse
from pytest_deploycheck.drill.verify import _set
from pytest_deploycheck.probes.drill import DrillFacts
from pytest_deploycheck.probes.drill_times import timeline
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load

RECORDED = Path(__file__).parents[2] / "pytest_deploycheck" / "demo" / "files" / "drill" / "recorded.json"
TARGET = """\
[target]
name = "small"
environment = "staging"
base_url = "http://127.0.0.1:1"
[release]
version = "2.0"
commit = "{commit}"
images = {{ api = "sha256:{new}", db = "sha256:{same}" }}
[rollback]
manifest = "previous.json"
maintenance_on = "{program} on"
maintenance_off = "cd /srv && ./off"
"""


def seen(folder: Path, program: str = "/bin/true") -> DrillFacts:
    """Look at a target of this folder."""
    from pytest_deploycheck.probes import registry

    text = TARGET.format(commit="a" * 40, new="1" * 64, same="2" * 64, program=program)
    (folder / "target.toml").write_text(text)
    found = Run(load(folder / "target.toml")).gather(["drill"], registry())["drill"]
    assert found.state == "seen", found
    facts: DrillFacts = found.facts
    return facts


def test_a_manifest_beside_its_release(tmp_path: Path) -> None:
    """What runs is there; what nobody can be asked about is not taken for there; commands are looked for."""
    values = {
        "version": "1.9",
        "commit": "b" * 40,
        "images": {"api": f"sha256:{'3' * 64}", "db": f"sha256:{'2' * 64}"},
    }
    (tmp_path / "previous.json").write_text(json.dumps(values))
    facts = seen(tmp_path)
    assert facts.problem == ""
    assert facts.previous.commit == "b" * 40
    where = {one.service: one.where for one in facts.images}
    assert where == {"api": None, "db": "running"}
    there = {one.name: (one.given, one.there) for one in facts.commands}
    assert there["maintenance_on"] == (True, True)
    assert there["maintenance_off"] == (True, None), "a shell's own word is no program to look for"
    assert there["snapshot_cmd"] == (False, None)
    assert facts.toggle is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("{", "previous.json:"),
        ('{"images": {"api": 1}}', "images.api"),
        ("[]", "previous.json"),
    ],
)
def test_a_manifest_that_is_none(tmp_path: Path, content: str | None, words: str) -> None:
    """A manifest that is missing or broken is named with what is wrong, and nothing is taken from it."""
    if content is not None:
        (tmp_path / "previous.json").write_text(content)
    facts = seen(tmp_path)
    assert words in facts.problem
    assert facts.images == ()


def test_a_program_that_is_gone(tmp_path: Path) -> None:
    """A command whose program is not there is seen as such."""
    facts = seen(tmp_path, program="/nowhere/switch")
    assert next(one for one in facts.commands if one.name == "maintenance_on").there is False


def test_drills_that_were_begun(tmp_path: Path) -> None:
    """A drill without an end is unfinished, in the step where it stopped."""
    done = Journal(tmp_path / "drills" / f"drill-1{SUFFIX}")
    done.write("begun", bound="")
    done.write("ended", aborted="")
    left = Journal(tmp_path / "drills" / f"drill-2{SUFFIX}")
    left.write("begun", bound="")
    left.write("step", step="restore_db")
    facts = seen(tmp_path)
    assert [one.id for one in facts.events] == ["drill-1", "drill-2"]
    assert [(one.id, one.step) for one in facts.unfinished] == [("drill-2", "restore_db")]


def recorded() -> DrillRecord:
    """Return the recorded drill."""
    return parse(json.loads(RECORDED.read_text()))


def test_a_record_is_read_strictly() -> None:
    """A record comes back as it was written; another schema, another key and a missing step's name are refused."""
    values = json.loads(RECORDED.read_text())
    assert parse(values).to_json() == parse(parse(values).to_json()).to_json()
    for change in (
        {"schema": "deploycheck.drill/v2"},
        {"extra": 1},
        {"steps": [{"name": "other", "state": "done"}]},
    ):
        with pytest.raises(NotARecord):
            parse({**values, **change})


def test_the_timeline_of_a_drill() -> None:
    """Steps follow one another in it, the outage lies beside them, and the title tells what was measured."""
    record = recorded()
    made = timeline(record, 1800.0)
    names = [name for name, _, _ in made.rows]
    assert names[:7] == [step.name for step in record.steps]
    assert "users away" in names
    assert all(begin <= end for _, begin, end in made.rows)
    assert f"RTO {record.rto_s:.1f} s" in made.title


def at(second: float, status: int) -> Sample:
    """Return an answer at a second."""
    return Sample(1000.0 + second, 0, status, 0.01)


@pytest.mark.parametrize(
    ("samples", "outage", "unseen"),
    [
        ([at(0, 200), at(1, 503), at(2, 503), at(3, 200)], 2.0, 0.0),
        ([at(0, 200), at(1, 0), at(2, 200), at(3, 500), at(4, 200)], 2.0, 0.0),
        ([at(0, 200), at(1, 404), at(2, 429)], 0.0, 0.0),
        ([at(0, 200), at(1, 503)], 9.0, 0.0),
        ([at(0, 200), at(100, 200)], 100.0, 100.0),
        ([], 0.0, 0.0),
    ],
)
def test_an_outage_is_what_users_saw(samples: list[Sample], outage: float, unseen: float) -> None:
    """From the first refusal to the next good answer; one without an end lasts to the end, and silence counts."""
    found = measured(samples, 0.5, 1010.0)
    assert (found.outage_s, found.unseen_s) == (outage, unseen)


def test_a_key_is_set_in_its_section() -> None:
    """The release before is written into a copy of the target file, whatever stood there, and nothing else changes."""
    text = '[target]\nname = "a"\n[release]\nversion = "2"\nimages = { a = "b" }\n[db]\nversion = "x"\n'
    changed = _set(_set(text, "release", "version", "1"), "release", "commit", "c")
    assert '[release]\ncommit = "c"\nversion = "1"\nimages' in changed
    assert changed.endswith('[db]\nversion = "x"\n')
    assert _set("[target]\n", "release", "version", "1").endswith('[release]\nversion = "1"\n')


def test_an_account_is_due_after_days_of_work() -> None:
    """Saturdays and Sundays are no days of work."""
    friday = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert business_days(friday, 5) == friday + timedelta(days=7)
    assert business_days(friday, 1) == friday + timedelta(days=3)
