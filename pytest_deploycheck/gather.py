"""The gatherer: runs probes concurrently, before the first test, each against its own absolute deadline.

One daemon thread a probe, started when what it needs has been seen. A probe that hangs is given up at its
deadline and holds up neither the others nor the exit. Exclusive probes run alone, after the others. All of it
together may have an end too: what was not seen by then stays unseen, and says so.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import SUFFIX, CannotLook, Dead, Observation, Probe
from pytest_deploycheck.record import jsonable
from pytest_deploycheck.transports.connections import Connections
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.transports.wire import Wire

JOBS = 16
"""Probes that look at the same time unless `--jobs` says otherwise."""

Progress = Callable[[str, Mapping[str, float], list[Observation]], None]
"""Called with "start", "done" or "wait", the probes still out with their seconds, and what is new."""


class UnknownProbe(Exception):
    """A probe needs another one that is not registered."""


def closure(names: Iterable[str], probes: Mapping[str, Probe], *, after: bool = True) -> list[str]:
    """Return the probes and everything they need, needs first; with `after` what they merely wait for too."""
    ordered: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in ordered:
            return
        if name not in probes:
            raise UnknownProbe(f"probe {path[-1] if path else '?'} needs {name!r}, which is not registered")
        if name in path:
            raise UnknownProbe(f"probes need each other in a circle: {' -> '.join((*path, name))}")
        for upstream in probes[name].waits_for if after else probes[name].upstream:
            visit(upstream, (*path, name))
        ordered.append(name)

    for name in names:
        visit(name, ())
    return ordered


def inherited(probe: Probe, seen: Mapping[str, Observation]) -> Observation | None:
    """Return the observation of a probe that cannot look because what it needs was not seen."""
    for name in probe.upstream:
        cause = seen[name]
        if cause.state != "seen":
            return replace(
                cause,
                probe=probe.name,
                facts=None,
                safety=probe.safety,
                started_at="",
                duration_s=0.0,
                needs=(name,),
            )
    return None


class Gatherer:
    """Looks with some probes over one wire; `done` fills as they finish, also when interrupted."""

    def __init__(
        self,
        wire: Wire,
        probes: Mapping[str, Probe],
        *,
        jobs: int = JOBS,
        within: float | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._wire = wire
        self._probes = probes
        self._jobs = max(1, jobs)
        self._within = within
        self._ends = time.monotonic() + within if within is not None else None
        self._progress = progress or (lambda event, out, fresh: None)
        self._results: queue.Queue[Observation] = queue.Queue()
        self._running: dict[str, tuple[float, Connections]] = {}
        self.done: dict[str, Observation] = {}

    def run(
        self, names: Iterable[str], known: Mapping[str, Observation] | None = None
    ) -> dict[str, Observation]:
        """Look with the named probes and what they need; `known` observations are taken as they are."""
        self.done = dict(known or {})
        wanted = [name for name in closure(names, self._probes) if name not in self.done]
        self._expect_reads(wanted)
        exclusive = [name for name in wanted if self._probes[name].exclusive]
        self._batch([name for name in wanted if name not in exclusive], self._jobs)
        self._batch(exclusive, 1)
        return self.done

    def _expect_reads(self, names: Iterable[str]) -> None:
        """Tell the servers beforehand what the probes will read there."""
        for name in names:
            reads = self._probes[name].reads
            if reads is not None and self._wire.servers is not None:
                wanted = reads(self._wire.target)
                self._wire.servers.expect(wanted.main, wanted.every)

    def _batch(self, waiting: list[str], jobs: int) -> None:
        while waiting or self._running:
            self._start_ready(waiting, jobs)
            if self._running:
                self._collect()

    def _start_ready(self, waiting: list[str], jobs: int) -> None:
        for name in list(waiting):
            probe = self._probes[name]
            if any(upstream not in self.done for upstream in probe.waits_for):
                if any(upstream in self._running or upstream in waiting for upstream in probe.waits_for):
                    continue
                # An exclusive probe cannot be waited for by one that is not.
                self._finish(_unseen(probe, Reason.NO_EVIDENCE, "it needs a probe that runs alone, later"))
            elif cause := inherited(probe, self.done):
                self._finish(cause)
            elif self._over():
                self._finish(_unseen(probe, Reason.TIMEOUT, self._too_late(probe)))
            elif probe.allow and probe.allow not in self._wire.allow:
                message = f"--allow {probe.allow} was not given"
                self._finish(_unseen(probe, Reason.NOT_ALLOWED, message))
            elif len(self._running) < jobs:
                self._start(probe)
            else:
                continue
            waiting.remove(name)

    def _over(self) -> bool:
        return self._ends is not None and time.monotonic() >= self._ends

    def _too_late(self, probe: Probe) -> str:
        return f"probe {probe.name} was not done when the {self._within:g} s of the whole look were over"

    def _start(self, probe: Probe) -> None:
        connect = Connections(self._wire, probe, self._ends)
        arguments = {
            name: {"target": self._wire.target, "limits": self._wire.target.limits, "connect": connect}.get(
                name
            )
            or self.done[name.removesuffix(SUFFIX)].facts
            for name in probe.parameters
        }
        self._running[probe.name] = (time.monotonic(), connect)
        thread = threading.Thread(
            target=self._look, args=(probe, connect, arguments), name=f"probe-{probe.name}", daemon=True
        )
        thread.start()
        self._progress("start", self._out(), [])

    def _look(self, probe: Probe, connect: Connections, arguments: Mapping[str, Any]) -> None:
        started = time.monotonic()
        base = Observation(probe.name, "broken", safety=probe.safety, started_at=_utc(), needs=probe.upstream)
        try:
            facts = probe.function(**arguments)
            if not isinstance(facts, probe.facts):
                raise TypeError(f"it returned {type(facts).__name__}, not {probe.facts.__name__}")
            seen = replace(base, state="seen", facts=probe.revive(self._wire.redactor.clean(jsonable(facts))))
        except Dead as refusal:
            seen = replace(base, state="dead", gate=refusal.gate, detail=refusal.message)
        except CannotLook as why:
            seen = replace(base, state="unseen", reason=why.reason.value, detail=why.message)
        except Exception as error:
            seen = replace(base, detail=_place(error))
        finally:
            connect.close()
        detail = self._wire.redactor.clean(seen.detail)
        self._results.put(replace(seen, detail=detail, duration_s=round(time.monotonic() - started, 4)))

    def _collect(self) -> None:
        """Wait for the next result or the next deadline."""
        now = time.monotonic()
        soonest = min(began + self._probes[name].deadline for name, (began, _) in self._running.items())
        try:
            seen = self._results.get(timeout=max(0.01, min(soonest - now, 0.5)))
        except queue.Empty:
            self._give_up_late()
            self._progress("wait", self._out(), [])
            return
        if seen.probe in self._running:  # not one that was given up and answered after all
            del self._running[seen.probe]
            self._finish(seen)

    def _give_up_late(self) -> None:
        now = time.monotonic()
        for name, (began, connect) in list(self._running.items()):
            probe = self._probes[name]
            # A probe that watches its own deadline gets a moment to say itself where it was stuck.
            late_by = now - began - probe.deadline
            over_by = now - self._ends if self._ends is not None else -1.0
            if max(late_by, over_by) >= 0.3:
                connect.give_up()
                del self._running[name]
                message = f"probe {name} gave no answer within {probe.deadline:g} s"
                message = message if late_by >= 0.3 else self._too_late(probe)
                late = _unseen(probe, Reason.TIMEOUT, message)
                self._finish(replace(late, duration_s=round(now - began, 4)))

    def _finish(self, seen: Observation) -> None:
        self.done[seen.probe] = seen
        self._progress("done", self._out(), [seen])

    def _out(self) -> dict[str, float]:
        now = time.monotonic()
        return {name: now - began for name, (began, _) in self._running.items()}

    def abandon(self) -> None:
        """Give up everything that is still out, as after Ctrl-C."""
        for _, connect in self._running.values():
            connect.give_up()
        self._running.clear()


def _unseen(probe: Probe, reason: Reason, detail: str) -> Observation:
    return Observation(probe.name, "unseen", reason=reason.value, detail=detail, safety=probe.safety)


def _place(error: BaseException) -> str:
    """Describe a probe's bug by type, message and the innermost line of code, without any values."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}: {error}{place}"[:500]


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
