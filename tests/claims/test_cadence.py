"""Chains of reviews as pure values: any honest one holds, and no shortcut does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck.claims.cadence import Cadence, Review, chain, counts_from

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
WEEKLY = Cadence(every=7, grace=2, back=91, committed=3)
# What people do: each review some days after the one before it, never later than the grace allows.
SPANS = st.lists(st.floats(0.5, 9.0), min_size=1, max_size=30)


def reviews(spans: list[float]) -> list[Review]:
    """Return reviews so many days after each other, each of facts of its own."""
    at, found = START, []
    for number, span in enumerate(spans):
        at += timedelta(days=span)
        found.append(Review(f"r{number}", at, f"{number:064x}"))
    return found


def judged(made: list[Review], now: datetime) -> tuple[str, ...]:
    """Return what is wrong with a chain that began at START."""
    return chain(made, WEEKLY, since=START, now=now).problems


@given(SPANS, st.floats(0, 9))
def test_an_honest_chain_holds(spans: list[float], later: float) -> None:
    """Reviews of facts of their own, none too late, are right at any time until the next is due."""
    made = reviews(spans)
    assert judged(made, made[-1].signed + timedelta(days=later)) == ()


@given(SPANS, st.floats(9.01, 400))
def test_an_overdue_chain_fails(spans: list[float], later: float) -> None:
    """Once the newest is older than a period and its grace, the chain is broken."""
    made = reviews(spans)
    assert judged(made, made[-1].signed + timedelta(days=later))


@given(SPANS, st.data())
def test_a_gap_within_the_look_back_fails(spans: list[float], data: st.DataObject) -> None:
    """A gap is found wherever it is, and forgotten once it is further back than one looks."""
    at = data.draw(st.integers(0, len(spans) - 1))
    spans[at] = 16.0
    made = reviews(spans)
    now = made[-1].signed
    assert bool(judged(made, now)) is (now - made[at].signed < timedelta(days=WEEKLY.back))


@given(st.integers(2, 13), st.floats(0, 0.2))
def test_a_pile_of_one_evening_fills_no_gap(count: int, apart: float) -> None:
    """However many are signed in one evening, what was left undone before it stays undone."""
    evening = START + timedelta(days=7 * count)
    made = [Review(f"r{n}", evening + timedelta(days=apart * n / count), f"{n:064x}") for n in range(count)]
    assert any("nobody reviewed" in one for one in judged(made, evening + timedelta(days=1)))


@given(st.integers(2, 13))
def test_back_dated_reviews_count_from_their_commit(count: int) -> None:
    """Times that were made up are no help where all of the files were committed in one evening."""
    evening = START + timedelta(days=7 * count, hours=3)
    spread = reviews([7.0] * count)
    assert judged(spread, evening) == ()
    committed = [Review(one.name, one.signed, one.digest, evening) for one in spread]
    assert judged(committed, evening)


@given(SPANS, st.data())
def test_the_same_facts_twice_fail(spans: list[float], data: st.DataObject) -> None:
    """Two reviews that cite the same digest are one that was copied."""
    made = reviews([*spans, 7.0])
    at = data.draw(st.integers(0, len(made) - 2))
    made[-1] = Review("copy", made[-1].signed, made[at].digest)
    problems = judged(made, made[-1].signed)
    assert problems == (f"copy cites the same facts as r{at}",)


@given(SPANS, st.floats(0.01, 300))
def test_reviews_of_the_future_fail(spans: list[float], ahead: float) -> None:
    """A review from ahead of the clock is none, and is said to be."""
    made = reviews(spans)
    now = made[-1].signed - timedelta(days=ahead)
    assert any("in the future" in one for one in judged(made, now))


@given(st.text(max_size=70))
def test_only_a_digest_cites_facts(text: str) -> None:
    """What is no SHA-256 cites nothing."""
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")
    made = [Review("r", START + timedelta(days=7), text)]
    assert bool(judged(made, START + timedelta(days=8))) is not is_digest


@given(SPANS, st.randoms())
def test_the_order_of_files_does_not_matter(spans: list[float], random: object) -> None:
    """A chain is judged by times, not by the order in which files were read."""
    made = reviews([*spans, 16.0])
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert judged(shuffled, made[-1].signed) == judged(made, made[-1].signed)


def test_without_a_review_the_start_stands_for_one() -> None:
    """Until a period and its grace are over nothing is wrong yet, and it is known when something will be."""
    found = chain([], WEEKLY, since=START, now=START + timedelta(days=8.9))
    assert (found.problems, found.due) == ((), START + timedelta(days=9))
    assert chain([], WEEKLY, since=START, now=START + timedelta(days=9.1)).problems


def test_a_review_before_the_start_does_not_count() -> None:
    """What was reviewed before the go-live is of another release's life."""
    early = [Review("r", START - timedelta(days=1), "a" * 64)]
    assert chain(early, WEEKLY, since=START, now=START + timedelta(days=10)).problems


def test_a_commit_a_little_later_is_no_lateness() -> None:
    """Within its days a commit does not move a review."""
    one = Review("r", START, "a" * 64, START + timedelta(days=2.9))
    late = Review("r", START, "a" * 64, START + timedelta(days=3.1))
    assert counts_from(one, WEEKLY) == START
    assert counts_from(late, WEEKLY) == START + timedelta(days=3.1)
