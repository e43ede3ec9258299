"""The latency probe: what counts as an answer, and which endpoints are asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.latency import _buckets, _valid, cached, quantile
from pytest_deploycheck.probes.latency_endpoints import endpoints_of
from pytest_deploycheck.target import Target
from pytest_deploycheck.transports.http import Response
from pytest_deploycheck.verdict import Reason
from tests.probes.canned import Canned, client_of, serving


def response(body: bytes = b"{}", status: int = 200, **headers: str) -> Response:
    """Return an answer, by default an empty JSON object."""
    pairs = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return Response("GET", "https://x/", status, tuple(pairs.items()), body, False, 0.01, 0.02)


def target(**sections: Any) -> Target:
    """Return a target with a base URL and the given sections."""
    base = {"name": "x", "environment": "dev", "base_url": "https://x.example"}
    return Target.model_validate({"target": base, **sections})


@pytest.mark.parametrize(
    ("answer", "valid"),
    [
        (response(), True),
        (response(b"[1, 2]"), True),
        (response(b"<html>"), False),
        (response(b""), False),
        (response(b"", 204), True),
        (response(b"{", content_type="application/problem+json; charset=utf-8"), False),
        (response(b"<html>", content_type="text/html"), True),
        (response(b"plain", content_type=""), True),
    ],
)
def test_an_answer_is_what_it_claims_to_be(answer: Response, valid: bool) -> None:
    """JSON must parse when it is announced; pages are as good as JSON; an empty 200 is nothing."""
    assert _valid(answer) is valid


@pytest.mark.parametrize(
    ("headers", "hit"),
    [
        ({}, False),
        ({"age": "0"}, False),
        ({"age": "7"}, True),
        ({"x_cache": "Hit from cloudfront"}, True),
        ({"cf_cache_status": "DYNAMIC"}, False),
        ({"x_cache_status": "HIT"}, True),
        ({"x_cache": "MISS"}, False),
    ],
)
def test_answers_of_a_cache_are_told_apart(headers: dict[str, str], hit: bool) -> None:
    """Age and the usual headers report a hit; a miss is the service's own answer."""
    assert cached(response(**headers)) is hit


@given(st.lists(st.floats(0, 100), min_size=1), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_not_exceeded_by_its_share(values: list[float], share: float) -> None:
    """At least that share of the values is not above it, and it is the smallest such value."""
    found = quantile(tuple(values), share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values)


@given(st.lists(st.floats(0, 60)))
def test_a_distribution_counts_every_value(values: list[float]) -> None:
    """The buckets' edges ascend, and together they hold all values."""
    buckets = _buckets(values)
    edges = [edge for edge, _ in buckets]
    assert edges == sorted(set(edges))
    assert sum(count for _, count in buckets) == len(values)


DOCUMENT = {
    "paths": {
        "/me": {"get": {}},
        "/search": {"get": {"parameters": [{"name": "q", "in": "query", "required": True}]}},
        "/page": {"get": {"parameters": [{"name": "n", "in": "query", "required": False}]}},
        "/ref": {"get": {"parameters": [{"$ref": "#/components/parameters/Who"}]}},
        "/items/{id}": {"get": {}},
        "/orders": {"post": {}},
        "/admin/users": {"get": {}},
        "/auth/logout": {"get": {}},
        "/news": {"get": {"security": []}},
    }
}


@pytest.mark.parametrize(("logged_in", "found"), [(True, ("/me", "/page", "/news")), (False, ("/news",))])
def test_endpoints_are_discovered(logged_in: bool, found: tuple[str, ...]) -> None:
    """Documented GETs that need nothing are asked; without an account only those open to all."""
    with serving(lambda path, query: Canned(json.dumps(DOCUMENT))) as base:
        named = endpoints_of(target(auth={"admin_ops": ["GET /admin/users"]}), client_of(base), logged_in)
    assert named == found


def test_the_target_file_decides() -> None:
    """Endpoints of the file are asked as they stand there, each once, and nothing is fetched for it."""
    perf = {"endpoints": ["/a?x=1", "/b", "/b"]}
    assert endpoints_of(target(perf=perf), client_of("http://127.0.0.1:9"), True) == ("/a?x=1", "/b")


@pytest.mark.parametrize("body", ["", "[]", '{"paths": []}', '{"paths": {"/x": 1}}', "<html>"])
def test_nothing_to_ask_is_a_missing_key(body: str) -> None:
    """Without a usable document the message names the key to add."""
    with serving(lambda path, query: Canned(body)) as base, pytest.raises(CannotLook) as why:
        endpoints_of(target(), client_of(base), True)
    assert why.value.reason is Reason.NO_CONFIG
    assert "perf.endpoints" in why.value.message
