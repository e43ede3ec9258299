"""The response matrix and the list of operations, against services of other shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.probes.http_matrix import TOO_LARGE_BYTES, HttpMatrixFacts
from pytest_deploycheck.probes.operations import OperationsFacts, plain
from tests.probes.service import Asked, Reply, look, serving


def shop(asked: Asked) -> Reply:
    """Serve a session in a cookie, a redirect and a limit on what is sent."""
    if int(asked.headers.get("content-length", 0)) >= TOO_LARGE_BYTES:
        return Reply(413)
    if asked.path == "/auth/login":
        if asked.method != "POST":
            return Reply(405)
        return Reply(200, {"token": "t-ann"}, {"Set-Cookie": "sid=hunter2; Secure; HttpOnly; SameSite=Lax"})
    if asked.path == "/me":
        return Reply(200) if asked.token == "t-ann" else Reply(403)
    if asked.path == "/health/":
        return Reply(308, "", {"Location": "/health"})
    return (
        Reply(200)
        if asked.path == "/health"
        else Reply(404, {}, {"X-Powered-By": "Express", "X-Team": "blue"})
    )


def test_every_class_of_answer_is_seen(tmp_path: Path) -> None:
    """With the statuses that this service gives; what is not judged, and every value of a cookie, is left out."""
    with serving(shop) as base:
        found = look(tmp_path, base, "http_matrix")
    facts: HttpMatrixFacts = found.facts
    assert not facts.unseen and not facts.secure
    assert {one.label: one.status for one in facts.answers} == {
        "public": 200,
        "unauthenticated": 403,
        "not found": 404,
        "method not allowed": 405,
        "redirect": 308,
        "preflight": 403,
        "too large": 413,
        "login": 200,
        "authenticated": 200,
    }
    missing = next(one for one in facts.answers if one.label == "not found")
    assert ("x-powered-by", "Express") in missing.headers and "X-Team" not in str(missing.headers)
    assert [cookie.name for one in facts.answers for cookie in one.cookies] == ["sid"]
    assert "hunter2" not in repr(facts)


def test_classes_that_a_service_does_not_have_say_why(tmp_path: Path) -> None:
    """A service that answers everything with 200 has no redirect, no 405 and no limit; each has its reason."""

    def open_house(asked: Asked) -> Reply:
        return Reply(200, {"token": "t"})

    with serving(open_house) as base:
        facts: HttpMatrixFacts = look(tmp_path, base, "http_matrix").facts
    assert {one.label for one in facts.unseen} == {"method not allowed", "redirect", "too large"}
    assert "1 GiB" in facts.why_unseen("too large")


SPEC: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://shop.example/v2/"}],
    "paths": {
        "/orders/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {
                "parameters": [
                    {"name": "view", "in": "query", "required": True, "schema": {"enum": ["full"]}}
                ]
            },
            "delete": {},
            "x-note": "not an operation",
        },
        "/search": {
            "get": {"parameters": [{"name": "q", "in": "query", "required": True, "example": "a b"}]}
        },
    },
    "components": {
        "parameters": {"Id": {"name": "id", "in": "path", "schema": {"type": "integer", "minimum": 1}}}
    },
}


def operations(tmp_path: Path, reply: Reply, auth: str = "") -> OperationsFacts:
    """Read the operations of a service."""
    with serving(
        lambda asked: reply if asked.path == "/openapi.json" else Reply(200, {"token": "t"})
    ) as base:
        facts: OperationsFacts = look(tmp_path, base, "operations", auth=auth).facts
    return facts


def test_operations_are_read_with_everything_filled_in(tmp_path: Path) -> None:
    """References are followed, ids are nil ones that fit their type, required parameters are given."""
    facts = operations(
        tmp_path, Reply(200, SPEC), 'declared_ops = ["GET /hidden/{x}"]\npublic_ops = ["GET /v2/search"]'
    )
    assert {one.name: one.path for one in facts.operations} == {
        "GET /v2/orders/{id}": "/v2/orders/1?view=full",
        "DELETE /v2/orders/{id}": "/v2/orders/1",
        "GET /v2/search": "/v2/search?q=a+b",
        "GET /hidden/{x}": "/hidden/00000000-0000-0000-0000-000000000000",
    }
    assert [one.name for one in facts.operations if one.public] == ["GET /v2/search"]
    assert facts.documented == 3


@pytest.mark.parametrize(
    "reply", [Reply(404), Reply(200, "<html>"), Reply(200, []), Reply(200, {"paths": 7})]
)
def test_a_missing_document_is_said(reply: Reply, tmp_path: Path) -> None:
    """What is no OpenAPI document gives no operation and a problem."""
    facts = operations(tmp_path, reply)
    assert facts.problem and not facts.documented


def test_names_are_compared_without_those_of_parameters() -> None:
    """A declared operation is the documented one whatever its parameter is called."""
    assert plain("get /wallets/{wallet_id}/") == plain("GET /wallets/{id}")
    assert plain("GET /wallets/{id}") != plain("GET /wallets")
