"""Whether something was reviewed again and again: each period, by its own facts, and not in one evening.

Pure: a chain of reviews in, what is wrong with it out. Fresh: the newest review is not older than a period and its
grace. Unbroken: no two reviews within the look-back, nor the start and the first of them, are further apart, so that
a pile of them, signed in one evening, fills no gap. Real: no two cite the same facts. A review that was committed
long after it was signed counts from its commit.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

FUTURE_MAX = timedelta(minutes=5)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Cadence:
    """How often, in days.

    every, grace: a period, and how late a review may be.  back: how far to look back.  committed: how long after it
    was signed a review may be committed.
    """

    every: float
    grace: float
    back: float
    committed: float

    @property
    def longest(self) -> timedelta:
        """The longest time between two reviews."""
        return timedelta(days=self.every + self.grace)


@dataclass(frozen=True)
class Review:
    """One review: when it was signed, the digest of the facts that it cites, when it was committed if known."""

    name: str
    signed: datetime
    digest: str
    committed: datetime | None = None


@dataclass(frozen=True)
class Chain:
    """What came of it: until when the next review is due, and what is wrong, empty where nothing is."""

    due: datetime
    problems: tuple[str, ...]


def chain(reviews: Iterable[Review], cadence: Cadence, *, since: datetime, now: datetime) -> Chain:
    """Judge reviews since a time, which stands for a review that needs no digest."""
    given = sorted(reviews, key=lambda one: (one.signed, one.name))
    ahead = [one for one in given if one.signed > now + FUTURE_MAX]
    problems = [f"{one.name} was signed in the future, at {one.signed.isoformat()}" for one in ahead]
    given = [one for one in given if one not in ahead]
    problems += _not_real(given)
    made = sorted(at for one in given if (at := counts_from(one, cadence)) >= since)
    times = [since, *made]
    problems += _gaps(times, cadence, now)
    return Chain(times[-1] + cadence.longest, tuple(problems))


def counts_from(review: Review, cadence: Cadence) -> datetime:
    """Return when a review was made: when it was signed, or committed where that was much later."""
    if review.committed is not None and review.committed - review.signed > timedelta(days=cadence.committed):
        return review.committed
    return review.signed


def _not_real(reviews: Sequence[Review]) -> list[str]:
    found: list[str] = []
    cited: dict[str, str] = {}
    for one in reviews:
        if not _DIGEST.fullmatch(one.digest):
            found.append(f"{one.name} cites no facts: facts_digest {one.digest[:20]!r} is no SHA-256")
        elif one.digest in cited:
            found.append(f"{one.name} cites the same facts as {cited[one.digest]}")
        cited.setdefault(one.digest, one.name)
    return found


def _gaps(times: Sequence[datetime], cadence: Cadence, now: datetime) -> list[str]:
    begin = now - timedelta(days=cadence.back)
    close = sum(after - before < timedelta(days=1) for before, after in itertools.pairwise(times[1:]))
    piled = f" ({close + 1} were signed or committed within a day of each other)" if close else ""
    found = [
        f"nobody reviewed from {before.date()} to {after.date()}, {_days(after - before)} days{piled}"
        for before, after in itertools.pairwise(times)
        if after - before > cadence.longest and after > begin
    ]
    if now - times[-1] > cadence.longest:
        newest = "the newest review" if len(times) > 1 else "there is no review, and the go-live"
        found.append(f"{newest} was {_days(now - times[-1])} days ago{piled}")
    return found


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.1f}"
