"""Limits of rollback: triggers."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class TriggersLimits(Numbers):
    """Limits of rollback: triggers."""

    trigger_scan_max_age_h: float = limit(
        26, "h", "own: running images are scanned daily, with two hours to spare"
    )
    burn_fast_factor: float = limit(
        14.4, "ratio", "SRE workbook, chapter 5: 2 % of a month's budget in an hour"
    )
    burn_slow_factor: float = limit(
        6, "ratio", "SRE workbook, chapter 5: 5 % of a month's budget in six hours"
    )
    regression_factor: float = limit(1.5, "ratio", "own: worse by this much than before the deployment")
    regression_period_s: float = limit(86_400, "s", "own: compared with the same hours of the day before")
    regression_traffic_factor: float = limit(3, "ratio", "own: busier or idler times are no comparison")
    regression_requests_min: float = limit(100, "requests", "own: fewer say nothing of a 95th percentile")
    regression_error_ratio_floor: float = limit(
        0.001, "ratio", "own: below this a multiple of nearly nothing"
    )
    amcheck_max_age_d: float = limit(7, "days", "own: indexes and tables are read through weekly")
    page_errors_window_d: float = limit(7, "days", "own: the server's log is read this far back")
    bug_users_max: float = limit(10, "users", "own: one issue may hit so many")
    journey_interval_max_s: float = limit(300, "s", "own: every synthetic journey is made this often")
    disclosure_word_max_age_d: float = limit(7, "days", "own: security's word that nobody reported a hole")
    support_word_max_age_d: float = limit(30, "days", "own: support's word of the first day")
