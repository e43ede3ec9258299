"""Limits of deploy: database."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class DatabaseLimits(Numbers):
    """Limits of deploy: database."""

    db_pings: int = limit(5, "queries", "own: SELECT 1 from the runner, one after another")
    db_ping_p95_s: float = limit(0.05, "s", "own: SELECT 1 from the runner")
    db_session_wait_s: float = limit(5, "s", "own: a session of the application is looked for this long")
    db_schema_min_rows: int = limit(
        10_000, "rows", "own: smaller tables are judged only when they grow or the business lives on them"
    )
    db_schema_sequence_max: float = limit(0.75, "ratio", "own: of a sequence's values")
    db_shared_buffers_min: float = limit(
        0.15, "ratio", "PostgreSQL documentation 20.4.1: a quarter of the memory is a start; own margin"
    )
    db_shared_buffers_max: float = limit(
        0.4, "ratio", "PostgreSQL documentation 20.4.1: more than 40 % seldom helps"
    )
    db_work_mem_max: float = limit(0.5, "ratio", "own: work_mem times max_connections, of the memory")
    db_xid_age_max: float = limit(
        1.2, "ratio", "own: of autovacuum_freeze_max_age; older means that vacuum does not keep up"
    )
    rehearsal_max_age_d: float = limit(14, "days", "own: of the rehearsal of the migrations")
    rehearsal_min_rows: int = limit(1, "rows", "own: an empty database rehearses nothing")
    rehearsal_lock_max_s: float = limit(5, "s", "own: longest lock during the migrations")
    backup_before_deploy_max_s: float = limit(
        7200, "s", "own: the newest backup ended within this before the deploy"
    )
    backup_size_min: float = limit(0.5, "ratio", "own: of the backup before it")
    backup_free_factor: float = limit(2, "times", "own: room for so many of the last full backup")
    backup_write_max_age_s: float = limit(
        2 * 86400, "s", "own: something was written to a repository within this"
    )
