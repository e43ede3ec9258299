"""The stand-in's LogQL: what is understood selects as Loki would, and everything else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_deploycheck.demo import logql
from pytest_deploycheck.demo.log_store import Store
from pytest_deploycheck.demo.logql import LogQuery, MetricQuery, ParseError

S = 10**9
LINES = [
    (1 * S, '{"level": "info", "status": 200, "msg": "login of ann"}'),
    (2 * S, '{"level": "error", "status": 503, "msg": "no database"}'),
    (3 * S, 'plain text with "quotes" and a-b'),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return three lines of app1, and one of nginx between them."""
    store = Store(tmp_path / "chunks.jsonl")
    store.add({"service": "app1", "env": "prod"}, LINES)
    store.add({"service": "nginx"}, [(2 * S + 1, '{"status": 404}')])
    return store


def found(store: Store, text: str, limit: int = 100, *, forward: bool = True) -> list[int]:
    """Return the times of the lines that a query finds, in seconds."""
    query = logql.parse(text)
    assert isinstance(query, LogQuery)
    streams = store.lines(query, 0, 10 * S, limit, forward=forward)
    return [at // S for _, entries in streams for at, _ in entries]


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ('{service="app1"}', [1, 2, 3]),
        ('{service="app1", env="prod"}', [1, 2, 3]),
        ('{service="app1", env!="prod"}', []),
        ('{service=~"app.*|nginx", env=""}', [2]),
        ('{service=~"pp1"}', []),
        ('{service!~"app.+", service=~".+"}', [2]),
        ('{service="app1"} |= "login"', [1]),
        ('{service="app1"} != "login" |~ "a-[a-c]"', [3]),
        ('{service="app1"} |= `"quotes"`', [3]),
        ('{service="app1"} | json | level="error"', [2]),
        ('{service="app1"} | json | status >= 400', [2]),
        ('{service="app1"} | json | status != 200 | level =~ "err.*"', [2]),
        ('{service="app1"} | json | __error__ = "JSONParserErr"', [3]),
    ],
)
def test_log_queries_select_as_documented(store: Store, query: str, seconds: list[int]) -> None:
    """Matchers are anchored, line filters are not, an absent label is empty, numbers compare as numbers."""
    assert found(store, query) == seconds


def test_the_limit_takes_the_newest_unless_asked_forward(store: Store) -> None:
    """Backward, which is the default, a limit of one is the newest line; forward, the oldest."""
    assert found(store, '{service="app1"}', 1, forward=False) == [3]
    assert found(store, '{service="app1"}', 1, forward=True) == [1]


def test_extracted_labels_become_streams_of_their_own(store: Store) -> None:
    """After json, lines with different members are different streams."""
    query = logql.parse('{service="app1"} | json | status > 0')
    assert isinstance(query, LogQuery)
    streams = store.lines(query, 0, 10 * S, 10, forward=True)
    assert {labels["status"] for labels, _ in streams} == {"200", "503"}


def test_counts_slide_over_their_range(store: Store) -> None:
    """A count covers the range up to its moment, the moment included; without lines there is none."""
    query = logql.parse('sum by (service) (count_over_time({service=~".+"}[2s]))')
    assert isinstance(query, MetricQuery)
    assert query.by == ("service",)
    series = {labels["service"]: points for labels, points in store.samples(query, [2 * S, 3 * S, 9 * S])}
    assert series == {"app1": [(2.0, "2"), (3.0, "2")], "nginx": [(3.0, "1")]}


def test_a_rate_is_a_count_by_second(store: Store) -> None:
    """Three lines in ten seconds are 0.3 a second."""
    query = logql.parse('sum(rate({service="app1"}[10s]))')
    assert isinstance(query, MetricQuery)
    assert store.samples(query, [3 * S]) == [({}, [(3.0, "0.3")])]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", r"unexpected \$end"),
        ("{}", "at least one regexp or equality matcher"),
        ('{service=~".*"}', "at least one regexp or equality matcher"),
        ('{service="a"', r"col 13: syntax error: unexpected \$end"),
        ('{service="a"} | logfmt', "syntax error"),
        ('{service="a"} nonsense', "col 15: syntax error: unexpected nonsense"),
        ('topk(3, {service="a"})', "unexpected topk"),
        ('count_over_time({service="a"})', r"unexpected \)"),
        ("{service=1}", "unexpected 1"),
    ],
)
def test_what_is_not_understood_is_refused(query: str, message: str) -> None:
    """A query outside the subset is an error that names the place, never an empty result."""
    with pytest.raises(ParseError, match=message):
        logql.parse(query)
