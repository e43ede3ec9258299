"""Progress while gathering: which probes are still out and for how long; quiet where nobody looks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_deploycheck.observe import Observation

LINE_EVERY_S = 5.0
_MARKS = {"seen": ".", "dead": "x", "unseen": "?", "broken": "!"}


class GatherProgress:
    """Writes one self-erasing line on a terminal, and a plain line every five seconds elsewhere."""

    def __init__(self, reporter: Any, total: int) -> None:
        self._reporter = reporter
        self._total = total
        self._done = 0
        self._began = time.monotonic()
        self._last_line = self._began
        self._live = bool(reporter is not None and reporter.isatty and not reporter.no_header)
        self._quiet = reporter is None or reporter.config.option.verbose < 0

    def __call__(self, event: str, out: Mapping[str, float], fresh: list[Observation]) -> None:
        """Take an event from the gatherer."""
        self._done += len(fresh)
        if self._quiet:
            return
        oldest = sorted(out.items(), key=lambda entry: -entry[1])
        names = ", ".join(f"{name} {seconds:.0f}s" for name, seconds in oldest[:5])
        more = f" and {len(oldest) - 5} more" if len(oldest) > 5 else ""
        text = f"looking: {self._done}/{self._total} probes done" + (f"; out: {names}{more}" if out else "")
        if self._live:
            width = self._reporter._tw.fullwidth - 1
            self._reporter.rewrite(text[:width], erase=True)
        elif time.monotonic() - self._last_line >= LINE_EVERY_S and event == "wait":
            self._last_line = time.monotonic()
            self._reporter.write_line(text)

    def finish(self) -> None:
        """Replace the live line by what came of it."""
        if self._quiet:
            return
        if self._live:
            self._reporter.rewrite("", erase=True)
        seconds = time.monotonic() - self._began
        self._reporter.write_line(f"looked with {self._done} probes in {seconds:.1f} s")
