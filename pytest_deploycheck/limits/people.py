"""Limits of what people say: how long it holds."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class PeopleLimits(Numbers):
    """Limits of sign-offs."""

    sign_off_run_max_age_h: float = limit(24, "h", "own: from the run that is signed for to the signature")
    sign_off_max_age_d: float = limit(7, "days", "own: of the first nine signatures")
    final_max_age_h: float = limit(72, "h", "own: from the last technical signature to the technical lead's")
    cto_after_go_live_h: float = limit(24, "h", "own: the last signature holds until so long after go-live")
    qa_plan_executed_min: float = limit(0.95, "ratio", "own: of the test plan")
    compliance_review_max_d: float = limit(365, "days", "own: of each obligation")
