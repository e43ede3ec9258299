"""Item 55 in depth: hidden routes, roles, other users' objects, operations that write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.authz import AuthzFacts
    from pytest_deploycheck.probes.authz_writes import AuthzWritesFacts

AUTHZ = "Authentication required for protected endpoints"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.security.authz", text=AUTHZ)
def test_authz_nothing_hidden(authz_facts: AuthzFacts) -> None:
    """No route outside the specification is open: metrics, admin pages, debuggers, environment files."""
    assert authz_facts.hidden_asked, "no route was asked"
    for route in authz_facts.open_routes:
        assert f"GET {route.path}" in authz_facts.public, (
            f"{route.path} is open to anybody ({route.content_type})"
        )


@pytest.mark.checklist("post_deploy.security.authz", text=AUTHZ)
def test_authz_roles(authz_facts: AuthzFacts) -> None:
    """A user without the role is refused by admin operations."""
    admin = [access for access in authz_facts.accesses if access.admin]
    if not admin:
        unproven(Reason.NO_CONFIG, "no GET operation in auth.admin_ops; add those that need a role")
    for access in admin:
        granted = access.granted
        assert granted in (401, 403, 404), f"{access.name} answers {granted} to a user without the role"
        if granted == 404 and all(tried.status == 404 for tried in access.refused):
            unproven(Reason.NO_EVIDENCE, f"{access.name} answers 404 to everybody; is it spelt right?")


@pytest.mark.checklist("post_deploy.security.authz", text=AUTHZ)
def test_authz_objects(authz_facts: AuthzFacts) -> None:
    """One user's object is there for its owner and for nobody else."""
    if authz_facts.objects is None:
        unproven(Reason.NO_CONFIG, authz_facts.objects_problem)
    assert authz_facts.objects, "no object was asked for"
    for found in authz_facts.objects:
        assert not 200 <= found.other < 300, (
            f"{found.name} gives one user's object to another ({found.other})"
        )
        assert found.other < 500, f"{found.name} breaks for another user: status {found.other}"
        if not 200 <= found.owner < 300:
            unproven(Reason.NO_EVIDENCE, f"{found.name} answers {found.owner} to the owner of the object")
        assert found.other in (401, 403, 404), f"{found.name} answers {found.other} to another user"


@pytest.mark.checklist("post_deploy.security.authz", text=AUTHZ)
def test_authz_writes(authz_writes_facts: AuthzWritesFacts) -> None:
    """Operations that change something refuse a missing and a bad token before they read the body."""
    if not authz_writes_facts.accesses:
        why = authz_writes_facts.problem or "every operation with an unsafe method is public"
        unproven(Reason.NO_EVIDENCE, f"no protected operation that writes: {why}")
    for access in authz_writes_facts.accesses:
        for tried in access.refused:
            made = f"; remove what it made: {access.made}" if access.made else ""
            assert not 200 <= tried.status < 300, (
                f"{access.name} answers {tried.status} to {tried.says}{made}"
            )
            assert tried.status < 500, f"{access.name} breaks on {tried.says}: status {tried.status}"
    for access in authz_writes_facts.accesses:
        for tried in access.refused:
            if tried.status not in (401, 403) and not 300 <= tried.status < 400:
                unproven(
                    Reason.NO_EVIDENCE,
                    f"{access.name} answers {tried.status} to {tried.says}: it read the request first",
                )
