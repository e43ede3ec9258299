"""The ledger: what was sent to the target, by which probe, of which kind; and the budget that bounds it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from pytest_deploycheck.observe import CannotLook, Probe
from pytest_deploycheck.verdict import Reason


class Ledger:
    """Counts requests by (probe, endpoint, action, where, safety class); thread-safe."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str, str, str]] = Counter()
        self._spent = 0

    def enter(self, probe: Probe, endpoint: str, action: str, where: str, count: int = 1) -> None:
        """Enter `count` requests, or refuse them: undeclared by the probe, or over the target's budget."""
        declared = probe.uses.get(endpoint, "").split()
        if action not in declared:
            raise UndeclaredUse(
                f"probe {probe.name} may not do {action!r} at {endpoint!r}; it declares "
                f"{', '.join(declared) or 'nothing'} there (see its uses=)"
            )
        with self._lock:
            if self._spent + count > self.budget:
                raise CannotLook(
                    Reason.NOT_ALLOWED,
                    f"the request budget of {self.budget} is spent; raise target.request_budget",
                )
            self._spent += count
            self._counts[probe.name, endpoint, action, where, probe.safety] += count

    def take_over(self, other: Ledger) -> None:
        """Enter what another ledger holds; it does not count against this one's budget."""
        with self._lock, other._lock:
            self._counts.update(other._counts)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the record's `requests` section."""
        names = ("probe", "endpoint", "action", "where", "safety")
        with self._lock:
            return [
                {**dict(zip(names, key, strict=True)), "count": n} for key, n in sorted(self._counts.items())
            ]


class UndeclaredUse(Exception):
    """A probe tried what it did not declare: a bug in the probe, never a verdict on the target."""
