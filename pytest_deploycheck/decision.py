"""The decision: a pure function from verdicts to GO or not, the rule that made it, and what is in the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_deploycheck.verdict import ItemVerdict, Kind, Verdict


class Decision(StrEnum):
    """What the run as a whole says about the release."""

    GO = "GO"
    GO_WITH_WAIVERS = "GO WITH WAIVERS"
    NO_GO = "NO-GO"
    INCOMPLETE = "INCOMPLETE"


@dataclass(frozen=True)
class DeadGate:
    """A prerequisite that refused: `owner` is the item that carries the failure."""

    name: str
    owner: str
    detail: str


@dataclass(frozen=True)
class Cause:
    """Items that are not green for one and the same reason."""

    sentence: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Ruling:
    """The decision, the rule that made it, the items in the way and the common causes."""

    decision: Decision
    rule: str
    sentence: str
    counts: Mapping[str, int] = field(default_factory=dict)
    blocking: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()

    @property
    def green(self) -> bool:
        """Whether the exit status may be 0."""
        return self.decision in (Decision.GO, Decision.GO_WITH_WAIVERS)


def decide(
    verdicts: Sequence[ItemVerdict],
    *,
    kinds: Mapping[str, str] | None = None,
    dead_gates: Sequence[DeadGate] = (),
    interrupted: bool = False,
) -> Ruling:
    """Turn verdicts into the decision.

    NO-GO when something was seen and is wrong: a failed item, or a dead gate behind which an item is
    blocked though nobody was selected to carry its failure. INCOMPLETE when nothing failed and not
    everything is proven, when the run was interrupted, or when it holds no proven item at all.
    """
    kinds = kinds or {}
    counts = Counter(verdict.verdict.value for verdict in verdicts)
    failed = [v.item for v in verdicts if v.verdict is Verdict.FAILED]
    open_ = [v.item for v in verdicts if not _counts(v, kinds) and v.verdict is not Verdict.FAILED]
    blocked = any(v.verdict is Verdict.BLOCKED for v in verdicts)
    gates = [gate.name for gate in dead_gates] if blocked else []
    waived = counts[Verdict.WAIVED.value]
    proven = counts[Verdict.PASSED.value] + waived
    if failed or gates:
        decision = Decision.NO_GO
        rule = "an item failed" if failed else f"gate {', '.join(gates)} is dead"
    elif open_ or interrupted or not proven:
        decision = Decision.INCOMPLETE
        rule = _incomplete_rule(bool(open_), interrupted, bool(verdicts))
    elif waived:
        decision, rule = Decision.GO_WITH_WAIVERS, "every item is proven, claimed or waived"
    else:
        decision, rule = Decision.GO, "every item is proven or claimed"
    if decision in (Decision.GO, Decision.GO_WITH_WAIVERS) and (waiting := counts[Verdict.PENDING.value]):
        rule += f", but for {waiting} whose time has not come"
    ordered = {verdict.value: counts[verdict.value] for verdict in Verdict if counts[verdict.value]}
    listed = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in reversed(ordered.items()))
    return Ruling(
        decision=decision,
        rule=rule,
        sentence=f"{len(verdicts)} items: {listed}." if verdicts else "No item was judged.",
        counts=ordered,
        blocking=tuple(failed + open_),
        causes=tuple(group_causes(verdicts)),
    )


def _incomplete_rule(open_: bool, interrupted: bool, any_items: bool) -> str:
    if interrupted:
        return "the run was interrupted"
    if open_:
        return "nothing failed, but not everything is proven"
    return "nothing was proven" if any_items else "nothing was selected"


def _counts(verdict: ItemVerdict, kinds: Mapping[str, str]) -> bool:
    """Whether this verdict counts for GO; a window that has not opened yet is no reason to hold a release."""
    if verdict.verdict is Verdict.PENDING:
        return kinds.get(verdict.item) == Kind.WINDOW
    return verdict.verdict in (Verdict.PASSED, Verdict.NOT_APPLICABLE, Verdict.WAIVED)


def group_causes(verdicts: Sequence[ItemVerdict]) -> list[Cause]:
    """Group the items that could not be judged by the sentence that says why, most items first."""
    groups: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.verdict in (Verdict.UNPROVEN, Verdict.BLOCKED, Verdict.ERROR, Verdict.NOT_RUN):
            label = verdict.verdict.value.replace("_", " ")
            reason = f" ({verdict.reason})" if verdict.reason else ""
            groups.setdefault(f"{label}{reason}: {verdict.sentence}", []).append(verdict.item)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [Cause(sentence, tuple(items)) for sentence, items in ordered]
