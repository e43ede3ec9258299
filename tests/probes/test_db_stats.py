"""The db_stats probe: which statements are the application's work, and what two looks say that one does not."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.db_stats import TOP, Statement, _judged, _statements, _tables, _top
from pytest_deploycheck.probes.db_stats_queries import Snapshot, access
from pytest_deploycheck.transports.sql import refuse_writes
from pytest_deploycheck.verdict import Reason

EMPTY = Snapshot(
    at=0.0,
    database="shop",
    server_version="17",
    stats_since=0.0,
    statements={},
    counters={},
    tables={},
    open_tx=(0.0, ""),
    lock_wait=(0.0, ""),
    connections=1,
    connections_max=97,
    replicas=(),
    archiver_failing=None,
)


def row(text: str = "SELECT 1", calls: int = 10, total_s: float = 1.0) -> dict[str, Any]:
    """Return a row of pg_stat_statements, times in seconds."""
    mean = total_s / calls
    return {
        "text": text,
        "role": "app",
        "calls": calls,
        "total_s": total_s,
        "mean_s": mean,
        "stddev_s": 0.0,
        "max_s": mean,
    }


def looks(first: dict[str, Any] | None, second: dict[str, Any], ignored: str = "(?!)") -> list[Statement]:
    """Return the statements of two looks at one row."""
    before = replace(EMPTY, statements={(1, 1): first} if first else {})
    return list(_statements(before, replace(EMPTY, statements={(1, 1): second}), [re.compile(ignored)]))


@pytest.mark.parametrize(
    ("text", "judged"),
    [
        ("SELECT 1", True),
        ("  (select a from b) union select c from d", True),
        ("/* route: /me */ UPDATE a SET b = $1", True),
        ("-- named\nINSERT INTO a VALUES ($1)", True),
        ("WITH x AS (SELECT 1) DELETE FROM a", True),
        ("COPY public.orders TO stdout", False),
        ("VACUUM ANALYZE orders", False),
        ("CREATE INDEX CONCURRENTLY x ON a (b)", False),
        ("ALTER ROLE app PASSWORD 'hunter2'", False),
        ("selection", False),
    ],
)
def test_dumps_and_migrations_are_no_daily_work(text: str, judged: bool) -> None:
    """Queries and changes of rows are judged, whatever comment stands before them."""
    assert _judged(text) is judged


def test_a_new_regression_shows_between_the_looks() -> None:
    """A mean over a million quick calls hides ten slow ones; the difference of the looks does not."""
    (found,) = looks(row(calls=1_000_000, total_s=1000.0), row(calls=1_000_010, total_s=1003.0))
    assert found.mean_s == pytest.approx(0.001, rel=0.01)
    assert (found.recent_calls, found.recent_mean_s) == (10, 0.3)


def test_a_statement_that_is_new_counts_from_zero() -> None:
    """Whatever the first look did not know was called since."""
    (found,) = looks(None, row(calls=4, total_s=2.0))
    assert (found.recent_calls, found.recent_mean_s) == (4, 0.5)


def test_a_statement_at_rest_has_no_recent_mean() -> None:
    """No call between the looks is no quick call."""
    (found,) = looks(row(), row())
    assert (found.recent_calls, found.recent_mean_s) == (0, None)


def test_a_reset_between_the_looks_is_no_negative_time() -> None:
    """Fewer calls than before mean that the counting began anew."""
    (found,) = looks(row(calls=100), row(calls=3))
    assert (found.recent_calls, found.recent_mean_s) == (0, None)


def test_statements_that_may_take_long_are_left_out() -> None:
    """Regular expressions of the target file name them."""
    assert looks(None, row("SELECT * FROM nightly_report"), ignored="nightly") == []


def test_text_is_one_short_line() -> None:
    """Statements are shown in one line of bounded length."""
    (found,) = looks(None, row("SELECT\n\t" + "a, " * 500))
    assert len(found.text) == 200
    assert "\n" not in found.text


def test_the_top_is_chosen_in_three_ways() -> None:
    """By total time, by mean time of what is called often, and by mean time just now; each once."""
    (base,) = looks(None, row())
    many = [
        replace(base, text=f"quick {n}", total_s=100.0 + n, mean_s=0.001, recent_mean_s=0.0)
        for n in range(50)
    ]
    slow = replace(base, text="slow", total_s=1.0, mean_s=5.0, calls=60, recent_mean_s=None)
    rare = replace(base, text="rare", total_s=0.5, mean_s=9.0, calls=2, recent_mean_s=None)
    fresh = replace(base, text="fresh", total_s=0.1, mean_s=0.1, calls=1, recent_mean_s=2.0)
    found = _top((*many, slow, rare, fresh), min_calls=50)
    assert [one.text for one in found[:TOP]] == [f"quick {n}" for n in range(49, 49 - TOP, -1)]
    assert {"slow", "fresh"} <= {one.text for one in found}
    assert "rare" not in {one.text for one in found}
    assert len(found) == len(set(found))


def test_scans_are_counted_between_the_looks() -> None:
    """A table's scans of last year do not count, nor do those of a table that the first look did not know."""
    old = {"rows": 5, "dead": 0, "seq_scan": 1000, "last_vacuum": None}
    first = replace(EMPTY, tables={"a": old})
    second = replace(EMPTY, tables={"a": {**old, "seq_scan": 1003}, "b": old})
    assert [table.recent_seq_scans for table in _tables(first, second)] == [3, 0]


class Answering:
    """Stands for a connection whose role and server say this of themselves."""

    def __init__(self, **values: Any) -> None:
        base = {"role": "reader", "may_read": True, "version_num": 160004, "statements_schema": "public"}
        self._row = {**base, "preloaded": True, **values}

    def one(self, statement: str) -> dict[str, Any]:
        """Return the row for a statement that the transport would let pass."""
        refuse_writes(statement)
        return self._row


@pytest.mark.parametrize(
    ("values", "reason", "words"),
    [
        ({"may_read": False}, Reason.NO_ACCESS, "GRANT pg_monitor TO reader;"),
        ({"statements_schema": None}, Reason.NO_EVIDENCE, "CREATE EXTENSION pg_stat_statements;"),
        ({"preloaded": False}, Reason.NO_EVIDENCE, "ALTER SYSTEM SET shared_preload_libraries"),
        ({"version_num": 120009}, Reason.NO_EVIDENCE, "PostgreSQL 12 is older than 13"),
    ],
)
def test_what_is_missing_is_said_in_sql(values: dict[str, Any], reason: Reason, words: str) -> None:
    """The message holds the statement that mends it."""
    with pytest.raises(CannotLook, match=re.escape(words)) as why:
        access(Answering(**values))  # type: ignore[arg-type]
    assert why.value.reason is reason
