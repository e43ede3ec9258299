"""A probe's conversation: what it declared, when its time is up, when it was given up, and what it may know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from pytest_deploycheck.observe import CannotLook, Probe
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.secret import SecretRef
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports.wire import Wire


class Closable(Protocol):
    """A client that holds a connection."""

    def close(self) -> None:
        """Close it; more than once does no harm."""


class Conversation:
    """The part of a probe's way to the target that is the same whatever it speaks to."""

    def __init__(self, wire: Wire, probe: Probe, ends: float | None = None) -> None:
        self._wire = wire
        self._probe = probe
        own = time.monotonic() + probe.deadline
        self._ends = own if ends is None else min(own, ends)
        self._within = "within the whole look" if self._ends < own else f"in {probe.deadline:g} s"
        self._given_up = threading.Event()
        self._open: list[Closable] = []

    @property
    def run_id(self) -> str:
        """The run's id: a nonce to find our own requests by."""
        return self._wire.run_id

    @property
    def limits(self) -> Limits:
        """The target's limits, for sample counts and windows."""
        return self._wire.target.limits

    def now(self) -> datetime:
        """Return the time that this run looks at, in UTC: `--as-of`, or the runner's."""
        return self._wire.as_of or datetime.now(UTC)

    def signed_files(self) -> tuple[SignedFile, ...]:
        """Read and verify the target's signed files."""
        return self._wire.signed()

    def remaining(self) -> float:
        """Return the seconds left, or raise when the time is up."""
        left = self._ends - time.monotonic()
        if self._given_up.is_set() or left <= 0:
            raise CannotLook(Reason.TIMEOUT, f"{self._probe.name} was not done {self._within}")
        return left

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the deadline."""
        self._given_up.wait(min(seconds, self.remaining()))
        self.remaining()

    def allowed(self, word: str) -> bool:
        """Whether the run was started with `--allow WORD`, or the target file allows it."""
        return word in self._wire.allow

    def secret(self, reference: SecretRef) -> str:
        """Return a secret's value; it must not go into facts."""
        return self._wire.secret(reference)

    def learn_secret(self, value: str) -> None:
        """Tell the redactor of a secret that was made or received during the look."""
        self._wire.redactor.add(value)

    def _enter(self, name: str, where: str) -> Callable[[str], None]:
        def enter(action: str) -> None:
            self.remaining()
            self._wire.ledger.enter(self._probe, name, action, where)

        return enter

    @property
    def target(self) -> Target:
        """The target file's content."""
        return self._wire.target

    def give_up(self) -> None:
        """Let every further step of the probe fail: its time is over."""
        self._given_up.set()

    def close(self) -> None:
        """Close what the probe left open."""
        for client in self._open:
            client.close()
