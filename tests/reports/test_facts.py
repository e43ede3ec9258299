"""Facts as people read them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck.plots import Bars
from pytest_deploycheck.record import jsonable
from pytest_deploycheck.reports.facts import Alike, Bounds, Entries, Fields, Plot, Table, Text, tree

from .world import FACTS

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def test_fields_keep_their_order_and_say_their_units() -> None:
    """A mapping becomes named values in the probe's order, units taken from the names."""
    node = tree({"zeta_s": 0.5, "alpha_bytes": 2048, "beta": None})
    assert node == Fields(
        (("zeta", Text("500 ms")), ("alpha", Text("2 KiB (2048 bytes)")), ("beta", Text("none")))
    )


def test_entries_of_one_shape_become_a_table() -> None:
    """A list of like mappings with few short fields is a table with the units in its cells."""
    node = tree([{"mount": "/", "free_pct": 61.2}, {"mount": "/var", "free_pct": 4.0}])
    assert node == Table(("mount", "free"), (("/", "61.2 %"), ("/var", "4 %")))


def test_entries_with_long_or_many_or_other_fields_do_not() -> None:
    """Long cells, more than seven columns, nested values and differing shapes are listed instead."""
    for rows in (
        [{"a": "x" * 60}],
        [{str(n): n for n in range(8)}],
        [{"a": {"b": 1}}],
        [{"a": 1}, {"b": 1}],
        [{"a": "line\nline"}],
    ):
        assert isinstance(tree(rows), Entries)


def test_entries_with_many_short_fields_run_in_lines() -> None:
    """Short fields are run together, beside a long one too; one or two beside a long one stand apart."""
    short = tree([{str(n): n for n in range(6)}, {**{str(n): n for n in range(7)}, "b": {"c": 1}}])
    assert isinstance(short, Entries)
    assert [isinstance(entry, Fields) and entry.run for entry in short.entries] == [True, True]
    long = tree([{"a": 1, "b": "x" * 200}, {"a": 1, "b": {"c": 1}}])
    assert isinstance(long, Entries)
    assert [isinstance(entry, Fields) and entry.run for entry in long.entries] == [False, False]


def test_what_all_entries_have_in_common_is_said_once() -> None:
    """Fields that are equal in three entries or more stand before the table of those that differ."""
    rows = [{"name": f"app{n}", "limit_bytes": 1024, "error": "", "used_bytes": n} for n in range(3)]
    same = Fields((("limit", Text("1 KiB")), ("error", Text("none"))), run=True)
    rest = Table(("name", "used"), (("app0", "0 B"), ("app1", "1 B"), ("app2", "2 B")))
    assert tree(rows) == Alike(3, same, rest)
    assert isinstance(tree(rows[:2]), Table), "two entries are quickly compared"
    assert tree([{"a": 1}] * 4) == Alike(4, Fields((("a", Text("1")),), run=True), None)
    assert isinstance(tree([*rows, {"name": "other"}]), Entries), (
        "entries of another shape have nothing in common"
    )


def test_what_an_entry_is_called_stays_when_it_is_not_shown() -> None:
    """Of many long entries the first are shown in full and the others named."""
    rows = [{"name": f"rule {n}", "query": "x" * 100 + str(n)} for n in range(5)]
    node = tree(rows, Bounds(long=3))
    assert isinstance(node, Entries)
    assert len(node.entries) == 3
    assert node.more == "2 more, 5 in all: rule 3, rule 4"


def test_short_lists_stand_on_one_line() -> None:
    """A list of short values is said in a row, a long one entry by entry."""
    assert tree([200, 200, 401]) == Text("200, 200, 401")
    assert isinstance(tree(["word " * 10] * 4), Entries)
    assert tree([]) == Text("none")
    assert tree({}) == Text("none")


def test_pairs_are_fields_with_their_own_names() -> None:
    """A list of (name, value) pairs reads as fields, names unchanged; with a name twice it stays a list."""
    assert tree([["nginx_s", 1], ["api", None]]) == Fields((("nginx_s", Text("1")), ("api", Text("none"))))
    assert isinstance(tree([["a", "x" * 50], ["a", "y" * 50]]), Entries)


def test_text_with_lines_keeps_them() -> None:
    """A log excerpt is a block of its own."""
    assert tree("one\ntwo") == Text("one\ntwo", block=True)


def test_a_plot_is_drawn_and_a_broken_one_is_listed() -> None:
    """A mapping with the key `plot` becomes a figure; one whose numbers make no sense stays fields."""
    assert isinstance(tree(jsonable(Bars("t", "s", (("a", 1.0),)))), Plot)
    for broken in ({"plot": "bars"}, {"plot": "bars", "title": "", "unit": "", "bars": []}, {"plot": "pie"}):
        assert isinstance(tree(broken), Fields)


def test_what_is_left_out_is_counted() -> None:
    """Entries beyond the bound are counted, strings beyond it named with size and digest."""
    bounds = Bounds(excerpt=100, entries=3)
    assert tree(list(range(9)), bounds) == Text("0, 1, 2 … 6 more, 9 in all")
    table = tree([{"a": n} for n in range(9)], bounds)
    assert isinstance(table, Table)
    assert (len(table.rows), table.more) == (3, "6 more, 9 in all")
    fields = tree({str(n): n for n in range(9)}, bounds)
    assert isinstance(fields, Fields)
    assert (len(fields.entries), fields.more) == (3, "6 more, 9 in all")
    cut = tree("x" * 200, bounds)
    assert isinstance(cut, Text)
    assert cut.text == "x" * 100
    assert cut.note.startswith("truncated, 200 bytes, sha256 ")


def test_deep_nesting_ends_in_an_excerpt() -> None:
    """A value nested a thousand levels deep is cut off, not a crash."""
    value: Any = "bottom"
    for _ in range(1000):
        value = {"down": [value]}
    node = tree(value)
    depth = 0
    while isinstance(node, (Fields, Entries)):
        inner = node.entries[0]
        node, depth = (inner[1] if isinstance(inner, tuple) else inner), depth + 1
    assert isinstance(node, Text)
    assert depth == 8


@given(JSON)
def test_any_json_value_can_be_shown(value: Any) -> None:
    """No JSON value is refused."""
    assert tree(value).kind in ("text", "fields", "table", "entries", "alike", "plot")


def test_the_worlds_facts_hold_every_kind_of_node() -> None:
    """The facts that the page's tests use exercise each kind of node, so that the page shows each."""
    kinds: set[str] = set()

    def walk(node: Any) -> None:
        kinds.add(node.kind)
        for entry in getattr(node, "entries", ()):
            walk(entry[1] if isinstance(entry, tuple) else entry)
        if isinstance(node, Alike):
            walk(node.same)
            walk(node.rest)

    for facts in FACTS.values():
        walk(tree(jsonable(facts)))
    assert kinds == {"text", "fields", "table", "entries", "alike", "plot"}
