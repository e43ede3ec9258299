"""Verdicts: pure functions from what tests came to, and what people claim, to what is known of an item.

Nothing here reads a clock, a file or the network, and nothing imports pytest; the truth table of the
documentation (docs/verdicts.md) is the behaviour of this file and of `decision.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What is known of an item, worst first; the order is the rule for items with several tests."""

    FAILED = "failed"
    ERROR = "error"
    UNPROVEN = "unproven"
    BLOCKED = "blocked"
    NOT_RUN = "not_run"
    WAIVED = "waived"
    PENDING = "pending"
    NOT_APPLICABLE = "not_applicable"
    PASSED = "passed"


class Reason(StrEnum):
    """Why something could not be seen."""

    NO_CONFIG = "no_config"
    NO_ACCESS = "no_access"
    NO_EVIDENCE = "no_evidence"
    STALE = "stale"
    UNSIGNED = "unsigned"
    NO_TRAFFIC = "no_traffic"
    TIMEOUT = "timeout"
    UNPARSEABLE = "unparseable"
    NOT_ALLOWED = "not_allowed"


class Kind(StrEnum):
    """What sort of box an item is; see docs/verdicts.md."""

    GATE = "gate"
    TRIGGER = "trigger"
    PROCEDURE = "procedure"
    WINDOW = "window"
    SIGN_OFF = "sign_off"


SEVERITY: Mapping[Verdict, int] = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True)
class Comparison:
    """One assertion with some values: its source text, the same text with the values seen, and its line.

    The line is of the module where the assertion stands: the test's own, or one of `claims`. `count` is how often it was evaluated with these values, `others` how often with values not kept,
    noted once for an assertion.
    """

    expression: str
    values: str
    line: int
    count: int = 1
    others: int = 0


@dataclass(frozen=True)
class LimitUse:
    """A limit that a test read: `origin` is "default" or the file that set it."""

    name: str
    value: object
    unit: str
    source: str
    origin: str


@dataclass(frozen=True)
class Outcome:
    """The result of one test for the items it is bound to."""

    test: str
    items: tuple[str, ...]
    verdict: Verdict
    reason: str = ""
    message: str = ""
    file: str = ""
    line: int = 0
    duration_s: float = 0.0
    observations: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    limits: tuple[LimitUse, ...] = ()
    attempts: tuple[str, ...] = ()
    until: str = ""


@dataclass(frozen=True)
class Claim:
    """What somebody vouches for: an attestation, a waiver or a not-applicable declaration.

    `until` is when it expires (None: bound to a machine-checked condition that holds in this run);
    `problem` is a sentence when it must not count, and is reported instead of being ignored.
    """

    kind: str
    item: str
    why: str
    by: str
    role: str = ""
    until: datetime | None = None
    origin: str = ""
    problem: str = ""

    def counts(self, now: datetime) -> bool:
        """Whether the claim may be used at `now`."""
        return not self.problem and (self.until is None or now < self.until)


@dataclass(frozen=True)
class ItemVerdict:
    """The verdict of one item, with the verdict that a claim stands in for (`observed`)."""

    item: str
    verdict: Verdict
    reason: str = ""
    sentence: str = ""
    observed: Verdict = Verdict.NOT_RUN
    claim: Claim | None = None
    outcomes: tuple[Outcome, ...] = ()
    until: str = ""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of some verdicts; of none, not_run."""
    return min(verdicts, key=SEVERITY.__getitem__, default=Verdict.NOT_RUN)


def judge_item(item: str, outcomes: Sequence[Outcome], claims: Sequence[Claim], now: datetime) -> ItemVerdict:
    """Unite an item's test outcomes and claims into its verdict.

    A claim never beats a failing check, except a waiver; a waiver only ever stands in for a failure,
    so it cannot hide a target that was not reached.
    """
    verdict = worst(outcome.verdict for outcome in outcomes)
    decisive = next((outcome for outcome in outcomes if outcome.verdict is verdict), None)
    result = ItemVerdict(
        item=item,
        verdict=verdict,
        reason=decisive.reason if decisive else "",
        sentence=decisive.message if decisive else "no test ran and no claim covers it",
        observed=verdict,
        outcomes=tuple(outcomes),
        until=decisive.until if decisive else "",
    )
    usable = {claim.kind: claim for claim in claims if claim.item == item and claim.counts(now)}
    claim = _covering(verdict, usable)
    if claim is None:
        return result
    covered = {
        "waiver": Verdict.WAIVED,
        "not_applicable": Verdict.NOT_APPLICABLE,
        "attestation": Verdict.PASSED,
    }[claim.kind]
    until = claim.until.isoformat() if claim.until else ""
    return replace(
        result,
        verdict=covered,
        reason="attested" if covered is Verdict.PASSED else "",
        claim=claim,
        until=until,
        sentence=f"{claim.why} ({claim.by})",
    )


def _covering(verdict: Verdict, usable: Mapping[str, Claim]) -> Claim | None:
    """Return the claim that stands in for this verdict, if there is one."""
    if verdict is Verdict.FAILED:
        return usable.get("waiver")
    if verdict in (Verdict.UNPROVEN, Verdict.BLOCKED, Verdict.NOT_RUN):
        return usable.get("not_applicable") or usable.get("attestation")
    return None


def judge(
    items: Sequence[str], outcomes: Sequence[Outcome], claims: Sequence[Claim], *, now: datetime
) -> list[ItemVerdict]:
    """Return one verdict for each of `items`, in their order."""
    by_item: dict[str, list[Outcome]] = {item: [] for item in items}
    for outcome in outcomes:
        for item in outcome.items:
            if item in by_item:
                by_item[item].append(outcome)
    return [judge_item(item, found, claims, now) for item, found in by_item.items()]
