"""The outage as users saw it: the prober's process, and what its answers add up to."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_deploycheck.drill import prober
from pytest_deploycheck.drill.commands import end_leftover, start_of
from pytest_deploycheck.drill.record import Outage

LIFETIME_S = 4 * 3600
GAP_FACTOR = 6
"""Of the interval: a longer time without a question is one that nobody saw."""


@dataclass(frozen=True)
class Sample:
    """One answer: when it was asked for, of which route, and what came (0 and below: no answer)."""

    at: float
    route: int
    status: int
    took_s: float

    @property
    def refused(self) -> bool:
        """Whether a user would have been turned away."""
        return self.status <= 0 or self.status >= 500


class Prober:
    """The process that asks; `folder` holds its files, named after the drill."""

    def __init__(self, folder: Path, drill: str) -> None:
        self._config = folder / f"{drill}.prober.json"
        self._out = folder / f"{drill}.prober.jsonl"
        self._stop = folder / f"{drill}.prober.stop"

    def start(
        self, urls: Sequence[str], ca: str, every_s: float, addresses: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Start to ask; return the process and when it started. `addresses`: where some names lead."""
        self._stop.unlink(missing_ok=True)
        values = {
            "urls": list(urls),
            "ca": ca,
            "addresses": dict(addresses or {}),
            "every_s": every_s,
            "out": str(self._out),
            "stop": str(self._stop),
            "until": time.time() + LIFETIME_S,
        }
        self._config.write_text(json.dumps(values))
        process = subprocess.Popen(
            [sys.executable, "-I", prober.__file__, str(self._config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return process.pid, start_of(process.pid)

    def stop(self, pid: int, start: str) -> None:
        """Let it end, and end it when it does not."""
        self._stop.touch()
        deadline = time.monotonic() + prober._TIMEOUT_S + 1
        while start and start_of(pid) == start and time.monotonic() < deadline:
            time.sleep(0.02)
        end_leftover(pid, start)
        self._stop.unlink(missing_ok=True)
        self._config.unlink(missing_ok=True)

    def samples(self) -> list[Sample]:
        """Return all answers so far."""
        found = []
        for line in self._out.read_text().splitlines() if self._out.exists() else ():
            try:
                at, route, status, took = json.loads(line)
            except (ValueError, TypeError):
                continue
            found.append(Sample(float(at), int(route), int(status), float(took)))
        return found


def measured(samples: Iterable[Sample], every_s: float, until: float) -> Outage:
    """Add answers up; what nobody saw counts as an outage. `until`: seconds since 1970, when the drill ended."""
    ordered = sorted(samples, key=lambda one: one.at)
    if not ordered:
        return Outage(samples=0, refused=0, broken_off=0, outage_s=0.0, unseen_s=0.0)
    start = ordered[0].at
    stretches: list[tuple[float, float]] = []
    down: float | None = None
    unseen = 0.0
    last = start
    for one in ordered:
        silent = one.at - last > max(GAP_FACTOR * every_s, prober._TIMEOUT_S + GAP_FACTOR * every_s)
        if silent:
            unseen += one.at - last
            down = last if down is None else down
        if one.refused:
            down = one.at if down is None else down
        elif down is not None:
            stretches.append((round(down - start, 3), round(one.at - down, 3)))
            down = None
        last = one.at
    if down is not None:
        stretches.append((round(down - start, 3), round(max(until, last) - down, 3)))
    return Outage(
        samples=len(ordered),
        refused=sum(one.refused for one in ordered),
        broken_off=sum(one.status == -1 for one in ordered),
        outage_s=round(sum(length for _, length in stretches), 3),
        unseen_s=round(unseen, 3),
        stretches=stretches,
    )
