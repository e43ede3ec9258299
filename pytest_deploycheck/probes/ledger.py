"""Earlier runs against this target, as the ledger holds them; the running one is not among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_deploycheck import ledger as ledgers
from pytest_deploycheck.ledger import Entry
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.record import digest
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

NEWEST = 400
"""Runs that facts hold: a run each five minutes for a day, and some more."""


@dataclass(frozen=True)
class LedgerFacts:
    """The newest runs of this target and environment, oldest first.

    length, head: of the whole ledger.  broken: where its chain does not hold, empty where it does.  torn:
    lines left by killed runs.  release, config: digests of what the target file says now.
    """

    entries: tuple[Entry, ...]
    length: int
    head: str
    broken: str
    torn: int
    release: str
    config: str
    items: tuple[str, ...]

    def of_release(self, since: datetime | None = None) -> Iterator[Entry]:
        """Yield the runs of the present release that were not interrupted, oldest first."""
        for entry in self.entries:
            if (
                entry.release == self.release
                and not entry.interrupted
                and (since is None or entry.at >= since)
            ):
                yield entry

    def latest(self) -> dict[str, tuple[str, Entry]]:
        """Return the newest verdict of each item for the present release, and the run that gave it."""
        found: dict[str, tuple[str, Entry]] = {}
        for entry in self.of_release():
            found.update({item: (verdict, entry) for item, verdict in entry.items.items()})
        return found


@probe(facts=LedgerFacts, deadline=10, uses={"files": "read"}, safety="S0")
def ledger(target: Target, connect: Connections) -> LedgerFacts:
    """Read the ledger and check its chain."""
    if not target.ledger.path:
        raise CannotLook(Reason.NO_CONFIG, f"no ledger.path in {target.path.name}; add it")
    from pytest_deploycheck.claims.of_target import checklist_of

    connect.socket_allowed("files", "read", target.ledger.path)
    view = ledgers.read(target.file(target.ledger.path))
    mine = [
        entry
        for entry in view.entries
        if entry.target == target.name and entry.environment == target.target.environment
    ]
    return LedgerFacts(
        entries=tuple(mine[-NEWEST:]),
        length=len(view.entries),
        head=view.head,
        broken=view.broken,
        torn=len(view.torn),
        release=ledgers.release_digest(
            {
                "version": target.release.version,
                "commit": target.release.commit,
                "images": dict(target.release.images),
                "contract": target.contract.address,
            }
        ),
        config=digest(target.model_dump(mode="json")),
        items=tuple(item.id for item in checklist_of(target).items),
    )
