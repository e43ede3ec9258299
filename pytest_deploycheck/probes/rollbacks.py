"""Rollbacks that really were, as the ledger tells them: a release that is back after a newer one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_deploycheck import ledger as ledgers
from pytest_deploycheck.drill import journal as journals
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.ledger import Entry
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

HALF_A_DAY = timedelta(hours=12)
_LIVE = ("post_deploy.", "post_go_live.", "rollback.triggers.")
_SEEN = ("passed", "failed", "waived")


@dataclass(frozen=True)
class Rollback:
    """A release that came back. run, at: the first run of the return, and when it ended (ISO 8601).

    release, left: digests of the release that is back and of the newer one that it took the place of.
    """

    run: str
    at: str
    release: str
    left: str


@dataclass(frozen=True)
class RollbacksFacts:
    """What the ledger remembers of this target and environment.

    runs: those that looked at what runs, without those within a drill; releases: different ones among them.
    broken: where the ledger's chain does not hold, empty where it does; what comes after is not in here.
    """

    runs: int
    releases: int
    broken: str
    found: tuple[Rollback, ...]


@probe(facts=RollbacksFacts, deadline=30, uses={"files": "read"}, safety="S0")
def rollbacks(target: Target, connect: Connections) -> RollbacksFacts:
    """Read the whole ledger for releases that came back, and the drills' journals for what was rehearsal only."""
    if not target.ledger.path:
        raise CannotLook(
            Reason.NO_CONFIG, f"no ledger.path in {target.path.name}; without it no rollback is remembered"
        )
    connect.socket_allowed("files", "read", target.ledger.path)
    view = ledgers.read(target.file(target.ledger.path))
    drilled = list(_drills(target))
    unnamed = {
        ledgers.release_digest({"images": {}, "contract": contract})
        for contract in ("", target.contract.address)
    }
    mine = [
        entry
        for entry in view.entries
        if (entry.target, entry.environment) == (target.name, target.target.environment)
        and looked_at_what_runs(entry)
        and entry.release not in unnamed
        and not any(begun <= entry.at <= ended for begun, ended in drilled)
    ]
    limits = target.limits
    return RollbacksFacts(
        runs=len(mine),
        releases=len({entry.release for entry in mine}),
        broken=view.broken,
        found=tuple(
            returns(
                mine,
                settled=timedelta(seconds=limits.rollback_settled_s),
                turns=int(limits.rollback_turns),
                now=connect.now(),
            )
        ),
    )


def looked_at_what_runs(entry: Entry) -> bool:
    """Whether a run was whole and judged an item after the deployment.

    A check of the next release before it is deployed, or one that saw nothing, does not say what runs.
    """
    return not entry.interrupted and any(
        item.startswith(_LIVE) and verdict in _SEEN for item, verdict in entry.items.items()
    )


def returns(entries: Sequence[Entry], *, settled: timedelta, turns: int, now: datetime) -> Iterator[Rollback]:
    """Yield each return to a release that was first judged before the one that it takes the place of.

    entries: of one target and environment, oldest first. A redeploy of the same release is no change at all, and
    going forward again to the newer release is no return. Two stages may be judged in turn in one ledger, as blue
    and green are. So a return is none when the newer release was judged again within `settled`, or when within half
    a day of it the same newer release was left for the same older one `turns` times or more. A return younger than
    `settled` is not judged yet. What this cannot see: a rollback that was itself undone within `settled`.
    """
    changes = [entry for n, entry in enumerate(entries) if not n or entries[n - 1].release != entry.release]
    order: dict[str, int] = {}
    for entry in changes:
        order.setdefault(entry.release, len(order))
    went_back: dict[tuple[str, str], list[datetime]] = {}
    for left, here in pairwise(changes):
        if order[here.release] < order[left.release]:
            went_back.setdefault((left.release, here.release), []).append(here.at)
    for n, (left, here) in enumerate(pairwise(changes), 2):
        times = went_back.get((left.release, here.release), [])
        if here.at not in times or now - here.at < settled:
            continue
        again = changes[n] if n < len(changes) else None
        if again is not None and again.release == left.release and again.at - here.at <= settled:
            continue
        if bisect_right(times, here.at + HALF_A_DAY) - bisect_left(times, here.at - HALF_A_DAY) < turns:
            yield Rollback(here.run, here.time, here.release, left.release)


def _drills(target: Target) -> Iterator[tuple[datetime, datetime]]:
    """Yield the first and last time that each drill wrote down: it judges the release before, too."""
    folder = target.file(target.rollback.dir)
    for path in sorted(folder.glob(f"*{journals.SUFFIX}")) if folder.is_dir() else ():
        times = [datetime.fromisoformat(str(entry["at"])) for entry in journals.read(path)]
        if times:
            yield min(times), max(times)
