"""What all reports share: arrangement, anchors, the command that repeats an item."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports.anchors import RESERVED, Anchors
from pytest_deploycheck.reports.view import MOST_VALUES, Compared, compared, subject, view

from .factory import record


def test_items_keep_the_checklists_order_and_groups() -> None:
    """Phases, sections and items come as in the checklist, each once."""
    made = record()
    shown = view(made)
    assert [item.id for item in shown.items] == [entry["id"] for entry in made.checklist["items"]]
    assert [item.id for phase in shown.phases for item in phase.items] == [item.id for item in shown.items]
    assert [len(phase.items) for phase in shown.phases] == [21, 19, 23, 13, 12, 15, 12, 10]


def test_what_blocks_comes_worst_first() -> None:
    """Failed items stand before broken, unproven, blocked and not-run ones."""
    verdicts = [item.verdict for item in view(record()).blocking]
    assert list(dict.fromkeys(verdicts)) == ["failed", "error", "unproven", "blocked", "not_run"]
    assert verdicts == sorted(verdicts, key=list(dict.fromkeys(verdicts)).index)


def test_counts_are_those_of_the_decision() -> None:
    """Counted from the items, the numbers are those that decided."""
    made = record()
    shown = view(made)
    assert shown.counts == made.decision["counts"]
    for name, n in shown.counts.items():
        assert sum(phase.counts.get(name, 0) for phase in shown.phases) == n


@given(st.lists(st.text(max_size=8) | st.sampled_from(RESERVED), max_size=20))
def test_anchors_are_unique_and_none_is_the_pages_own(names: list[str]) -> None:
    """Whatever items are called, equal names included, each gets a fragment of its own."""
    anchors = Anchors()
    made = [anchors.make(name) for name in names]
    assert len(set(made)) == len(made)
    assert not set(made) & set(RESERVED)


def test_an_item_keeps_its_id_as_its_anchor() -> None:
    """A link to an item is the report's address and the item's id."""
    assert Anchors().make("post_deploy.functional.health") == "post_deploy.functional.health"


@pytest.mark.parametrize(
    ("command", "repeat"),
    [
        ("pytest suites --target prod --allow burst,load", "--target prod --allow burst,load"),
        ("pytest suites --target=targets/eu.toml -v", "--target targets/eu.toml"),
        ("pytest suites/rollback --target staging --drill", "--target staging --drill"),
        ("pytest --replay old.json --as-of 2026-11-01", "--target prod --replay old.json --as-of 2026-11-01"),
        ("pytest --target 'my prod'", "--target 'my prod'"),
        ("pytest --allow", "--target prod --allow ''"),
        ("pytest 'unbalanced", "--target prod"),
        ("", "--target prod"),
    ],
)
def test_the_command_that_repeats_an_item_keeps_what_decides_its_verdict(command: str, repeat: str) -> None:
    """Target, allowances, replay and drill are kept; paths, verbosity and evidence are not."""
    made = record()
    run = {**made.run, "command": command}
    item = view(Record(**{**vars(made), "run": run})).by_id["post_deploy.functional.health"]
    assert item.repeat == f"pytest suites/post_deploy/test_functional.py::test_health {repeat}"


def test_an_item_without_a_test_has_no_such_command() -> None:
    """Nothing pretends to repeat what only people can do."""
    assert view(record()).by_id["sign_off.final.cto"].repeat == ""


def test_a_pass_without_a_message_says_what_it_rests_on() -> None:
    """The sentence of a silent pass counts its comparisons and observations."""
    items = view(record()).by_id
    assert items["pre_deploy.infrastructure.capacity"].sentence == "3 comparisons held on 2 observations"
    assert items["sign_off.final.cto"].sentence == "no test ran and no claim covers it"


@pytest.mark.parametrize(
    ("release", "url", "said"),
    [
        (
            {"service": "token-service", "version": "1.4.2"},
            "https://x.example",
            "token-service 1.4.2 on prod",
        ),
        ({"version": "1.4.2"}, "https://x.example/api", "x.example 1.4.2 on prod"),
        ({}, "", "deployment (version not stated) on prod"),
    ],
)
def test_the_subject_names_service_version_and_target(release: dict[str, str], url: str, said: str) -> None:
    """Without a service's name its host stands in, and a missing version is said."""
    assert subject({"release": release, "target": {"name": "prod", "base_url": url}}) == said


def test_comparisons_in_a_loop_are_said_once() -> None:
    """Equal assertions are one entry with their distinct values and how often each was seen."""
    looped = [{"expression": "s == 200", "values": f"{n} == 200", "line": 7} for n in (200, 200, 404)]
    other = {"expression": "s == 200", "values": "200 == 200", "line": 9}
    assert compared([*looped, other]) == [
        Compared("s == 200", 7, (("200 == 200", 2), ("404 == 200", 1)), 0),
        Compared("s == 200", 9, (("200 == 200", 1),), 0),
    ]
    (many,) = compared([{"expression": "x", "values": str(n), "line": 1} for n in range(40)])
    assert (len(many.values), many.more) == (MOST_VALUES, 40 - MOST_VALUES)


def test_comparisons_that_were_counted_count_as_often() -> None:
    """What a record counted together, or did not keep, is part of the sum."""
    counted = {"expression": "s == 200", "values": "200 == 200", "line": 7, "count": 30}
    last = {"expression": "s == 200", "values": "404 == 200", "line": 7, "others": 5}
    assert compared([counted, last]) == [Compared("s == 200", 7, (("200 == 200", 30), ("404 == 200", 1)), 5)]
    made = record()
    item = dict(made.items[0])
    item["outcomes"] = [{**item["outcomes"][0], "comparisons": [counted, last]}]
    shown = view(Record(**{**vars(made), "items": [item]})).items[0]
    assert shown.sentence == "36 comparisons held on 2 observations"
