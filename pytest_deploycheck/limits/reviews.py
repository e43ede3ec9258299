"""Limits of post_go_live: what people review in the first week, each week and each month."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class ReviewLimits(Numbers):
    """Limits of post_go_live: reviews, and what keeps watching."""

    review_opens_d: float = limit(5, "days", "own: after go-live; before it there is too little to review")
    review_due_d: float = limit(10, "days", "own: after go-live, behaviour and security logs are reviewed")
    review_totals_off_max: float = limit(0.02, "ratio", "own: a report's total against the database's count")
    seclogs_outlier_min: float = limit(20, "lines", "own: a day with fewer is no outlier")
    seclogs_outlier_factor: float = limit(3, "times", "own: over the median day, a day is an outlier")
    tuning_due_d: float = limit(14, "days", "own: after go-live, what real usage showed was acted on")
    tuning_findings_min: int = limit(5, "findings", "own: the top ones are handled, or all where fewer")
    tuning_known_min: float = limit(
        0.5, "ratio", "own: of the statements named, and of those that take most time"
    )
    tuning_stats_min_d: float = limit(1, "days", "own: younger statistics do not tell what takes most time")
    tuning_compare_max_d: float = limit(14, "days", "own: so long the same statements are expected on top")
    review_weekly_d: float = limit(7, "days", "checklist: weekly")
    review_weekly_grace_d: float = limit(2, "days", "own: a weekend")
    review_weekly_back_d: float = limit(91, "days", "own: 13 weeks are looked back")
    review_monthly_d: float = limit(31, "days", "checklist: monthly")
    review_monthly_grace_d: float = limit(7, "days", "own: a week")
    review_monthly_back_d: float = limit(366, "days", "own: a year is looked back")
    review_committed_max_d: float = limit(
        3, "days", "own: a record that was committed later than that counts from then"
    )
    review_action_max_d: float = limit(30, "days", "own: an action that a review decided on is done by then")
    audit_run_max_d: float = limit(3, "days", "own: an audit is over a run of the security suites so young")
    upkeep_window_d: float = limit(30, "days", "own: what is watched continuously is judged over a month")
    upkeep_first_d: float = limit(1, "days", "own: after go-live, less is no window to judge")
    upkeep_slot_s: float = limit(300, "s", "own: a stretch of time without any sample is a hole")
    upkeep_coverage_min: float = limit(0.99, "ratio", "own: of the slots have samples of each required job")
    upkeep_run_every_h: float = limit(24, "h", "own: the schedule of these suites")
    upkeep_runs_min: float = limit(0.95, "ratio", "own: of the schedule's runs are in the ledger, complete")
    upkeep_objective: float = limit(0.999, "ratio", "own: requests answered without a server error")
    upkeep_alert_max_d: float = limit(7, "days", "own: an alert that fires longer is one that nobody tends")
    upkeep_flaps_max: float = limit(6, "times", "own: an alert that starts to fire more often in a day flaps")
    upkeep_silence_max_d: float = limit(7, "days", "own: longer silences are rules that should be changed")
