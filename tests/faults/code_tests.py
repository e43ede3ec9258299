"""Faults of Code Preparation: whether the released commit's tests passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_deploycheck import envelope
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.code_tools import ago, parent, replaced, reported, rewritten
from tests.faults.harness import fault
from tests.faults.tools import edited

TESTS = "deploy.code.tests"


@fault(TESTS, "no test was collected", probes=("junit",))
@contextmanager
def no_test(demo: Deployment) -> Iterator[None]:
    """Report an empty suite, which is green."""
    empty = (
        '<testsuites><testsuite name="pytest" tests="0" failures="0" errors="0" skipped="0" /></testsuites>'
    )
    with reported(demo, "junit/api.xml", lambda _: empty, started_at=ago(minutes=1)):
        yield


def _case(outcome: str, count: int = 1) -> Callable[[str], str]:
    """Return a change that gives the first test cases an outcome, and leaves the suite's own numbers as they are."""

    def change(text: str) -> str:
        parts = text.split(" />", count)
        assert len(parts) == count + 1
        return f"><{outcome} message='x'/></testcase>".join(parts)

    return change


@fault(TESTS, "one test failed", probes=("junit",))
@contextmanager
def one_failure(demo: Deployment) -> Iterator[None]:
    """Fail one test, and count none in the suite's attributes."""
    with reported(demo, "junit/api.xml", _case("failure")):
        yield


@fault(TESTS, "a fixture broke", probes=("junit",))
@contextmanager
def one_error(demo: Deployment) -> Iterator[None]:
    """End one test in an error."""
    with reported(demo, "junit/api.xml", _case("error")):
        yield


@fault(TESTS, "most tests were skipped", probes=("junit",))
@contextmanager
def skipped(demo: Deployment) -> Iterator[None]:
    """Skip a third of the suite for want of a database."""
    with reported(demo, "junit/api.xml", _case("skipped", 45)):
        yield


@fault(TESTS, "the results are of the commit before", probes=("junit",))
@contextmanager
def other_commit(demo: Deployment) -> Iterator[None]:
    """Show results that are green, of other code."""
    with reported(demo, "junit/api.xml", str, commit=parent(demo)):
        yield


@fault(TESTS, "the tests ran before the commit was made", probes=("junit",))
@contextmanager
def before_commit(demo: Deployment) -> Iterator[None]:
    """Say that results of yesterday are about today's commit."""
    year = f'timestamp="{datetime.now(UTC).year}-'
    with reported(demo, "junit/api.xml", replaced(year, f'timestamp="{datetime.now(UTC).year - 1}-')):
        yield


@fault(TESTS, "the results were edited afterwards", probes=("junit",))
@contextmanager
def edited_results(demo: Deployment) -> Iterator[None]:
    """Change the results behind the envelope's back."""
    with edited(_junit(demo), ("test_01", "test_99")):
        yield


def _junit(demo: Deployment) -> Path:
    return demo.world.path("reports", "junit", "api.xml")


@fault(TESTS, "the results are of the future", probes=("junit",))
@contextmanager
def future(demo: Deployment) -> Iterator[None]:
    """Date the results next week, so that they stay fresh."""
    with reported(demo, "junit/api.xml", str, produced_at=ago(days=-7)):
        yield


@fault(
    TESTS, "the results are old", probes=("junit",), becomes=Verdict.UNPROVEN, limits={"tests_max_age_s": 1}
)
@contextmanager
def old(demo: Deployment) -> Iterator[None]:
    """Keep what was true for another state of the world."""
    with reported(demo, "junit/api.xml", str, produced_at=ago(seconds=60)):
        yield


@fault(TESTS, "nobody says which commit was tested", probes=("junit",), becomes=Verdict.UNPROVEN)
@contextmanager
def unbound(demo: Deployment) -> Iterator[None]:
    """Lose the envelope."""
    path = envelope.path_of(_junit(demo))
    away = path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        away.rename(path)


@fault(TESTS, "the results declare entities", probes=("junit",), becomes=Verdict.UNPROVEN)
@contextmanager
def entities(demo: Deployment) -> Iterator[None]:
    """Send XML that grows when it is read."""
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><testsuites><testsuite name="&b;"/></testsuites>'
    with reported(demo, "junit/api.xml", lambda _: bomb):
        yield


def _ci(demo: Deployment, change: Callable[[Any], None]) -> AbstractContextManager[None]:
    return reported(demo, "ci/checks.json", rewritten(change))


@fault(TESTS, "a required check failed", probes=("ci",))
@contextmanager
def check_failed(demo: Deployment) -> Iterator[None]:
    """Let one of a matrix of checks fail."""
    with _ci(demo, lambda body: body["checks"][2].update(conclusion="failure")):
        yield


@fault(TESTS, "a required check never ran", probes=("ci",))
@contextmanager
def check_missing(demo: Deployment) -> Iterator[None]:
    """Run nothing but the linter, which is green."""
    with _ci(demo, lambda body: body.update(checks=body["checks"][:1])):
        yield


@fault(TESTS, "a required check was skipped", probes=("ci",))
@contextmanager
def check_skipped(demo: Deployment) -> Iterator[None]:
    """Leave the build of the image out by a condition."""
    with _ci(demo, lambda body: body["checks"][3].update(conclusion="skipped")):
        yield


@fault(TESTS, "the CI ran for another commit", probes=("ci",))
@contextmanager
def ci_elsewhere(demo: Deployment) -> Iterator[None]:
    """Have the checks of the commit before."""
    other = parent(demo)
    with reported(demo, "ci/checks.json", rewritten(lambda body: body.update(commit=other)), commit=other):
        yield


@fault(TESTS, "the CI has no check of the commit", probes=("ci",))
@contextmanager
def no_checks(demo: Deployment) -> Iterator[None]:
    """Have a commit without any check, whose combined state offends nobody."""
    with _ci(demo, lambda body: body.update(checks=[])):
        yield
