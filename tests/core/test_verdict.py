"""The truth table of verdicts and the decision, by property."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck.decision import DeadGate, Decision, decide, group_causes
from pytest_deploycheck.verdict import SEVERITY, Claim, ItemVerdict, Kind, Outcome, Verdict, judge

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FROM_TESTS = [v for v in Verdict if v not in (Verdict.NOT_RUN, Verdict.WAIVED, Verdict.NOT_APPLICABLE)]
outcomes = st.lists(
    st.builds(Outcome, test=st.just("t"), items=st.just(("a.b.c",)), verdict=st.sampled_from(FROM_TESTS)),
    max_size=4,
)
claims = st.lists(
    st.builds(
        Claim,
        kind=st.sampled_from(["attestation", "waiver", "not_applicable"]),
        item=st.sampled_from(["a.b.c", "a.b.d"]),
        why=st.just("why"),
        by=st.just("who"),
        until=st.sampled_from([None, NOW + timedelta(seconds=1), NOW, NOW - timedelta(days=1)]),
        problem=st.sampled_from(["", "unsigned"]),
    ),
    max_size=3,
)


@given(outcomes, claims)
def test_claims_never_beat_a_failing_check_except_a_waiver(found: list[Outcome], said: list[Claim]) -> None:
    """A failed item stays failed, or is waived; no other claim touches it, and an error stays an error."""
    (item,) = judge(["a.b.c"], found, said, now=NOW)
    worst = min((o.verdict for o in found), key=SEVERITY.__getitem__, default=Verdict.NOT_RUN)
    assert item.observed is worst
    if worst is Verdict.FAILED:
        assert item.verdict in (Verdict.FAILED, Verdict.WAIVED)
        assert (item.verdict is Verdict.WAIVED) == any(
            c.kind == "waiver" and c.item == "a.b.c" and c.counts(NOW) for c in said
        )
    if worst in (Verdict.ERROR, Verdict.PENDING, Verdict.PASSED):
        assert item.verdict is worst
    if item.claim is not None:
        assert not item.claim.problem and (item.claim.until is None or item.claim.until > NOW)


@given(st.lists(st.sampled_from(list(Verdict)), max_size=6), st.booleans(), st.booleans())
def test_only_proven_or_claimed_items_make_go(found: list[Verdict], window: bool, interrupted: bool) -> None:
    """GO needs something proven, nothing failed, nothing open, and a run that was not interrupted."""
    items = [ItemVerdict(f"a.b.i{n}", verdict) for n, verdict in enumerate(found)]
    kinds = {item.item: (Kind.WINDOW if window else Kind.GATE).value for item in items}
    ruling = decide(items, kinds=kinds, interrupted=interrupted)
    good = {Verdict.PASSED, Verdict.WAIVED, Verdict.NOT_APPLICABLE} | ({Verdict.PENDING} if window else set())
    may_go = (
        not interrupted
        and all(v in good for v in found)
        and any(v in (Verdict.PASSED, Verdict.WAIVED) for v in found)
    )
    assert ruling.green == may_go
    assert (ruling.decision is Decision.NO_GO) == (Verdict.FAILED in found)
    if may_go:
        assert (ruling.decision is Decision.GO_WITH_WAIVERS) == (Verdict.WAIVED in found)
    assert sum(ruling.counts.values()) == len(found)


def test_a_dead_gate_without_its_owner_is_no_go() -> None:
    """Blocked items whose owner was not selected make NO-GO, since a refusal was seen."""
    blocked = [ItemVerdict("a.b.c", Verdict.BLOCKED), ItemVerdict("a.b.d", Verdict.PASSED)]
    ruling = decide(blocked, dead_gates=[DeadGate("db", "deploy.database.connection", "refused")])
    assert ruling.decision is Decision.NO_GO
    assert "db" in ruling.rule


def test_nothing_selected_is_incomplete() -> None:
    """A run of nothing is not green."""
    ruling = decide([])
    assert (ruling.decision, ruling.rule) == (Decision.INCOMPLETE, "nothing was selected")


def test_one_cause_is_told_once() -> None:
    """Items that share a reason are grouped under it, the largest group first."""
    open_ = [
        ItemVerdict("a.b.1", Verdict.UNPROVEN, "no_config", "no [db]"),
        ItemVerdict("a.b.2", Verdict.UNPROVEN, "no_config", "no [rpc]"),
        ItemVerdict("a.b.3", Verdict.UNPROVEN, "no_config", "no [rpc]"),
    ]
    first, second = group_causes(open_)
    assert first.items == ("a.b.2", "a.b.3")
    assert second.sentence == "unproven (no_config): no [db]"


def test_a_go_says_what_is_still_to_come() -> None:
    """A window that has not opened is no reason against a release, and is not called proven either."""
    verdicts = [ItemVerdict("a.b.c", Verdict.PASSED), ItemVerdict("a.b.d", Verdict.PENDING)]
    ruling = decide(verdicts, kinds={"a.b.d": "window"})
    assert ruling.decision is Decision.GO
    assert ruling.rule == "every item is proven or claimed, but for 1 whose time has not come"
