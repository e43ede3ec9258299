"""Operational Readiness, Documentation (item 68): the API's own documentation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.health import agrees
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.api_docs import ApiDocsFacts
    from pytest_deploycheck.probes.api_routes import ApiRoutesFacts

API = "operations.documentation.api"
TEXT = "API documentation accessible"
HIDDEN = (401, 403, 404)


@pytest.mark.checklist(API, text=TEXT)
def test_api(api_docs_facts: ApiDocsFacts) -> None:
    """The OpenAPI document is served to those it is for, valid, of this release and of this service."""
    facts = api_docs_facts
    if facts.visibility == "internal":
        assert facts.anonymous in HIDDEN, (
            f"{facts.path} is internal and answers anybody with {facts.anonymous}"
        )
        if facts.status in HIDDEN:
            unproven(
                Reason.NO_ACCESS,
                f"{facts.path} answers {facts.status} to us; add auth.test_account that may see it",
            )
    else:
        assert facts.anonymous == 200, f"{facts.path} is public and answers anybody with {facts.anonymous}"
    assert facts.openapi, f"{facts.path} is no OpenAPI document"
    if facts.problems is None:
        unproven(Reason.NO_ACCESS, f"{facts.path} could not be validated: {facts.why}")
    assert not facts.problems, (
        f"{facts.path} is not valid: {facts.problems[0]} ({len(facts.problems)} findings)"
    )
    assert facts.operations, f"{facts.path} documents no operation"
    _released(facts)
    base = urlsplit(facts.base_url)
    assert any(_same_place(url, facts.base_url) for url in facts.servers), (
        f"{facts.path} sends clients to {', '.join(facts.servers)}, not to {base.scheme}://{base.netloc}"
    )
    if facts.visibility == "public":
        assert not facts.private, f"{facts.path} is public and lists {facts.private[0]}"
        assert not facts.admin, (
            f"{facts.path} is public and lists {facts.admin[0]}, which is for administrators"
        )


@pytest.mark.checklist(API, text=TEXT)
def test_api_true(api_docs_facts: ApiDocsFacts, limits: Limits) -> None:
    """What is documented is there, and answers as its schema says."""
    facts = api_docs_facts
    if not facts.asked:
        unproven(Reason.NO_EVIDENCE, f"{facts.path} documents no GET that could be asked")
    gone = [one.name for one in facts.asked if one.gone]
    assert len(gone) <= limits.api_dead_ops_max, f"documented, and not there: {', '.join(gone[:3])}"
    for one in facts.asked:
        assert not one.wrong, f"{one.name} answers {one.status}, and {one.wrong}"
    # Schemas that say nothing, and operations that all refuse, would let anything pass.
    if not any(one.checked and 200 <= one.status < 300 for one in facts.asked):
        unproven(Reason.NO_EVIDENCE, "no answer could be held against a schema: none that succeeded has one")
    if any(one.status in (401, 403) for one in facts.asked):
        assert facts.schemes, f"{facts.path} declares no way to log in, and operations want one"


@pytest.mark.checklist(API, text=TEXT)
def test_api_page(api_docs_facts: ApiDocsFacts) -> None:
    """The page for people loads for those it is for; a product without such a page names none."""
    facts = api_docs_facts
    assert facts.operations, f"{facts.path} documents no operation"
    if not facts.page:
        return
    if facts.visibility == "internal":
        assert facts.page_anonymous in HIDDEN, (
            f"{facts.page} is internal and answers anybody with {facts.page_anonymous}"
        )
        if facts.page_status in HIDDEN:
            unproven(Reason.NO_ACCESS, f"{facts.page} answers {facts.page_status} to us as well")
    assert facts.page_status == 200, f"{facts.page} answers {facts.page_status}"
    assert facts.page_html, f"{facts.page} is no HTML page"


@pytest.mark.checklist(API, text=TEXT)
def test_api_routes(api_docs_facts: ApiDocsFacts, api_routes_facts: ApiRoutesFacts, limits: Limits) -> None:
    """Every route that answered something is in the document.

    Labels of catch-all routes (`unmatched`, `/*`) name none.  A static file is none either.
    """
    documented = [_matcher(name) for name in api_docs_facts.operations]
    assert documented, f"{api_docs_facts.path} documents no operation"
    apart = {api_docs_facts.path, api_docs_facts.page, *api_routes_facts.undocumented}
    routes = [
        one for one in api_routes_facts.routes if one.route.startswith("/") and not one.route.endswith("*")
    ]
    if not routes:
        unproven(Reason.NO_TRAFFIC, f"{api_routes_facts.metric} names no route")
    unknown = [
        f"{one.method} {one.route}".strip()
        for one in routes
        if one.method not in ("HEAD", "OPTIONS")
        and one.route not in apart
        and not _known(documented, one.method, one.route)
    ]
    assert len(unknown) <= limits.api_unknown_routes_max, (
        f"served, and not documented: {', '.join(unknown[:3])}"
    )


def _released(facts: ApiDocsFacts) -> None:
    """Assert that the document is the release's, by its version or its commit."""
    if facts.told_commit and facts.commit:
        assert agrees(facts.commit, facts.told_commit), f"{facts.path} is of commit {facts.told_commit}"
        return
    if not facts.released:
        unproven(Reason.NO_CONFIG, "no release.version in the target file; add it")
    assert facts.version, f"{facts.path} says no version"
    assert agrees(facts.released, facts.version), (
        f"{facts.path} is of {facts.version}, released is {facts.released}"
    )


def _same_place(url: str, base: str) -> bool:
    ours, theirs = urlsplit(base), urlsplit(url)
    usual = {"http": 80, "https": 443}
    return (ours.scheme, ours.hostname, ours.port or usual.get(ours.scheme)) == (
        theirs.scheme,
        theirs.hostname,
        theirs.port or usual.get(theirs.scheme),
    )


def _matcher(name: str) -> tuple[str, re.Pattern[str]]:
    method, _, path = name.partition(" ")
    parts = (re.escape(part) for part in re.split(r"\{[^{}/]+\}", path.rstrip("/") or "/"))
    return method, re.compile(rf"{'[^/]+'.join(parts)}/?")


def _known(documented: Iterable[tuple[str, re.Pattern[str]]], method: str, route: str) -> bool:
    """Whether a route, a template itself or a real path, is that of a documented operation."""
    return any(method in ("", name) and pattern.fullmatch(route) for name, pattern in documented)
