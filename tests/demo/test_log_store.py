"""Log lines as they are kept: in order, once, bounded, and still there after a restart."""

from __future__ import annotations

from pathlib import Path

from pytest_deploycheck.demo import logql
from pytest_deploycheck.demo.log_store import Store
from pytest_deploycheck.demo.logql import LogQuery

EVERYTHING = logql.parse('{a="b"}')
assert isinstance(EVERYTHING, LogQuery)


def lines(store: Store) -> list[str]:
    """Return all lines, oldest first."""
    assert isinstance(EVERYTHING, LogQuery)
    return [text for _, found in store.lines(EVERYTHING, 0, 10**18, 10**6, forward=True) for _, text in found]


def test_late_lines_are_put_in_their_place(tmp_path: Path) -> None:
    """Entries come out by time, whatever the order of their arrival."""
    store = Store(tmp_path / "chunks.jsonl")
    store.add({"a": "b"}, [(5, "five"), (1, "one")])
    store.add({"a": "b"}, [(3, "three")])
    assert lines(store) == ["one", "three", "five"]


def test_a_repeated_push_counts_once(tmp_path: Path) -> None:
    """The same line at the same time is the same entry; another line at that time is not."""
    store = Store(tmp_path / "chunks.jsonl")
    for _ in range(2):
        store.add({"a": "b"}, [(1, "one"), (1, "uno")])
    assert lines(store) == ["one", "uno"]


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """A store over the same file has the same lines, though its last line was cut off by a kill."""
    file = tmp_path / "chunks.jsonl"
    Store(file).add({"a": "b"}, [(1, "one"), (2, "two")])
    with file.open("a") as half:
        half.write('[{"a": "b"}, [[3, "thr')
    assert lines(Store(file)) == ["one", "two"]


def test_the_oldest_lines_go_first(tmp_path: Path) -> None:
    """More lines than the bound drop the oldest quarter, in memory and in the file."""
    store = Store(tmp_path / "chunks.jsonl", max_lines=100)
    for number in range(101):
        store.add({"a": "b"}, [(number + 1, str(number))])
    assert lines(store) == [str(number) for number in range(26, 101)]
    assert lines(Store(tmp_path / "chunks.jsonl")) == lines(store)


def test_labels_are_told_for_the_range_asked_for(tmp_path: Path) -> None:
    """A label whose lines are all outside the range is not named."""
    store = Store(tmp_path / "chunks.jsonl")
    store.add({"service": "old", "host": "h"}, [(1, "x")])
    store.add({"service": "new"}, [(100, "x")])
    assert store.label_values("service", 50, 200) == ["new"]
    assert store.label_names(50, 200) == ["service"]
    assert store.label_values("service", 0, 200) == ["new", "old"]
    assert store.series([], 50, 200) == [{"service": "new"}]


def test_a_limit_counts_over_all_streams(tmp_path: Path) -> None:
    """The newest lines are taken whichever stream they are in, or the oldest when asked forward."""
    store = Store(tmp_path / "chunks.jsonl")
    for number in range(6):
        store.add({"a": "b", "odd": str(number % 2)}, [(number + 1, str(number))])
    assert isinstance(EVERYTHING, LogQuery)
    for forward, expected in ((False, {"3", "4", "5"}), (True, {"0", "1", "2"})):
        found = store.lines(EVERYTHING, 0, 10, 3, forward=forward)
        assert {text for _, entries in found for _, text in entries} == expected
