"""Evidence of one test: what it was given, what it compared, which limits it read, and how it ended."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.outcomes import Failed

from pytest_deploycheck.check import Blocked, Pending, Unproven
from pytest_deploycheck.record import jsonable
from pytest_deploycheck.redact import Redactor, bounded
from pytest_deploycheck.session.collection import ITEMS, PROBES, STAND_IN
from pytest_deploycheck.session.comparisons import EXPRESSION_MAX, Comparisons, shortened
from pytest_deploycheck.verdict import Comparison, Outcome, Reason, Verdict

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Recorded

TRACE = pytest.StashKey["Trace"]()
KEY = "deploycheck"
_SETUP = "setup"


class NotSeen(Failed):
    """Ends the setup of a test whose facts could not be seen; one line, no traceback."""

    __module__ = "builtins"  # pytest prints it without a module path, as it does its own

    def __init__(self, message: str) -> None:
        super().__init__(message, pytrace=False)


@dataclass
class Trace:
    """What was noted while one test ran."""

    limits: Recorded | None = None
    verdict: Verdict | None = None
    reason: str = ""
    message: str = ""
    until: str = ""
    provisional: list[datetime] = field(default_factory=list)
    held: Comparisons = field(default_factory=Comparisons)
    attempts: list[str] = field(default_factory=list)

    def settle(self, verdict: Verdict, reason: str, message: str) -> None:
        """Note why the test itself was not run."""
        self.verdict, self.reason, self.message = verdict, reason, message


def trace_of(item: pytest.Item) -> Trace:
    """Return the trace of a test, made at first use."""
    if TRACE not in item.stash:
        item.stash[TRACE] = Trace()
    return item.stash[TRACE]


def passed_comparison(item: pytest.Item, line: int, source: str, explained: str) -> None:
    """Note an assertion that held."""
    trace_of(item).held.held(line, source, explained)


def outcome_of(
    item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport, redactor: Redactor
) -> Outcome | None:
    """Return the outcome that this phase of the test decides, or None when another phase does."""
    trace = trace_of(item)
    if call.when == "teardown":
        if report.outcome != "failed":
            return None
        verdict, reason, message = Verdict.ERROR, "", f"teardown: {_first_line(call)}"
    elif call.when == _SETUP and report.outcome == "passed":
        return None
    else:
        verdict, reason, message = _judge(item, call, report, trace)
    line = (item.location[1] or 0) + 1
    return Outcome(
        test=item.nodeid,
        items=item.stash.get(ITEMS, ()),
        verdict=verdict,
        reason=reason,
        message=redactor.text(bounded(message, 2_000)),
        file=item.location[0],
        line=line,
        duration_s=round(report.duration, 4),
        observations=item.stash.get(PROBES, ()),
        comparisons=(*trace.held.kept(redactor.text), *_failed_comparison(call, verdict, redactor.text)),
        limits=trace.limits.used() if trace.limits else (),
        attempts=tuple(trace.attempts),
        until=trace.until or max((moment.isoformat() for moment in trace.provisional), default=""),
    )


def _judge(
    item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport, trace: Trace
) -> tuple[Verdict, str, str]:
    if trace.verdict is not None:
        return trace.verdict, trace.reason, trace.message
    if hasattr(report, "wasxfail"):
        if report.outcome == "skipped":
            # The check failed as its waiver foresaw; the verdict is the failure, the claim covers it.
            return Verdict.FAILED, "", _first_line(call)
        return Verdict.PASSED, "", ""
    if report.outcome == "skipped":
        return Verdict.UNPROVEN, Reason.NO_EVIDENCE, f"the test skipped itself: {_first_line(call)}"
    if report.outcome == "passed":
        return _pass(item, trace)
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, Unproven):
        claim = item.stash.get(STAND_IN, None)
        if claim is not None:
            report.outcome = "skipped"
            report.longrepr = (*_place(item), f"{claim.kind.replace('_', ' ')}: {claim.why}")
            return Verdict.UNPROVEN, error.reason, error.message
        report.longrepr = f"unproven({error.reason}): {error.message}"
        return Verdict.UNPROVEN, error.reason, error.message
    if isinstance(error, Blocked):
        report.outcome = "skipped"
        report.longrepr = (*_place(item), f"blocked by {error.by}: {error.message}")
        return Verdict.BLOCKED, error.by, error.message
    if isinstance(error, Pending):
        trace.until = error.until.isoformat()
        report.outcome = "skipped"
        report.longrepr = (*_place(item), f"pending: {error.message}")
        return Verdict.PENDING, "", error.message
    if call.when == "call" and isinstance(error, (AssertionError, Failed)):
        return Verdict.FAILED, "", _first_line(call)
    return Verdict.ERROR, "", f"{type(error).__name__}: {_first_line(call)}"


def _place(item: pytest.Item) -> tuple[str, int]:
    return item.location[0], (item.location[1] or 0) + 1


def _pass(item: pytest.Item, trace: Trace) -> tuple[Verdict, str, str]:
    """Let a pass count only when something that was seen was compared with something."""
    if not item.stash.get(ITEMS, ()):
        return Verdict.PASSED, "", ""
    if not item.stash.get(PROBES, ()):
        return Verdict.UNPROVEN, Reason.NO_EVIDENCE, "the test passed without asking for any facts"
    if not trace.held.evaluated:
        plain = item.config.getoption("assertmode", "rewrite") == "plain"
        why = "--assert=plain hides comparisons; leave it out" if plain else "it compared nothing"
        return Verdict.UNPROVEN, Reason.NO_EVIDENCE, f"the test passed, but {why}"
    return Verdict.PASSED, "", ""


def _failed_comparison(
    call: pytest.CallInfo[Any], verdict: Verdict, redact: Callable[[str], str]
) -> tuple[Comparison, ...]:
    if verdict is not Verdict.FAILED or call.excinfo is None:
        return ()
    entry = call.excinfo.traceback[-1]
    expression = shortened(redact(str(entry.statement)), EXPRESSION_MAX)
    values = shortened(redact(_first_line(call)), EXPRESSION_MAX)
    return (Comparison(expression, values, entry.lineno + 1),)


def _first_line(call: pytest.CallInfo[Any]) -> str:
    """Return an exception's message without pytest's own additions, as one line."""
    if call.excinfo is None:
        return ""
    text = str(call.excinfo.value)
    first = re.split(r"\nassert |\n  \+  where |\n\s*[+]\s+where ", text)[0]
    return " ".join(first.split()) or type(call.excinfo.value).__name__


def attach(report: pytest.TestReport, outcome: Outcome) -> None:
    """Put an outcome on a report as plain JSON: it crosses process borders, and JUnit shows properties."""
    setattr(report, KEY, jsonable(outcome))
    for item in outcome.items:
        report.user_properties.append(("deploycheck_item", item))
    report.user_properties.append(("deploycheck_verdict", outcome.verdict.value))
    if outcome.reason:
        report.user_properties.append(("deploycheck_reason", str(outcome.reason)))


def scrub(report: pytest.TestReport, redactor: Redactor) -> None:
    """Take secrets out of everything that pytest and its other plugins print of a report."""
    if report.longrepr is not None:
        text = str(report.longrepr)
        if redactor.text(text) != text:
            if isinstance(report.longrepr, tuple):
                path, line, reason = report.longrepr
                report.longrepr = (path, line, redactor.text(reason))
            else:
                report.longrepr = redactor.text(text)
    report.sections = [(name, redactor.text(content)) for name, content in report.sections]
