"""Numbers of a window that are judged where `watch.queries` asks for them, and how their points make one number.

No two products count these alike, so there is no usual expression. One that is asked for must be answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Extra:
    """One number: `limit` is the name of its limit.

    total: what the steps counted is added up; otherwise the worst step counts.  of: the number that it is a share
    of, where it is one.  says: what a value above the limit means.
    """

    name: str
    limit: str
    says: str
    total: bool = False
    of: str = ""


CHAIN_EXTRAS = (
    Extra("reorg_depth", "window_reorg_depth_max", "blocks were taken back within a step"),
    Extra("reference_lag", "window_reference_blocks_max", "blocks from the reference node"),
    Extra("failovers", "window_failovers_max", "changes to another node", total=True),
    Extra("dropped", "window_dropped_max", "of the transactions sent were dropped or replaced", True, "sent"),
)
"""Of the chain: reorganisations, another node's head, changes of the node, transactions that vanished."""


def value_of(extra: Extra, points: Points, whole: Points = ()) -> float:
    """Return what is held against the limit; a single thing is no share."""
    values = [value for _, value in points]
    if not extra.total:
        return max(values, default=0.0)
    counted = sum(values)
    if not extra.of:
        return counted
    return counted / max(sum(value for _, value in whole), 1.0) if round(counted) > 1 else 0.0


def growth(points: Points, step_s: float, before: Points) -> float | None:
    """Return by how much the busiest hour had more than usual, as a factor; None where nothing is known to compare with.

    Usual is the busiest hour of the week before, given in steps of an hour; without one it is the first hour. A whole
    day is held against a whole day, so that afternoons are not growth; against the first hour they may be.
    """
    hour = max(1, round(3600 / step_s))
    values = [value for _, value in points]
    hours = [sum(values[n : n + hour]) / hour for n in range(0, len(values) - hour + 1, hour)]
    usual = max((value for _, value in before), default=0.0) or (hours[0] if hours else 0.0)
    return max(hours) / usual if hours and usual > 0 else None
