"""The decisions about rises and spikes err as seldom as they say, on series with the rhythm and noise of real ones."""

from __future__ import annotations

import math
import random

import pytest

from pytest_deploycheck.rules.baseline import (
    _T95,
    _T995,
    compared,
    paired,
    silence_s,
    slope,
    spikes,
    tail,
)

HOURS = 168
WEEK_S = HOURS * 3600.0
RUNS = 1000


def seeded(seed: int) -> random.Random:
    """Return chance that is the same each time."""
    return random.Random(seed)  # noqa: S311 - not for secrets


def week(chance: random.Random, factor: float, noise: float, alike: float) -> list[tuple[float, float]]:
    """Return a week of hourly p95: a daily rhythm, slower weekdays, noise in which neighbouring hours are alike."""
    points, drift = [], 0.0
    for hour in range(HOURS):
        drift = alike * drift + math.sqrt(1 - alike**2) * chance.gauss(0, noise)
        rhythm = 0.2 * (1 + 0.3 * math.sin(2 * math.pi * hour / 24)) * (1.1 if hour < 120 else 0.9)
        points.append((hour * 3600.0, factor * rhythm * math.exp(drift)))
    return points


def decisions(factor: float, noise: float, alike: float, seed: int) -> dict[str, int]:
    """Count what is decided about many pairs of weeks, of which the second is slower by a factor."""
    chance, found = seeded(seed), {"rise": 0, "steady": 0, "unclear": 0}
    for _ in range(RUNS):
        before = week(chance, 1.0, noise, alike)
        now = [(at + WEEK_S, value) for at, value in week(chance, factor, noise, alike)]
        found[compared(now, before, 0.2).decision] += 1
    return found


@pytest.mark.parametrize(("noise", "alike"), [(0.05, 0.0), (0.15, 0.6), (0.3, 0.6), (0.6, 0.8)])
def test_false_alarms_are_one_in_a_hundred_at_most(noise: float, alike: float) -> None:
    """A week like the one before is called slower in at most 1 % of the cases, however noisy it is."""
    found = decisions(1.0, noise, alike, seed=11)
    print(f"no rise, noise {noise}, alike {alike}: {found} of {RUNS}")
    assert found["rise"] <= 0.01 * RUNS


@pytest.mark.parametrize(("noise", "alike"), [(0.05, 0.0), (0.15, 0.3), (0.1, 0.6)])
def test_a_rise_of_a_fifth_is_caught(noise: float, alike: float) -> None:
    """At a noise of 15 % an hour, or of 10 % in streaks of hours, 95 of 100 rises of 20 % are called one."""
    found = decisions(1.2, noise, alike, seed=12)
    print(f"20 % slower, noise {noise}, alike {alike}: {found} of {RUNS}")
    assert found["rise"] >= 0.95 * RUNS


@pytest.mark.parametrize(("noise", "alike"), [(0.15, 0.6), (0.3, 0.6), (0.6, 0.8)])
def test_a_rise_of_a_fifth_is_hardly_ever_called_steady(noise: float, alike: float) -> None:
    """Where noise hides a rise, the answer is that it is unclear; steady is said in at most 5 % of the cases."""
    found = decisions(1.2, noise, alike, seed=13)
    print(f"20 % slower, noise {noise}, alike {alike}: {found} of {RUNS}")
    # Of 1000 at exactly 5 %, more than 68 would be one of 200 such counts.
    assert found["steady"] <= 68


def test_a_quiet_week_is_steady() -> None:
    """A week without a rise and with little noise is told to be steady, and not only not to be slower."""
    found = decisions(1.0, 0.1, 0.3, seed=14)
    print(f"no rise, noise 0.1, alike 0.3: {found} of {RUNS}")
    assert found["steady"] >= 0.95 * RUNS


def test_the_quantiles_are_those_of_students_t() -> None:
    """The tables hold what simulated means of normal values show, within the simulation's own error."""
    chance = seeded(15)
    for freedom in _T995:
        over_995 = over_95 = 0
        for _ in range(20_000):
            values = [chance.gauss(0, 1) for _ in range(freedom + 1)]
            mean = sum(values) / len(values)
            spread = sum((one - mean) ** 2 for one in values) / freedom
            t = mean / math.sqrt(spread / len(values))
            over_995, over_95 = over_995 + (t > _T995[freedom]), over_95 + (t > _T95[freedom])
        assert 0.0035 < over_995 / 20_000 < 0.0065, freedom
        assert 0.046 < over_95 / 20_000 < 0.054, freedom


def test_little_data_is_unclear() -> None:
    """A few hours decide nothing, and no hours neither."""
    few = [(WEEK_S + hour * 3600.0, 5.0) for hour in range(6)]
    assert compared(few, [(at - WEEK_S, 1.0) for at, _ in few], 0.2).decision == "unclear"
    assert compared(few, [], 0.2).decision == "unclear"
    assert compared([], [], 0.2).ratio == 1.0


def test_hours_are_compared_with_the_same_hour_of_the_week_before() -> None:
    """A busy afternoon is no rise over the night: pairs are a week apart."""
    before = [(hour * 3600.0, 1.0 + hour) for hour in range(HOURS)]
    pairs = paired([(WEEK_S + 7200.0, 9.0)], before)
    assert pairs == [(WEEK_S + 7200.0, 9.0, 3.0)]


@pytest.mark.parametrize("rate", [2.0, 20.0, 600.0])
def test_a_healthy_day_has_no_spike_in_99_of_100_cases(rate: float) -> None:
    """With errors at the accepted ratio in each of 288 steps, at most one day in a hundred has a spike."""
    chance, alarms, days = seeded(16), 0, 300
    for _ in range(days):
        counts = {}
        for step in range(288):
            requests = max(1, round(chance.gauss(rate * 30, rate * 3)))
            expected = requests * 0.01 / 3
            counts[step * 300.0] = (_poisson(chance, expected), requests)
        alarms += bool(spikes(counts, ratio_max=0.01, usual=0.01 / 3, chance=0.01))
    print(f"{rate} requests in ten seconds: {alarms} false alarms in {days} days")
    assert alarms <= 8  # of 300 at exactly 1 %, more than 8 would be one of 250 such counts


@pytest.mark.parametrize("requests", [600, 6000])
def test_three_in_a_hundred_for_ten_minutes_is_a_spike(requests: int) -> None:
    """Two steps of 3 % errors are found in 95 of 100 days, at two requests a second as well."""
    chance, caught = seeded(17), 0
    for _ in range(500):
        counts = {step * 300.0: (_poisson(chance, requests * 0.0005), requests) for step in range(288)}
        counts |= {at: (_poisson(chance, requests * 0.03), requests) for at in (3000.0, 3300.0)}
        caught += bool(spikes(counts, ratio_max=0.01, usual=0.01 / 3, chance=0.01))
    print(f"{requests} requests a step: {caught} of 500 caught")
    assert caught >= 475


def test_one_error_of_twenty_requests_is_no_spike() -> None:
    """A single failure at night is 5 % of few requests, and an accident."""
    assert spikes({300.0: (1, 20)}, ratio_max=0.01, usual=0.003, chance=0.01 / 288) == ()


def test_the_tail_of_the_binomial() -> None:
    """Probabilities are those that counting gives."""
    assert tail(0, 5, 0.3) == 1.0
    assert tail(5, 5, 0.5) == pytest.approx(1 / 32)
    assert tail(1, 3, 0.1) == pytest.approx(1 - 0.9**3)
    assert tail(400, 1_000_000, 0.001) == pytest.approx(1.0)
    assert (tail(1, 9, 0.0), tail(1, 9, 1.0)) == (0.0, 1.0)


def test_a_silence_is_long_where_traffic_is_thin() -> None:
    """Half an hour without requests is an outage of a busy service, and an ordinary night of a small one."""
    silent = range(10, 16)
    busy = [(n * 300.0, 0.0 if n in silent else 2.0) for n in range(1, 49)]
    assert silence_s(busy, 300, expected=20) == (1800.0, 2700.0)
    small = [(at, value / 400) for at, value in busy]
    assert silence_s(small, 300, expected=20) == (0.0, 0.0)
    assert silence_s([], 300, expected=20) == (0.0, 0.0)


def test_slopes() -> None:
    """A straight line has its slope, and a single point none."""
    assert slope([(0.0, 1.0), (10.0, 3.0), (20.0, 5.0)]) == pytest.approx(0.2)
    assert slope([(0.0, 1.0)]) == 0.0


def _poisson(chance: random.Random, mean: float) -> int:
    """Draw a count: by Knuth's product for small means, else by its normal approximation."""
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    bound, count, product = math.exp(-mean), 0, chance.random()
    while product > bound:
        count, product = count + 1, product * chance.random()
    return count
