"""What a check may say besides asserting: that what it was given is nothing to judge by, or not yet all."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pytest_deploycheck.verdict import Reason

PROVISIONAL: ContextVar[list[datetime]] = ContextVar("deploycheck_provisional")
"""Where the running check notes until when its result may still change; set by whoever runs it."""


class Unproven(Exception):
    """Raised by a check when what was seen proves nothing either way, such as metrics without traffic."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Pending(Exception):
    """Raised by a check whose time window has not opened."""

    def __init__(self, until: datetime, message: str) -> None:
        super().__init__(message)
        self.until = until
        self.message = message


class Blocked(Exception):
    """Raised by a check whose prerequisite, judged by another item, did not hold."""

    def __init__(self, by: str, message: str) -> None:
        super().__init__(message)
        self.by = by
        self.message = message


def unproven(reason: Reason, message: str) -> NoReturn:
    """End a check as unproven for a reason; the message says what was missing and what to do."""
    raise Unproven(reason, message)


def blocked(by: str, message: str) -> NoReturn:
    """End a check as blocked: what it stands on is another item's to prove, and does not hold."""
    raise Blocked(by, message)


def pending(until: datetime, message: str) -> NoReturn:
    """End a check as pending: nothing can be said before `until`; the message says what is waited for."""
    raise Pending(until, message)


def provisional(until: datetime) -> None:
    """Note that the check's result holds for what its window has shown so far, and is final at `until`."""
    noted = PROVISIONAL.get(None)
    if noted is not None:
        noted.append(until)
