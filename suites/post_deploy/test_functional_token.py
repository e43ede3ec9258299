"""Item 44 in depth: the books agree with the chain, and a purchase just made is redeemed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.books import BooksFacts
    from pytest_deploycheck.probes.round_trip import Order, RoundTripFacts

TOKEN = "Token purchase/redemption working"  # noqa: S105 - the checklist's wording


@pytest.mark.checklist("post_deploy.functional.token", text=TOKEN)
def test_token_books(books_facts: BooksFacts, round_trip_facts: RoundTripFacts, limits: Limits) -> None:
    """The newest records of both kinds agree with the chain, and a purchase just made is redeemed again."""
    for ledger in (books_facts.purchases, books_facts.redemptions):
        for row, problem in ledger.wrong:
            assert not problem, f"{row}: {problem}"
        assert not ledger.overdue, (
            f"pending for more than {limits.token_pending_max_s:.0f} s: {', '.join(ledger.overdue[:5])}"
        )
        assert ledger.balance_moved is not False, f"the newest {ledger.kind} did not move the balance"
    assert not books_facts.uncredited, (
        f"{len(books_facts.uncredited)} of {books_facts.events} events on the chain have no row: "
        f"{', '.join(books_facts.uncredited[:3])}"
    )
    if round_trip_facts.attempted:
        _assert_order("purchase", round_trip_facts.purchase, round_trip_facts.tokens)
        _assert_order("redemption", round_trip_facts.redemption, -round_trip_facts.tokens)
        assert round_trip_facts.kept == 0, f"{round_trip_facts.kept} tokens are left over from the round trip"
    for ledger in (books_facts.purchases, books_facts.redemptions):
        if ledger.settled < limits.token_min_records:
            unproven(
                Reason.NO_TRAFFIC,
                f"{ledger.settled} of {ledger.rows} {ledger.kind}s are settled: nothing to compare; make one",
            )
    assert books_facts.purchases.settled >= limits.token_min_records


def _assert_order(kind: str, order: Order | None, tokens: int) -> None:
    assert order is not None, f"no {kind} was tried, since the purchase before it failed"
    assert 200 <= order.status < 300, f"the API answers {order.status} to a {kind} of the canary account"
    assert order.transaction, f"the API answers {order.status} to a {kind} and names no transaction"
    assert order.mined is not None, f"the {kind} {order.transaction} is not on the chain"
    assert order.mined, f"the API accepted the {kind} {order.transaction}, but it was reverted"
    assert order.event_tokens == abs(tokens), (
        f"the {kind} logged {order.event_tokens} tokens, not {abs(tokens)}"
    )
    assert order.moved == tokens, f"the {kind} moved the balance by {order.moved} tokens, not {tokens}"
    if order.in_books:
        assert order.settled_s is not None, f"the {kind} is {order.row_status or 'missing'} in the database"
    assert order.listed is not False, f"the API does not list the {kind} {order.transaction}"
