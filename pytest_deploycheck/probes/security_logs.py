"""What the logs of the first week hold that security looks at: lines of each source, and those that tell of attacks."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes import loki
from pytest_deploycheck.probes.settled import passed_after
from pytest_deploycheck.probes.sheets import Sheet, sheet

if TYPE_CHECKING:
    from pytest_deploycheck.probes.loki import Loki
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

DAYS = (5, 6, 7)
"""A review is of so many days from the go-live on."""
ITEM = "post_go_live.first_week.seclogs"
PATTERNS: Mapping[str, str] = {
    "refused requests": r'"status": ?"?(?:401|403)\b|status=(?:401|403)\b|HTTP/[\d.]+" (?:401|403) ',
    "limited requests": r'"status": ?"?429\b|status=429\b|HTTP/[\d.]+" 429 ',
    "failed logins": r"(?i)login[ _]failed|failed login|invalid (?:username|password|credentials)|"
    r"authentication failed|WRONGPASS|Failed password|Invalid user",
    "privileged actions": r"(?i)\bsudo:|\brole_granted\b|/admin/|ALTER ROLE|GRANT ROLE",
    "attack strings": r"(?i)\.\./\.\./|/etc/passwd|union(?:\+|%20| )select|<script|%3Cscript|\$\{jndi:|/\.env\b|/wp-login",
}
"""What is counted where the target file names nothing else."""
SETTLED = timedelta(hours=1)
"""So long after its end a day's lines are all there."""
OURS = "deploycheck"
"""Requests of these checks say so in their client's name or their query."""


@dataclass(frozen=True)
class DayCount:
    """Lines in each day from the go-live on that a pattern finds, over all sources."""

    name: str
    pattern: str
    days: tuple[int, ...]

    def outliers(self, days: int, least: float, factor: float) -> tuple[int, ...]:
        """Return the days (from 1) of the first `days` that have at least `least`, and more than usual by a factor."""
        counts = self.days[:days]
        usual = statistics.median(counts) if counts else 0.0
        return tuple(
            number for number, count in enumerate(counts, 1) if count >= least and count > factor * usual
        )


@dataclass(frozen=True)
class SecurityLogsFacts:
    """The first week's lines, day by day.

    go_live_at: ISO 8601, empty where it is not fixed.  sources: (declared source, lines of each day).  counts: by
    pattern.  ours: lines that tell of requests by these checks.  sheets: over five, six and seven days, those that
    are over and of which something is kept.  passed_in: the run that found the review good once it was due; nothing
    is counted then.
    """

    go_live_at: str
    sources: tuple[tuple[str, tuple[int, ...]], ...]
    counts: tuple[DayCount, ...]
    ours: tuple[int, ...]
    sheets: tuple[Sheet, ...]
    passed_in: str = ""


@probe(facts=SecurityLogsFacts, deadline=90, needs=("logs_gate",), uses={"logs": "GET", "files": "read"})
def security_logs(target: Target, connect: Connections) -> SecurityLogsFacts:
    """Count the lines of every source, and those of attacks and refusals, in each day of the first week."""
    start, section = target.release.go_live_at, target.logs
    assert section is not None  # its gate is open
    if start is None:
        return SecurityLogsFacts("", (), (), (), ())
    passed = passed_after(target, connect, ITEM, start + timedelta(days=target.limits.review_due_d))
    if passed:
        return SecurityLogsFacts(start.isoformat(), (), (), (), (), passed)
    past = min(DAYS[-1], int((connect.now() - start - SETTLED) / timedelta(days=1)))
    if past < DAYS[0]:
        return SecurityLogsFacts(start.isoformat(), (), (), (), ())
    client = loki.client(target, connect)
    names = target.reviews.security_sources or section.services
    sources = tuple((name, _days(client, client.selector(name), start, past)) for name in names)
    patterns = target.reviews.security_patterns or PATTERNS
    everything = client.among(names)
    counts = tuple(
        DayCount(name, pattern, _days(client, f"{everything} |~ {_quoted(pattern)}", start, past))
        for name, pattern in patterns.items()
    )
    return SecurityLogsFacts(
        go_live_at=start.isoformat(),
        sources=sources,
        counts=counts,
        ours=_days(client, f"{everything} |= {_quoted(OURS)}", start, past),
        sheets=tuple(_sheets(start, past, sources, counts)),
    )


def _sheets(
    start: datetime,
    past: int,
    sources: Sequence[tuple[str, tuple[int, ...]]],
    counts: Sequence[DayCount],
) -> list[Sheet]:
    if not any(sum(days) for _, days in sources):
        return []
    found = []
    for days in DAYS:
        if days <= past:
            values: dict[str, float | None] = {
                f"lines of {name}": float(sum(each[:days])) for name, each in sources
            }
            values |= {one.name: float(sum(one.days[:days])) for one in counts}
            found.append(sheet(ITEM, start, start + timedelta(days=days), values))
    return found


def _days(client: Loki, query: str, start: datetime, past: int) -> tuple[int, ...]:
    """Return the lines of each whole day, 0 where there is none."""
    first = start + timedelta(days=1)
    found = client.totals(query, first.timestamp(), past, 86_400)
    return tuple(found)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
