"""Limits of post_deploy: monitoring."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class MonitoringLimits(Numbers):
    """Limits of post_deploy: monitoring."""

    prom_up_min: float = limit(0.95, "ratio", "own: share of an hour's scrapes that succeeded")
    prom_window_s: float = limit(3600, "s", "own")
    prom_scrape_age_factor: float = limit(2.0, "intervals", "own: newest scrape at most this old")
    prom_still_min_requests: int = limit(
        100, "requests", "own: an instance that counts none while others count this many counts no more"
    )
    prom_retention_min_d: float = limit(15, "days", "Prometheus default")
    prom_movement_requests: int = limit(5, "requests", "own: sent by the probe, must show in the counter")
    prom_movement_s: float = limit(30, "s", "own: two scrapes at the usual 15 s, within which they must show")
    grafana_panels_share: float = limit(0.9, "ratio", "own: panels that show data")
    grafana_window_s: float = limit(3600, "s", "own")
    rules_for_min_s: float = limit(60, "s", "own: shorter alerts flap")
    rules_age_factor: float = limit(2.0, "intervals", "own: last evaluation at most this old")
    rules_series_window_s: float = limit(86400, "s", "own: a selector without series for this long is dead")
    logs_newest_max_s: float = limit(300, "s", "own")
    logs_gap_window_s: float = limit(86400, "s", "own: gaps are looked for this far back")
    logs_gap_max_s: float = limit(600, "s", "own: longest silence of a service that is busy otherwise")
    logs_busy_lines: int = limit(10, "lines", "own: a service with this many each `logs_gap_max_s` is busy")
    logs_drop_window_s: float = limit(3600, "s", "own: lines lost by the agent within this")
    logs_round_trip_s: float = limit(60, "s", "own")
    logs_skew_max_s: float = limit(5, "s", "own")
    logs_retention_min_d: float = limit(30, "days", "own")
    errors_read_back_s: float = limit(60, "s", "own")
    uptime_interval_max_s: float = limit(300, "s", "own")
    uptime_age_factor: float = limit(2.0, "intervals", "own: last check at most this old")
