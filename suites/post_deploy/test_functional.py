"""Post-Deployment Verification, Functional Testing: items 41 to 46 of the default checklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.health import HealthFacts, agrees
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.auth import AuthFacts
    from pytest_deploycheck.probes.chain import ChainFacts
    from pytest_deploycheck.probes.db_activity import DbActivityFacts
    from pytest_deploycheck.probes.round_trip import RoundTripFacts
    from pytest_deploycheck.probes.token import TokenFacts
    from pytest_deploycheck.probes.wallet import WalletFacts

HEALTH = "API health endpoint responding"
AUTH = "Authentication endpoints working"
WALLET = "Wallet operations functional"
TOKEN = "Token purchase/redemption working"  # noqa: S105 - the checklist's wording
CHAIN = "Blockchain integration verified"
DB = "Database operations successful"


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
    facts = health_facts
    if not (facts.version or facts.commit):
        unproven(Reason.NO_CONFIG, "the target file names no release.version and no release.commit; add one")
    if not facts.comparable:
        unproven(Reason.NO_EVIDENCE, "neither the health nor the version path tells which version runs")
    for released, told in facts.comparable:
        assert any(agrees(released, word) for word in told), (
            f"release {released} is not what runs: {', '.join(told)}"
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
    behind = facts.head - (view.block if view.block is not None else held.block)
    assert behind <= limits.wallet_max_block_skew, f"the balances are {behind} blocks from the chain's head"
    if not (held.native_wei or held.tokens):
        unproven(
            Reason.NO_EVIDENCE, "the test account holds nothing, and zero is also what a broken view shows"
        )


@pytest.mark.checklist("post_deploy.functional.token", text=TOKEN)
def test_token(token_facts: TokenFacts, limits: Limits) -> None:
    """The offer is the contract's; buying and redeeming would succeed now, redeeming too much would not."""
    facts = token_facts
    if facts.price_wei is None:
        unproven(Reason.NO_CONFIG, "the contract gives no price; name its function in contract.price")
    assert facts.quote_status == 200, f"{facts.quote_path} answers {facts.quote_status}"
    assert facts.shown_price_wei is not None or facts.quoted_wei is not None, (
        f"{facts.quote_path} shows neither price nor cost; name their keys in api.fields"
    )
    if facts.named_block is not None:
        assert facts.head - facts.named_block <= limits.chain_max_lag_blocks, (
            f"{facts.quote_path} gives the price of block {facts.named_block}, the chain is at {facts.head}"
        )
    at = f"at block {facts.block}"
    if facts.shown_price_wei is not None:
        assert facts.shown_price_wei == facts.price_wei, (
            f"the API's price is {facts.shown_price_wei} wei, the contract's {facts.price_wei} {at}"
        )
    if facts.quoted_wei is not None:
        due = facts.price_wei * facts.tokens
        assert due <= facts.quoted_wei <= due * (1 + limits.token_fee_max), (
            f"the API asks {facts.quoted_wei} wei for {facts.tokens} tokens, the contract {due} {at}"
        )
    assert facts.paused is not True, f"the contract is paused {at}"
    assert facts.shown_paused is not True, "the API says that the token is paused"
    for tried in (facts.buy, facts.redeem, facts.over):
        if tried is not None and tried.sound:
            assert not tried.reverted, f"{tried.says} as {tried.sender} would fail: {tried.reason}"
        elif tried is not None:
            assert tried.reverted, f"{tried.says} as {tried.sender} would succeed"
    if facts.buy is None or facts.redeem is None or facts.over is None:
        unproven(Reason.NO_EVIDENCE, "nobody was found who holds tokens and could try buying and redeeming")


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.chain", text=CHAIN)
def test_chain(chain_facts: ChainFacts, limits: Limits) -> None:
    """Whenever it is asked, the application sees the right chain, its newest blocks and the contract."""
    facts = chain_facts
    assert facts.reference_chain_id == facts.chain_id, (
        f"the reference node is on chain {facts.reference_chain_id}, the contract on {facts.chain_id}"
    )
    assert facts.looks, f"{facts.path} was never asked"
    for look in facts.looks:
        assert look.status == 200, f"{facts.path} answers {look.status}"
        assert look.chain_id in (None, facts.chain_id), f"the API is on chain {look.chain_id}"
        if look.contract is not None and facts.contract:
            assert look.contract.lower() == facts.contract.lower(), f"the API uses contract {look.contract}"
        assert look.lag is not None, f"{facts.path} names no block; name its key in api.fields"
        ahead = (look.block or 0) - look.head_after
        assert max(look.lag, ahead) <= limits.chain_max_lag_blocks, (
            f"the API is at block {look.block}, the reference node at {look.head} to {look.head_after}"
        )
        compared = [read for read in look.reads if read.held is not None]
        for read in compared:
            assert read.shown == read.held, (
                f"{read.path} shows {read.name} {read.shown}, the chain has {read.held} at block {read.block}"
            )
        if len(compared) < limits.chain_min_reads:
            unproven(Reason.NO_EVIDENCE, f"the API shows {len(compared)} values of the contract to compare")


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.chain", text=CHAIN)
def test_chain_progress(chain_facts: ChainFacts, limits: Limits) -> None:
    """The index keeps up, the queue drains, and no call of the application to its node failed meanwhile."""
    first, last = chain_facts.looks[0], chain_facts.looks[-1]
    before, after = chain_facts.rpc_errors
    if before is not None and after is not None:
        assert after - before <= limits.chain_rpc_errors_max, (
            f"the application counted {after - before:.0f} failed calls to its node during the looks"
        )
    if last.queue is not None:
        draining = first.queue is not None and last.queue < first.queue
        assert last.queue <= limits.chain_max_queue or draining, (
            f"{last.queue} transactions wait, and {first.queue} did before"
        )
    if chain_facts.indexed and last.indexer_lag is None:
        unproven(
            Reason.NO_EVIDENCE,
            f"nothing tells how far the index is: neither {chain_facts.path} nor prometheus.indexer_metric; "
            "if there is none, set contract.indexed = false",
        )
    assert last.indexer_lag is None or last.indexer_lag <= limits.chain_max_indexer_lag_blocks, (
        f"the index is at block {last.indexer_block}, the chain at {last.head}"
    )


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.db", text=DB)
def test_db(db_activity_facts: DbActivityFacts, round_trip_facts: RoundTripFacts, limits: Limits) -> None:
    """The application's role may write and does, what it writes is there, and its transactions end well."""
    facts, trip = db_activity_facts, round_trip_facts
    for grant in facts.grants:
        assert grant.reads and grant.inserts, (
            f"{facts.app_role} may not {'insert into' if grant.reads else 'read'} {grant.table}"
        )
    assert not facts.absent, f"business tables do not exist: {', '.join(facts.absent)}"
    assert not facts.read_only, f"transactions are read only by default for {', '.join(facts.read_only)}"
    assert facts.deadlocks == 0, f"{facts.deadlocks} deadlocks in {facts.window_s:.0f} s"
    if facts.commits + facts.rollbacks >= limits.db_rollback_min_xacts:
        assert facts.rollback_ratio <= limits.db_rollback_ratio_max, (
            f"{facts.rollbacks} of {facts.commits + facts.rollbacks} transactions were rolled back"
        )
    if trip.attempted and trip.purchase is not None:
        assert 200 <= trip.purchase.status < 300, (
            f"a write through the API is answered {trip.purchase.status}"
        )
        assert trip.purchase.row_status is not None, "a write through the API is not in the database"
        assert trip.purchase.listed is not False, "a write through the API cannot be read back through it"
        assert trip.repeat_same, f"the same order sent twice is another one ({trip.repeat_status})"
        assert trip.conflict_status is not None and 400 <= trip.conflict_status < 500, (
            f"another order under the same key is answered {trip.conflict_status}, not 409"
        )
    written = trip.attempted or any(count for _, count in facts.inserts)
    if not written and facts.replica:
        unproven(Reason.NO_CONFIG, "db.dsn leads to a replica, where no write is counted; give the primary's")
    if not written:
        names = ", ".join(name for name, _ in facts.inserts) or "any table: db.business_tables is empty"
        unproven(Reason.NO_TRAFFIC, f"in {facts.window_s:.0f} s nothing was inserted into {names}")
    assert written


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.db", text=DB)
def test_db_health(db_activity_facts: DbActivityFacts, limits: Limits) -> None:
    """No session sits on a transaction, no sequence runs out, and the log holds no grave error."""
    facts = db_activity_facts
    for session in facts.idle:
        assert session.idle_s <= limits.db_idle_in_tx_max_s, (
            f"{session.role} ({session.application}) is idle in a transaction for {session.idle_s:.0f} s"
        )
    for name, used in facts.sequences:
        assert used <= limits.db_sequence_used_max, f"sequence {name} has used {used:.0%} of its values"
    if facts.log_errors is not None:
        assert facts.log_errors <= limits.db_errors_max, (
            f"{facts.log_errors} grave errors in the log of {facts.log_service} in the last "
            f"{facts.log_s / 60:.0f} min: {' | '.join(facts.log_lines[:2])}"
        )
    assert facts.commits > 0, "not even our own transactions were counted"
