"""What a check may say besides asserting: that what it was given is nothing to judge by."""

from __future__ import annotations

from typing import NoReturn

from pytest_deploycheck.verdict import Reason


class Unproven(Exception):
    """Raised by a check when what was seen proves nothing either way, such as metrics without traffic."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def unproven(reason: Reason, message: str) -> NoReturn:
    """End a check as unproven for a reason; the message says what was missing and what to do."""
    raise Unproven(reason, message)
