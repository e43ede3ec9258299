"""Limits of go_live: the mobile app."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class MobileLimits(Numbers):
    """Limits of go_live: mobile app integration."""

    app_files_max: float = limit(8, "files", "own: artifacts of one release")
    app_scan_max_s: float = limit(60, "s", "own: reading of all artifacts together")
    app_tests_max_age_d: float = limit(
        7, "days", "own: before go-live, the app was tried on devices not earlier"
    )
    app_devices_min: float = limit(2, "devices", "own: on which the app was tried")
    app_requests_min: float = limit(
        1, "requests", "own: of the app, answered well, in the access log for each route"
    )
    app_log_lines_max: float = limit(20_000, "lines", "own: of the app in the access log that are read")
    app_log_margin_s: float = limit(
        900, "s", "own: access logs are read from so long before to so long after the tests"
    )
    store_record_max_age_d: float = limit(7, "days", "own: what the product says of the stores")
    store_release_early_d: float = limit(
        1,
        "days",
        "own: so long before the go-live the stores may offer the version, unless it is written why",
    )
    store_release_late_d: float = limit(7, "days", "own: so long after the go-live the stores may offer it")
    play_rollout_min: float = limit(0.01, "ratio", "own: of users that Play offers the version")
