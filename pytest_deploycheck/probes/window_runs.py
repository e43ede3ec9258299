"""The scheduled runs of the first day and week, as the ledger holds them, and what they found at the end.

That somebody looked all the time is itself to be shown. A run that was killed left no entry, or one that says so;
the next one looks at all of the window again. The first verdict after a window has closed stays: what it was judged
from is not kept for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck import ledger as ledgers
from pytest_deploycheck.claims import of_target
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.record import digest
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.ledger import Entry
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

FIRST_DAY = "post_go_live.first_day."
DAY, WEEK = timedelta(days=1), timedelta(days=7)
DAY_ITEMS = ("performance", "errors", "transactions", "chain", "resources")
EVIDENCE_MAX = 2000
TRENDS = "post_go_live.first_week.trends"
FINAL = ("passed", "failed")
"""Verdicts that stay; what could not be seen at the end may still be seen later."""


@dataclass(frozen=True)
class Watched:
    """The runs that looked at one item within its window.

    runs: complete ones of this release.  due: slots that have passed.  missed: slots without one, by the gaps between runs, so that a timer that
    is a little late counts as on time.  slot_s: how often they are due.  longest_gap_s, gap_at: the longest time
    without a look, and when it began.  final: the first verdict after the window has closed, empty before; final_run:
    whose; same_config: with the target file as it is now.
    """

    item: str
    runs: int
    due: int
    missed: int
    slot_s: float
    longest_gap_s: float
    gap_at: str
    final: str
    final_run: str
    same_config: bool

    @property
    def share(self) -> float:
        """Slots with a run per slot that has passed."""
        return max(0.0, 1 - self.missed / self.due) if self.due else 1.0


@dataclass(frozen=True)
class WindowRunsFacts:
    """What the ledger says of the windows.

    broken: where its chain does not hold, empty where it does.  evidence: (run, when it ended, SHA-256 of its
    evidence.json) of the runs that wrote evidence within the time of the first week's reviews.
    """

    items: tuple[Watched, ...]
    broken: str
    evidence: tuple[tuple[str, str, str], ...]

    def of(self, item: str) -> Watched:
        """Return what is known of an item; KeyError names one without a window."""
        return {one.item: one for one in self.items}[item]


@probe(facts=WindowRunsFacts, deadline=30, uses={"files": "read"}, safety="S0")
def window_runs(target: Target, connect: Connections) -> WindowRunsFacts:
    """Read the ledger for the runs since go-live."""
    if not target.ledger.path:
        raise CannotLook(
            Reason.NO_CONFIG, f"no ledger.path in {target.path.name}; without it no run is remembered"
        )
    if target.release.go_live_at is None:
        raise CannotLook(Reason.NO_CONFIG, f"no release.go_live_at in {target.path.name}; add it")
    connect.socket_allowed("files", "read", target.ledger.path)
    view = ledgers.read(target.file(target.ledger.path))
    release = ledgers.release_digest(of_target.release(target).model_dump())
    mine = [
        entry
        for entry in view.entries
        if (entry.target, entry.environment, entry.release)
        == (target.name, target.target.environment, release)
        and not entry.interrupted
    ]
    config = digest(target.model_dump(mode="json"))
    start, now, limits = target.release.go_live_at, connect.now(), target.limits
    found = []
    # A group of errors of the last hour may still be taken up in time after the day has closed.
    late = timedelta(hours=limits.errors_triage_h) if target.errors is not None else timedelta()
    for name in DAY_ITEMS:
        slot = limits.window_transactions_slot_s if name == "transactions" else limits.window_slot_s
        found.append(
            watched(
                mine,
                FIRST_DAY + name,
                start,
                start + DAY,
                now,
                slot,
                config,
                late if name == "errors" else timedelta(),
            )
        )
    closes = start + timedelta(days=limits.trends_closes_d)
    found.append(watched(mine, TRENDS, start, closes, now, DAY.total_seconds(), config))
    opens = start + timedelta(days=limits.trends_opens_d)
    evidence = tuple(
        (entry.run, entry.time, entry.evidence)
        for entry in mine
        if entry.evidence and opens <= entry.at <= closes
    )
    return WindowRunsFacts(tuple(found), view.broken, evidence[-EVIDENCE_MAX:])


def watched(
    entries: Sequence[Entry],
    item: str,
    start: datetime,
    closes: datetime,
    now: datetime,
    slot_s: float,
    config: str,
    grace: timedelta = timedelta(),
) -> Watched:
    """Return who looked at an item between a start and now, or the end of its window; final `grace` after that."""
    looked = [
        entry for entry in entries if entry.items.get(item, "not_run") != "not_run" and entry.at >= start
    ]
    inside = sorted(entry.at for entry in looked if entry.at < closes)
    end = min(now, closes)
    missed, longest, begun = 0, 0.0, start
    # The present run looks as well: it ends the last gap.
    for before, after in zip([start, *inside], [*inside, max(end, start)], strict=True):
        gap = (after - before).total_seconds()
        missed += max(0, round(gap / slot_s) - 1)
        if gap > longest:
            longest, begun = gap, before
    after_close = next((e for e in looked if e.at >= closes + grace and e.items[item] in FINAL), None)
    return Watched(
        item=item,
        runs=len(inside),
        due=max(0, round((end - start).total_seconds() / slot_s)),
        missed=missed,
        slot_s=slot_s,
        longest_gap_s=round(longest, 1),
        gap_at=begun.astimezone(UTC).isoformat(timespec="seconds"),
        final=after_close.items[item] if after_close else "",
        final_run=after_close.run if after_close else "",
        same_config=after_close is not None and after_close.config == config,
    )
