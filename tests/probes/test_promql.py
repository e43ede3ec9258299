"""The PromQL client against answers as Prometheus 2 and 3 give them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.promql import PromQL, QueryRefused, duration, quoted
from pytest_deploycheck.verdict import Reason
from tests.probes.canned import Canned, client_of, serving


@contextmanager
def prometheus(result: Any, kind: str = "vector", status: int = 200) -> Iterator[PromQL]:
    """Serve one result to every query."""
    body = {"status": "success", "data": {"resultType": kind, "result": result}}
    with serving(lambda path, query: Canned(json.dumps(body), status)) as base:
        yield PromQL(client_of(base, "prom"))


def series(value: str, **labels: str) -> dict[str, Any]:
    """Return one series of a vector."""
    return {"metric": labels, "value": [1795485283.781, value]}


def test_strings_become_numbers() -> None:
    """Values arrive as strings; labels are there by name, and an absent label is the empty one."""
    with prometheus([series("2.5", route="/me"), series("1e-3", route="/")]) as prom:
        first, second = prom.instant("x")
    assert (first.value, first.label("route"), first.label("pod")) == (2.5, "/me", "")
    assert second.value == 0.001


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf"])
def test_what_is_no_number_is_no_value(text: str) -> None:
    """NaN and the infinities are left out, here and in a range."""
    with prometheus([series(text)]) as prom:
        assert prom.instant("x") == ()
        assert prom.value("x") is None


def test_empty_is_no_data_and_not_zero() -> None:
    """A query without a series has no value."""
    with prometheus([]) as prom:
        assert prom.value("x") is None


def test_several_series_are_not_one_value() -> None:
    """Where one value was asked for, two are none, since nobody knows which it would be."""
    with prometheus([series("1", a="1"), series("2", a="2")]) as prom:
        assert prom.value("x") is None


def test_scalars_are_values() -> None:
    """time() gives a scalar, which has no labels."""
    with prometheus([1795485283.781, "1795485283.781"], kind="scalar") as prom:
        assert prom.now() == 1795485283.781


def test_native_histograms_are_no_numbers() -> None:
    """A series that holds a histogram instead of a value is left out."""
    with prometheus([{"metric": {}, "histogram": [1795485283, {"count": "3", "sum": "1"}]}]) as prom:
        assert prom.instant("x") == ()


def test_a_range_keeps_its_gaps() -> None:
    """Points without a value are left out, and a series of nothing else with them."""
    values = [[10, "1"], [20, "NaN"], [30, "3"]]
    lines = [{"metric": {"a": "b"}, "values": values}, {"metric": {}, "values": [[10, "NaN"]]}]
    with prometheus(lines, kind="matrix") as prom:
        (line,) = prom.range("x", 0, 40, 10)
    assert (line.points, line.label("a")) == (((10.0, 1.0), (30.0, 3.0)), "b")


def test_a_refused_query_is_named() -> None:
    """The message has the query, the status and what Prometheus says."""
    body = json.dumps({"status": "error", "errorType": "bad_data", "error": "parse error at char 4"})
    with serving(lambda path, query: Canned(body, 400)) as base, pytest.raises(QueryRefused) as why:
        PromQL(client_of(base)).instant("rate(x")
    assert "'rate(x' with 400: parse error at char 4" in why.value.message


def test_a_locked_door_asks_for_a_token() -> None:
    """401 is no access, and the message says which key gives it."""
    with serving(lambda path, query: Canned("no", 401)) as base, pytest.raises(CannotLook) as why:
        PromQL(client_of(base)).instant("up")
    assert why.value.reason is Reason.NO_ACCESS
    assert "give prometheus.token" in why.value.message


@pytest.mark.parametrize(
    "body", ["<html>", "[]", '{"status": "success"}', '{"status": "success", "data": {}}']
)
def test_another_server_is_unparseable(body: str) -> None:
    """A page, a list and an answer without a result are not taken for no data."""
    with serving(lambda path, query: Canned(body)) as base, pytest.raises(CannotLook) as why:
        PromQL(client_of(base)).instant("up")
    assert why.value.reason is Reason.UNPARSEABLE


def test_a_matrix_is_no_vector() -> None:
    """An instant query for a range is refused rather than read wrongly."""
    with prometheus([], kind="matrix") as prom, pytest.raises(QueryRefused, match="gives a matrix"):
        prom.instant("x[5m]")


def test_a_range_is_never_finer_than_the_server_allows() -> None:
    """The step grows with the range, since more than 11,000 points are refused."""
    asked: list[dict[str, list[str]]] = []

    def answer(path: str, query: dict[str, list[str]]) -> Canned:
        asked.append(query)
        return Canned('{"status": "success", "data": {"resultType": "matrix", "result": []}}')

    with serving(answer) as base:
        PromQL(client_of(base)).range("x", 0, 11_000 * 60, 1)
    assert float(asked[0]["step"][0]) >= 60


def test_literals_cannot_be_ended_from_within() -> None:
    """Quotes, backslashes and line ends in a label value stay in it."""
    assert quoted('a"b\\c\nd') == '"a\\"b\\\\c\\nd"'


def test_durations_are_whole_milliseconds() -> None:
    """PromQL knows no fractions of a unit, and no zero."""
    assert [duration(1.5), duration(3600), duration(0)] == ["1500ms", "3600000ms", "1ms"]
