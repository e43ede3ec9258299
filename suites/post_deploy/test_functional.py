"""Post-Deployment Verification, Functional Testing: items 41 to 46 of the default checklist."""

from __future__ import annotations

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.auth import AuthFacts
from pytest_deploycheck.probes.health import HealthFacts, runs
from pytest_deploycheck.probes.wallet import WalletFacts
from pytest_deploycheck.verdict import Reason

HEALTH = "API health endpoint responding"
AUTH = "Authentication endpoints working"
WALLET = "Wallet operations functional"


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


@pytest.mark.checklist("post_deploy.functional.wallet", text=WALLET)
def test_wallet(wallet_facts: WalletFacts, limits: Limits) -> None:
    """The balances that the API shows are those of the chain, at the block that it names."""
    facts, view, held = wallet_facts, wallet_facts.view, wallet_facts.held
    assert view.status == 200, f"{facts.path} answers {view.status}"
    assert facts.checksummed, f"{facts.path} shows {view.address}, which is not its EIP-55 spelling"
    assert facts.reference_chain_id == facts.chain_id, (
        f"the reference node is on chain {facts.reference_chain_id}, the contract on {facts.chain_id}"
    )
    assert view.chain_id in (None, facts.chain_id), f"{facts.path} shows a wallet on chain {view.chain_id}"
    assert view.native is not None or view.tokens is not None, f"{facts.path} shows no balance"
    where = f"of {view.address} at block {held.block}"
    assert facts.native_agrees is not False, (
        f"the API shows {view.native}, the chain {held.native_wei} wei {where}"
    )
    assert facts.tokens_agree is not False, (
        f"the API shows {view.tokens} tokens, the chain {held.tokens} {where}"
    )
    behind = abs(facts.head - (view.block if view.block is not None else held.block))
    assert behind <= limits.wallet_max_block_skew, f"the balances are {behind} blocks from the chain's head"
    if not (held.native_wei or held.tokens):
        unproven(
            Reason.NO_EVIDENCE, "the test account holds nothing, and zero is also what a broken view shows"
        )


@pytest.mark.checklist("post_deploy.functional.wallet", text=WALLET)
def test_wallet_per_user(wallet_facts: WalletFacts) -> None:
    """Two users have two addresses, however they are spelt."""
    other = wallet_facts.other_address
    if other is None:
        unproven(Reason.NO_CONFIG, "no auth.test_account_b to compare the address with; add a second account")
    assert other, f"{wallet_facts.path} shows the second account no address"
    assert other.lower() != wallet_facts.view.address.lower(), f"two users share the address {other}"


@pytest.mark.checklist("post_deploy.functional.wallet", text=WALLET)
def test_wallet_history(wallet_facts: WalletFacts) -> None:
    """What the history lists has happened as listed, and what happened on the chain is listed."""
    history, path = wallet_facts.history, wallet_facts.history_path
    if history is not None:
        assert history.status == 200, f"{path} answers {history.status}"
        for transaction, problem in history.wrong:
            assert not problem, f"{path} lists {transaction}, but {problem}"
        assert not history.missing, (
            f"{path} does not list {len(history.missing)} of the {history.happened} transactions in blocks "
            f"{history.first_block} to {history.last_block}: {', '.join(history.missing[:3])}"
        )
        if not (history.examined or history.happened):
            unproven(Reason.NO_TRAFFIC, "the test account never traded; let it buy and redeem once")
    assert history is None or history.examined or history.happened


@pytest.mark.checklist("post_deploy.functional.wallet", text=WALLET)
def test_wallet_withdrawal_quote(wallet_facts: WalletFacts) -> None:
    """A withdrawal that can be made is quoted; one that would lose the money is refused before it is made."""
    path = wallet_facts.quote_path
    assert wallet_facts.quotes or not path, f"{path} was never asked"
    for quote in wallet_facts.quotes:
        if quote.sound:
            assert 200 <= quote.status < 300, f"{path} answers {quote.status} to {quote.says}"
        else:
            assert 400 <= quote.status < 500, f"{path} answers {quote.status} to {quote.says}"
