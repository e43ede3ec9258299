"""Requests at a steady rate, several at a time where answers are slow, until one is told to be the last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.transports.http import Response

if TYPE_CHECKING:
    from pytest_deploycheck.transports import Connections

WORKERS = 8


@dataclass(frozen=True)
class Shot:
    """One request: when it was sent, in seconds since the first, and its answer."""

    at_s: float
    answer: Response


def volley(
    connect: Connections,
    send: Callable[[], Response],
    *,
    count: int,
    per_s: float,
    last: Callable[[Response], bool],
    workers: int = WORKERS,
) -> list[Shot]:
    """Send up to `count` requests and return them in the order of sending.

    No further one is sent after an answer for which `last` is true. What `send` raises is raised here.
    """
    lock, over = threading.Lock(), threading.Event()
    shots: list[Shot] = []
    errors: list[BaseException] = []
    begun = time.monotonic()
    numbers = iter(range(count))

    def shoot() -> None:
        while not over.is_set():
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            ahead = begun + number / per_s - time.monotonic()
            if ahead > 0 and over.wait(ahead):
                return
            at = time.monotonic() - begun
            try:
                answer = send()
            except BaseException as error:
                errors.append(error)
                over.set()
                return
            with lock:
                shots.append(Shot(at, answer))
            if last(answer):
                over.set()

    # Daemon threads: one that hangs holds up neither the probe beyond its deadline nor the exit.
    threads = [threading.Thread(target=shoot, daemon=True) for _ in range(min(workers, count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(connect.remaining())
    if errors:
        raise errors[0]
    connect.remaining()
    with lock:
        return sorted(shots, key=lambda shot: shot.at_s)


def most_within(shots: list[Shot], window_s: float) -> int:
    """Return the largest number of requests that were sent within any stretch of `window_s`."""
    times = [shot.at_s for shot in shots]
    return max((sum(start <= at < start + window_s for at in times) for start in times), default=0)
