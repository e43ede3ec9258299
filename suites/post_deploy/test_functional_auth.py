"""Item 42 in depth: renewal, refusals, expiry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.auth import AuthFacts

AUTH = "Authentication endpoints working"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.auth", text=AUTH)
def test_auth_renewal(auth_facts: AuthFacts) -> None:
    """A refresh gives a new token and kills the old one; a logout ends the session; where there are such."""
    renewed = auth_facts.refresh
    assert auth_facts.control_status == 200, f"the session is answered {auth_facts.control_status}"
    if renewed is not None:
        assert 200 <= renewed.status < 300, f"the refresh is answered {renewed.status}"
        assert renewed.new_access, "the refresh gives the same access token again, or none"
        assert renewed.use_status == 200, f"the renewed token is answered {renewed.use_status}"
        if auth_facts.rotation_required:
            assert renewed.rotates, "the refresh token is not replaced when it is used (RFC 9700, 2.2.2)"
        if renewed.replay_status is not None:
            assert 400 <= renewed.replay_status < 500, (
                f"the old refresh token is answered {renewed.replay_status} when it is used again"
            )
    assert auth_facts.logout_dead is not False, "the logout fails, or the refresh token outlives it"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.auth", text=AUTH)
def test_auth_refusals(auth_facts: AuthFacts) -> None:
    """Bad credentials are refused alike, and by intent: never let in, never an error of the server."""
    facts = auth_facts
    for login in (facts.wrong_password, facts.unknown_user):
        assert login.refused, f"{facts.login_path} answers {login.status} to: {login.says}"
    assert facts.alike, f"{facts.login_path} tells an unknown user from a wrong password"
    assert len(facts.refused) > 1, "no bad token was tried"
    for token in facts.refused:
        assert token.refused, f"{facts.account_path} answers {token.status} to a bad token: {token.says}"
    assert facts.control_status == 200, f"the good token is answered {facts.control_status} as well"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.auth", text=AUTH)
def test_auth_expiry(auth_facts: AuthFacts) -> None:
    """An expired token is refused because it is expired: one just like it that is not is accepted."""
    facts = auth_facts
    for token in facts.expired:
        assert token.refused, f"{facts.account_path} answers {token.status} to an expired token"
    assert facts.control_status == 200, f"the good token is answered {facts.control_status} as well"
    if not facts.expired and facts.key_known is False:
        unproven(
            Reason.NO_CONFIG, "the key of auth.jwt_secret did not sign the service's tokens; give that one"
        )
    if not facts.expired and facts.key_known:
        unproven(
            Reason.NO_EVIDENCE,
            f"a token signed with auth.jwt_secret is answered {facts.resigned_status}, so the refusal of an "
            "expired one proves nothing; keep one that has expired in auth.expired_token",
        )
    if not facts.expired:
        unproven(
            Reason.NO_CONFIG,
            "no auth.jwt_secret to sign an expired token with, and no auth.expired_token; add one of them",
        )
