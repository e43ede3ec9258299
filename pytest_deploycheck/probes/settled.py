"""A review that was due and found good stays good: what it was judged by is not kept for ever, nor asked for again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pytest_deploycheck import ledger

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections


def passed_after(target: Target, connect: Connections, item: str, due: datetime) -> str:
    """Return the first complete run of this release that found an item passed once it was due; empty without one.

    Until then, and without a ledger, it has to be looked at. The probe declares reading of files.
    """
    from pytest_deploycheck.claims import of_target  # claims need pydantic, and the checks of reviews do not

    if connect.now() <= due or not target.ledger.path:
        return ""
    connect.socket_allowed("files", "read", target.ledger.path)
    release = ledger.release_digest(of_target.release(target).model_dump())
    for entry in ledger.read(target.file(target.ledger.path)).entries:
        if (
            (entry.target, entry.environment, entry.release)
            == (target.name, target.target.environment, release)
            and entry.at > due
            and not entry.interrupted
            and entry.items.get(item) == "passed"
        ):
            return entry.run
    return ""
