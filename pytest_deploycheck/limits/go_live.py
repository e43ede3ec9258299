"""Limits of go_live."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class GoLiveLimits(Numbers):
    """Limits of go_live: communication."""

    comms_earliest_d: float = limit(14, "days", "own: before go-live, stakeholders are told not earlier")
    comms_latest_h: float = limit(1, "h", "own: before go-live, stakeholders are told not later")
    briefing_max_age_d: float = limit(14, "days", "own: before go-live, support is briefed not earlier")
    briefing_attendance_min: float = limit(0.8, "ratio", "own: of the support roster")
    docs_shared_max_age_d: float = limit(30, "days", "own: acknowledgements of documents")
    oncall_horizon_h: float = limit(72, "h", "own: every level of the on-call duty is filled so far ahead")
    page_ack_max_s: float = limit(900, "s", "own: a test page is acknowledged within this")
    page_test_max_age_d: float = limit(30, "days", "own: the newest test page")
    break_glass_max_age_d: float = limit(180, "days", "own: emergency access was tried within this")
