"""Whether numbers rose: decisions between now and before, with their chances of being wrong.

`compared` tells a rise from a steady state. Values are paired by the hour of the week, which takes the daily and
weekly rhythm out; what is left of each pair is the logarithm of its ratio. Neighbouring hours are alike, so pairs
are averaged over blocks of many hours, and the blocks, which are nearly independent, give the uncertainty by
Student's t:

    rise     the lower bound (one-sided, 99.5 %) of the mean ratio is above 1, and the ratio above half of the rise
             that matters: a series without a rise is called one in at most 1 of 100 cases, whatever its noise (the
             bound is the stricter one since neighbouring blocks are a little alike as well)
    steady   the upper bound (one-sided, 95 %) is below the rise that matters: a series with that rise is called
             steady in at most 5 of 100 cases, whatever its noise
    unclear  neither: too noisy or too short

`spikes` finds the steps with more errors than chance gives. With `steps` looks at once, each must be less likely
than the accepted chance divided by their number (Bonferroni), so that the whole window has that chance.

The quantiles of Student's t are those of the usual tables; tests compare them with simulated series.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Decision = Literal["rise", "steady", "unclear"]
BLOCKS = 7
"""Blocks that pairs are averaged over: of a week, its days."""
PAIRS_MIN = 3
"""Pairs that a block needs."""
HOUR_S = 3600.0
# One-sided quantiles of Student's t, by degrees of freedom 3 to 6.
_T995 = {3: 5.841, 4: 4.604, 5: 4.032, 6: 3.707}
_T95 = {3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943}
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Compared:
    """What became of a number: `ratio` is now over before, within `low` (99.5 %) and `high` (95 %), one-sided.

    pairs: hours that were compared.
    """

    decision: Decision
    ratio: float
    low: float
    high: float
    pairs: int


def compared(now: Points, before: Points, rise: float, *, blocks: int = BLOCKS) -> Compared:
    """Compare two stretches of (Unix time, positive value), the second from the week before the first.

    rise: the relative rise that matters, such as 0.2.  Unclear where fewer than four blocks have pairs enough.
    """
    pairs = paired(now, before)
    means = _block_means([math.log(after / earlier) for _, after, earlier in pairs], blocks)
    if len(means) < 4:
        ratio = math.exp(sum(means) / len(means)) if means else 1.0
        return Compared("unclear", ratio, 0.0, math.inf, len(pairs))
    mean = sum(means) / len(means)
    error = math.sqrt(sum((one - mean) ** 2 for one in means) / (len(means) - 1) / len(means))
    low, high = mean - _T995[len(means) - 1] * error, mean + _T95[len(means) - 1] * error
    decision: Decision = "unclear"
    if low > 0 and mean > math.log1p(rise) / 2:
        decision = "rise"
    elif high < math.log1p(rise):
        decision = "steady"
    return Compared(decision, math.exp(mean), math.exp(low), math.exp(high), len(pairs))


def paired(now: Points, before: Points) -> list[tuple[float, float, float]]:
    """Return (time, value now, value a whole number of weeks before) where both are known and positive."""
    earlier = {_hour(at): value for at, value in before if value > 0}
    return [(at, value, earlier[_hour(at)]) for at, value in now if value > 0 and _hour(at) in earlier]


def _hour(at: float) -> int:
    """Return the hour of the week."""
    return round(at / HOUR_S) % 168


def _block_means(values: Sequence[float], blocks: int) -> list[float]:
    blocks = min(blocks, len(values) // PAIRS_MIN, max(_T995) + 1)
    if blocks < 1:
        return []
    edges = [round(n * len(values) / blocks) for n in range(blocks + 1)]
    return [sum(values[first:last]) / (last - first) for first, last in itertools.pairwise(edges)]


@dataclass(frozen=True)
class Spike:
    """A step with more errors than chance gives: when it ended (s since the window's start), and of how many."""

    at_s: float
    errors: int
    requests: int

    @property
    def ratio(self) -> float:
        """Errors per request."""
        return self.errors / self.requests


def spikes(
    counts: Mapping[float, tuple[int, int]], *, ratio_max: float, usual: float, chance: float
) -> tuple[Spike, ...]:
    """Return the steps, each (errors, requests), whose errors are above `ratio_max` and no accident.

    usual: the ratio at which errors are accepted; a window of steps at this ratio has a spike with a
    probability of at most `chance`.
    """
    if not counts:
        return ()
    each = chance / len(counts)
    found = []
    for at, (errors, requests) in sorted(counts.items()):
        if requests > 0 and errors / requests > ratio_max and tail(errors, requests, usual) < each:
            found.append(Spike(at, errors, requests))
    return tuple(found)


def tail(k: int, n: int, p: float) -> float:
    """Return the probability of at least k successes in n trials of probability p (binomial)."""
    if k <= 0:
        return 1.0
    if p <= 0:
        return 0.0
    if p >= 1:
        return 1.0
    total, count = 0.0, k
    while count <= n:
        log = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
        part = math.exp(log + count * math.log(p) + (n - count) * math.log1p(-p))
        total += part
        if count > n * p and part < total * 1e-12:
            break
        count += 1
    return min(1.0, total)


def slope(points: Points) -> float:
    """Return the least-squares slope per second; 0 of fewer than two points."""
    n = len(points)
    if n < 2:
        return 0.0
    mean_at, mean = sum(at for at, _ in points) / n, sum(value for _, value in points) / n
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    return sum((at - mean_at) * (value - mean) for at, value in points) / spread


def silence_s(points: Points, step_s: float, *, expected: float) -> tuple[float, float]:
    """Return the longest stretch without requests that a live service would have had `expected` in, and its start.

    points: (s, requests per second) at the ends of steps.  A live service is taken to have at least a tenth of
    its median traffic at any hour; (0, 0) where there is no such stretch.
    """
    rates = sorted(value for _, value in points)
    if not rates:
        return 0.0, 0.0
    least = rates[len(rates) // 2] / 10
    longest, begun, start = 0.0, 0.0, None
    for at, value in points:
        if value > 0:
            start = None
            continue
        start = at - step_s if start is None else start
        if least * (at - start) >= expected and at - start > longest:
            longest, begun = at - start, start
    return longest, begun
