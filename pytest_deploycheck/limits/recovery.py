"""Limits of backups in operation, of restores and of recovery."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class RecoveryLimits(Numbers):
    """Limits of backups in operation, of restores and of recovery."""

    backup_gap_factor: float = limit(
        1.25, "times", "own: two backups are no further apart than so many intervals"
    )
    backup_age_factor: float = limit(
        1.1, "times", "own: the newest backup is no older than so many intervals"
    )
    backup_offhost_extra_h: float = limit(1, "h", "own: a copy off the host is later by no more")
    backup_history_d: float = limit(7, "days", "own: the catalogue is looked through so far back")
    backup_keep_min_d: float = limit(7, "days", "own: a backup is kept for so long at least")
    backup_size_trend: float = limit(
        0.5, "ratio", "own: newest size against the median of the others, both ways"
    )
    backup_metric_off_max_s: float = limit(
        3600, "s", "own: monitoring and the catalogue disagree about the newest backup by no more"
    )
    archive_lag_max_s: float = limit(600, "s", "own: finished WAL waits for its archive no longer")
    restore_before_max_d: float = limit(30, "days", "own: before the go-live a restore is no older")
    restore_after_max_d: float = limit(90, "days", "own: after the go-live a restore is no older")
    restore_backup_age_max_d: float = limit(7, "days", "own: age of the restored backup when it was restored")
    dr_plan_review_max_age_d: float = limit(180, "days", "own: the plan was reviewed within this")
    dr_exercise_max_age_d: float = limit(180, "days", "own: the service was rebuilt within this")
    dr_test_every_d: float = limit(92, "days", "checklist: quarterly")
    dr_test_grace_d: float = limit(14, "days", "own: a quarterly test may be so late")
    dr_test_real_min: int = limit(2, "tests", "own: a year, of those that are no talk at a table")
    dr_action_max_d: float = limit(60, "days", "own: what a test showed is mended within this")
