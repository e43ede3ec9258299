"""Post Go-Live Monitoring, First 24 Hours: items 91 and 92 of the default checklist."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import pending, provisional, unproven
from pytest_deploycheck.rules.extras import CHAIN_EXTRAS, value_of
from pytest_deploycheck.verdict import Reason
from pytest_deploycheck.windows import at, kept, measured, opened

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.window import WindowFacts
    from pytest_deploycheck.probes.window_runs import WindowRunsFacts
    from pytest_deploycheck.probes.window_transactions import WindowTransactionsFacts

TRANSACTIONS = "post_go_live.first_day.transactions"
CHAIN = "post_go_live.first_day.chain"
_DAY_S = 86_400


@pytest.mark.checklist(TRANSACTIONS, text="Verify user transactions working")
def test_transactions(
    window_transactions_facts: WindowTransactionsFacts,
    window_runs_facts: WindowRunsFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """Users bought and redeemed since go-live, nearly all of it was settled, and the chain has it as the rows say.

    Nobody's money moved is no success: without a single purchase and redemption nothing is proven. Refunds and queues
    are judged where `watch.refund_queries` and `watch.queue_queries` list them.
    """
    facts = window_transactions_facts
    opens, closes = datetime.fromisoformat(facts.go_live_at), datetime.fromisoformat(facts.closes)
    if now < opens:
        pending(opens, f"the first day begins at {facts.go_live_at}")
    runs = window_runs_facts.of(TRANSACTIONS)
    if now < closes:
        provisional(closes)
    elif runs.final and runs.same_config:
        assert runs.final == "passed", (
            f"run {runs.final_run} found it {runs.final} after its window had closed"
        )
        return
    none = [one.kind for one in facts.orders if not one.ended]
    if none and now < closes:
        pending(closes, f"no {' and no '.join(none)} since {facts.go_live_at} has ended yet")
    if none:
        unproven(
            Reason.NO_TRAFFIC, f"no {' and no '.join(none)} ended in the first day from {facts.go_live_at} on"
        )
    for order in facts.orders:
        assert not order.wrong, (
            f"{len(order.wrong)} of {order.examined}: {order.wrong[0][0]}: {order.wrong[0][1]}"
        )
        assert not order.overdue, f"{order.overdue} {order.kind}s are pending for too long"
        rate = order.settled / order.ended
        few = order.failed < limits.window_transactions_min_failed
        assert few or rate >= limits.window_transactions_rate_min, (
            f"{order.failed} of {order.ended} {order.kind}s failed"
        )
    assert not facts.uncredited, (
        f"{len(facts.uncredited)} of {facts.events} events of blocks {facts.first_block} to {facts.last_block} have no "
        f"row: {', '.join(facts.uncredited[:3])}"
    )
    assert facts.signups is None or facts.signups > 0, f"nobody signed up since {facts.go_live_at}"
    ended = sum(order.ended for order in facts.orders)
    for refund in facts.refunds:
        few = refund.count < limits.window_transactions_min_failed
        assert few or refund.count <= limits.window_refunds_max * ended, (
            f"{refund.count} {refund.name} for {ended} orders since {facts.go_live_at}"
        )
    for queue in facts.queues:
        assert queue.oldest_s <= limits.window_queue_lag_max_s, (
            f"{queue.waiting} wait in {queue.name}, the oldest for {queue.oldest_s:.0f} s"
        )
    if runs.missed:
        assert runs.share >= limits.window_runs_min, (
            f"{runs.missed} of {runs.due} scheduled runs are not in the ledger; nobody looked at "
            f"transactions for {runs.longest_gap_s:.0f} s from {runs.gap_at}"
        )


@pytest.mark.checklist(CHAIN, text="Check blockchain integration stability")
def test_chain(
    window_facts: WindowFacts, window_runs_facts: WindowRunsFacts, limits: Limits, now: datetime
) -> None:
    """All day the node answered, the head was young, the indexer close behind, and transactions were not reverted.

    Age and distance are the greatest of each step, since a mean over the day hides a stall of twenty minutes.
    """
    day = opened(window_facts, now)
    if final := kept(window_runs_facts, CHAIN, day):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its window had closed"
        )
        return
    oldest = max(measured(day, "head_age"), key=lambda point: point[1])
    assert oldest[1] <= limits.window_head_age_max_s, (
        f"the newest block was {oldest[1]:.0f} s old at some time in the step until {at(day, oldest[0])}"
    )
    lags = sorted(value for _, value in measured(day, "lag"))
    behind = lags[min(len(lags) - 1, int(0.99 * len(lags)))]
    assert behind <= limits.window_lag_p99_blocks, (
        f"the indexer was {behind:.0f} blocks behind in 1 % of the steps"
    )
    served = dict(measured(day, "requests"))
    failed = {end: rate for end, rate in measured(day, "rpc_errors") if end in served}
    total = sum(served[end] for end in failed)
    if total <= 0:
        unproven(
            Reason.NO_TRAFFIC, f"no request was served since {day.start}, so that the node was not needed"
        )
    ratio = sum(failed.values()) / total
    assert ratio <= limits.window_rpc_error_ratio_max, (
        f"{ratio:.2%} calls to the node failed per request served"
    )


@pytest.mark.checklist(CHAIN, text="Check blockchain integration stability")
def test_chain_money(
    window_facts: WindowFacts, window_runs_facts: WindowRunsFacts, limits: Limits, now: datetime
) -> None:
    """Few transactions failed on the chain, and the signer's balance lasts at the rate at which it is spent."""
    day = opened(window_facts, now)
    if final := kept(window_runs_facts, CHAIN, day):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its window had closed"
        )
        return
    sent = sum(value for _, value in measured(day, "sent"))
    reverted = sum(value for _, value in measured(day, "failed"))
    assert reverted <= limits.window_reverted_max * max(sent, 1) or reverted < 2, (
        f"{reverted:.0f} of {sent:.0f} transactions failed on the chain"
    )
    balances = [value for _, value in measured(day, "signer")]
    spent = sum(max(0.0, one - two) for one, two in itertools.pairwise(balances))
    assert balances[-1] > 0, "the signer has nothing left"
    if spent > 0:
        days = balances[-1] / (spent / day.span_s * _DAY_S)
        assert days >= limits.window_signer_days_min, (
            f"the signer's balance lasts for {days:.1f} days at this rate"
        )


@pytest.mark.checklist(CHAIN, text="Check blockchain integration stability")
def test_chain_extras(
    window_facts: WindowFacts, window_runs_facts: WindowRunsFacts, limits: Limits, now: datetime
) -> None:
    """Reorganisations, failovers, dropped transactions and the distance to another node stay within their limits.

    Each is judged where `watch.queries` asks for it, and must then have an answer; `not_asked` names the others.
    """
    day = opened(window_facts, now)
    if final := kept(window_runs_facts, CHAIN, day):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its window had closed"
        )
        return
    for extra in CHAIN_EXTRAS:
        if not day.expression(extra.name):
            assert not day.points(extra.name), f"{extra.name} was not asked for"
            continue
        whole = measured(day, extra.of) if extra.of else ()
        value, most = value_of(extra, measured(day, extra.name), whole), getattr(limits, extra.limit)
        assert value <= most, f"{extra.name}: {value:.4g} {extra.says} since {day.start}"
