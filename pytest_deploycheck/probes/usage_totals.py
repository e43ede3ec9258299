"""What users did in the first week, as the database counts it: what a report of their behaviour is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes.books import TABLE
from pytest_deploycheck.probes.settled import passed_after
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.sql import Sql

ITEM = "post_go_live.first_week.behavior"
DAYS = (5, 6, 7)
"""A review is of so many days from the go-live on."""


@dataclass(frozen=True)
class Total:
    """One number over so many days from the go-live on; None, and why, where it could not be counted."""

    name: str
    days: int
    count: int | None
    why: str = ""


@dataclass(frozen=True)
class UsageTotalsFacts:
    """Totals over each of `DAYS` that is over.

    go_live_at: ISO 8601, empty where it is not fixed.  passed_in: the run that found the review good once it was due;
    nothing is counted then.
    """

    go_live_at: str
    totals: tuple[Total, ...]
    passed_in: str = ""

    def over(self, days: int) -> tuple[Total, ...]:
        """Return the totals over so many days."""
        return tuple(one for one in self.totals if one.days == days)


@probe(facts=UsageTotalsFacts, deadline=30, needs=("db_gate",), uses={"db": "read", "files": "read"})
def usage_totals(target: Target, connect: Connections) -> UsageTotalsFacts:
    """Count what users did in the first days, by the target file's queries or in its tables."""
    start = target.release.go_live_at
    if start is None:
        return UsageTotalsFacts("", ())
    passed = passed_after(target, connect, ITEM, start + timedelta(days=target.limits.review_due_d))
    if passed:
        return UsageTotalsFacts(start.isoformat(), (), passed)
    ends = [days for days in DAYS if start + timedelta(days=days) <= connect.now()]
    sql = connect.sql()
    found = [
        _total(sql, name, query, start, days) for name, query in queries(target).items() for days in ends
    ]
    return UsageTotalsFacts(start.isoformat(), tuple(found))


def queries(target: Target) -> Mapping[str, str]:
    """Return the SELECT of each total by its name: the target file's own, or rows by `created_at`."""
    section = target.db
    assert section is not None  # its gate is open
    if target.reviews.totals:
        return target.reviews.totals
    tables = {
        "wallets": section.wallets_table,
        "purchases": section.purchases_table,
        "redemptions": section.redemptions_table,
    }
    return {name: _by_created_at(table) for name, table in tables.items()}


def _by_created_at(table: str) -> str:
    if not TABLE.fullmatch(table):
        raise CannotLook(Reason.NO_CONFIG, f"{table!r} is no table name; correct it in [db]")
    return f"SELECT count(*) FROM {table} WHERE created_at >= %s AND created_at < %s"  # noqa: S608 - checked above


def _total(sql: Sql, name: str, query: str, start: datetime, days: int) -> Total:
    import psycopg

    try:
        row = sql.one(query, (start, start + timedelta(days=days)))
    except CannotLook as why:
        return Total(name, days, None, why.message)
    except psycopg.ProgrammingError as error:
        return Total(name, days, None, str(error).strip().splitlines()[0])
    value = next(iter(row.values()), None)
    if not isinstance(value, int | float | Decimal):
        return Total(name, days, None, "its query gives no number")
    return Total(name, days, round(value))
