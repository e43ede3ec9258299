"""Limits of rollback: drills of its procedure."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class DrillLimits(Numbers):
    """Limits of rollback: how old a rehearsal may be, and how long each of its steps may take."""

    drill_max_age_d: float = limit(90, "days", "own: the newest drill of a rollback")
    drill_close_max_s: float = limit(60, "s", "own: from the switch until every public route is closed")
    drill_open_max_s: float = limit(60, "s", "own: from the switch until every public route is open")
    drill_previous_max_s: float = limit(600, "s", "own: until the release before runs")
    drill_verify_max_s: float = limit(600, "s", "own: the suites on the release before")
    drill_command_max_s: float = limit(1200, "s", "own: a command of the drill is ended after this")
    drill_rto_s: float = limit(1800, "s", "own: from the switch until users are back; thirty minutes")
    drill_rpo_s: float = limit(900, "s", "own: of business data, at most so much is lost")
    drill_quiet_s: float = limit(20, "s", "own: in maintenance nothing is written for so long")
    drill_backlog_max_s: float = limit(900, "s", "own: after the maintenance, until no job waits")
    drill_stable_s: float = limit(900, "s", "own: after the maintenance, routes are watched for so long")
    drill_silence_max_s: float = limit(7200, "s", "own: a silence for maintenance ends by itself within")
    drill_probe_s: float = limit(
        0.5, "s", "own: between two questions of the prober that measures the outage"
    )
    postmortem_max_d: float = limit(5, "days", "own: business days from the event to its written account")
    postmortem_overdue_max_d: float = limit(30, "days", "own: an action may be late by so much")
    rollback_settled_s: float = limit(
        600, "s", "own: a return that is undone within so long is two stages that are judged in turn"
    )
    rollback_turns: float = limit(
        4, "times", "own: as often back between the same two releases within a day are two stages, too"
    )
