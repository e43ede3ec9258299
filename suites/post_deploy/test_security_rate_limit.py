"""Item 54 in depth: patience is rewarded, and use below the limit is never refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.burst import BurstFacts

RATE = "Rate limiting working"


@pytest.mark.checklist("post_deploy.security.rate_limit", text=RATE)
def test_rate_limit_recovers(burst_facts: BurstFacts, limits: Limits) -> None:
    """After the time that a refusal names, requests pass again; below the limit none is ever refused."""
    tried = [row for row in burst_facts.rows if not row.skipped and row.refused_status is not None]
    if not tried:
        unproven(Reason.NO_EVIDENCE, "no limit refused anything, so none had to recover")
    for row in tried:
        name = f"{row.method} {row.route}"
        if row.recovered is None:
            unproven(
                Reason.TIMEOUT, f"{name} asks for {row.retry_after_s} s of patience, more than a run has"
            )
        assert row.recovered, f"{name} still refuses after {row.retry_after_s} s, as it said"
        assert row.below_refused == 0, (
            f"{name} refuses {row.below_refused} of {row.below_sent} spread requests below its limit"
        )
        early = row.within_window < row.limit * limits.burst_below_share
        if row.undecided or (early and not row.below_sent):
            what = f"ways around it ({', '.join(row.undecided)})" if row.undecided else "use below the limit"
            unproven(Reason.NO_EVIDENCE, f"{name}: {what} could not be judged")
