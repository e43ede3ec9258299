"""Several short questions of one probe at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

JOBS = 8
T = TypeVar("T")
R = TypeVar("R")


def each(function: Callable[[T], R], tasks: Iterable[T], jobs: int = JOBS) -> list[R]:
    """Return what a function gives for each task, in their order; the first error is raised.

    The function must watch the probe's deadline itself: all of its calls are waited for.
    """
    given = list(tasks)
    if not given:
        return []
    with ThreadPoolExecutor(min(jobs, len(given))) as pool:
        return list(pool.map(function, given))
