"""Item 43 in depth: one address for each user, the history, withdrawals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.wallet import WalletFacts

WALLET = "Wallet operations functional"


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
