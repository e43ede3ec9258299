"""Post-Deployment Verification, Functional Testing: items 41 to 46 of the default checklist."""

from __future__ import annotations

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.auth import AuthFacts
from pytest_deploycheck.probes.health import HealthFacts, runs
from pytest_deploycheck.verdict import Reason

HEALTH = "API health endpoint responding"
AUTH = "Authentication endpoints working"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.health", text=HEALTH)
def test_health(health_facts: HealthFacts, limits: Limits) -> None:
    """Every look is a fresh, deep, fast 200 that tells nothing of the inside."""
    path = health_facts.path
    assert health_facts.samples, f"{path} was never asked; limits.health_samples is 0"
    for sample in health_facts.samples:
        assert sample.status == 200, f"{path} answers {sample.status}"
        assert sample.json, f"{path} answers 200 without a JSON object"
        assert sample.ok, f"{path} answers 200 but says {sample.word!r}"
        for name in health_facts.required:
            reported = sample.component(name)
            assert reported is not None, f"{path} does not report component {name!r}: {sample.components}"
            assert reported, f"{path} says that component {name!r} is not well"
        assert not sample.cached, f"the answer of {path} comes from a cache"
        assert sample.uncacheable, f"a cache may answer for {path}: no Cache-Control such as no-store"
        assert not sample.leaks, f"the body of {path} shows {', '.join(sample.leaks)}"
        if sample.age_s is not None:
            assert abs(sample.age_s) <= limits.health_max_age_s, (
                f"the answer of {path} says it is {sample.age_s:.0f} s old: a cached one, or a clock is wrong"
            )
    assert health_facts.p95_s <= limits.health_p95_s, f"{path} takes {health_facts.p95_s:.2f} s"
    if not (health_facts.required or any(sample.components for sample in health_facts.samples)):
        unproven(Reason.NO_EVIDENCE, f"{path} reports no component: nothing shows that it looks at any")


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.health", text=HEALTH)
def test_health_is_the_release(health_facts: HealthFacts) -> None:
    """Every answer comes from the released version, so none comes from an instance left behind."""
    if not health_facts.released:
        unproven(Reason.NO_CONFIG, "the target file names no release.version and no release.commit; add one")
    told = [sample.versions for sample in health_facts.samples if sample.versions]
    if not told:
        unproven(Reason.NO_EVIDENCE, "neither the health nor the version path tells which version runs")
    for released in health_facts.released:
        for versions in told:
            assert any(runs(released, running) for running in versions), (
                f"release {released} is not what runs: {', '.join(versions)}"
            )


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.auth", text=AUTH)
def test_auth(auth_facts: AuthFacts, limits: Limits) -> None:
    """A login gives a sound token, which works and is still good after all that was refused."""
    facts, token = auth_facts, auth_facts.token
    assert facts.account_status == 200, f"{facts.account_path} answers {facts.account_status} to a new token"
    assert facts.names_account, f"{facts.account_path} does not name the account that logged in"
    if token.alg:
        assert token.alg in facts.algs, f"tokens are signed by {token.alg}; auth.alg allows {facts.algs}"
        assert not token.missing, f"the access token has no claim {', '.join(token.missing)}"
        assert not token.private, f"anybody can read in the access token: {', '.join(token.private)}"
    assert token.ttl_s is not None, "neither the token nor the login tells how long an access token lives"
    assert 0 < token.ttl_s <= limits.access_ttl_max_s, f"access tokens live {token.ttl_s:.0f} s"
    if token.refresh_ttl_s is not None:
        assert token.refresh_ttl_s <= limits.refresh_ttl_max_s, (
            f"refresh tokens live {token.refresh_ttl_s / 86400:.0f} days"
        )
    assert facts.control_status == 200, (
        f"the good token is answered {facts.control_status} in the end: the refusals before prove nothing"
    )


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
