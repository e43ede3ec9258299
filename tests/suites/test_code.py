"""The checks of the released commit and its tests against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.checkouts import CheckoutFacts, Revision
from pytest_deploycheck.probes.ci import CiFacts
from pytest_deploycheck.probes.ci_results import CiCheck
from pytest_deploycheck.probes.evidence_files import Origin
from pytest_deploycheck.probes.health import HealthFacts
from pytest_deploycheck.probes.junit import JunitFacts, TestResults
from pytest_deploycheck.probes.repo import RepoFacts
from tests.suites.checks import suite

CHECKS = suite("deploy/test_code.py")
LIMITS = Limits()
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
SHA, OTHER = "a1" * 20, "b2" * 20


def stamp(**ago: float) -> str:
    """Return a moment so long ago."""
    return (NOW - timedelta(**ago)).isoformat()


REPO = RepoFacts(
    remote="https://git.example/shop",
    branch="main",
    commit=SHA,
    tag="v1",
    remote_head=SHA,
    tag_object=OTHER,
    tag_commit=SHA,
    refused="",
    clone=True,
    committed_at=stamp(hours=3),
    ancestor=True,
    ancestor_allowed=False,
    signed_wanted=False,
    tag_signed=None,
    tag_said="",
)
BEHIND = replace(REPO, remote_head=OTHER, ancestor_allowed=True)
SIGNED = replace(REPO, signed_wanted=True, tag_signed=True)


@pytest.mark.parametrize(
    "facts",
    [
        REPO,
        replace(REPO, tag="", tag_object="", tag_commit=""),
        BEHIND,
        SIGNED,
        replace(REPO, clone=False, ancestor=None),
    ],
)
def test_a_released_commit_passes(facts: RepoFacts) -> None:
    """The branch's head with and without a tag; a tag that the branch has left behind, where that is allowed."""
    CHECKS["test_main"](repo_facts=facts)


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (replace(REPO, remote_head=OTHER), AssertionError, f"main is at {OTHER}"),
        (replace(REPO, remote_head=""), AssertionError, "no branch main"),
        (replace(REPO, tag_commit=""), AssertionError, "no tag v1"),
        (replace(REPO, tag_commit=OTHER), AssertionError, "tag v1 is"),
        (replace(REPO, remote_head=None, tag_commit=None, refused="denied"), Unproven, "denied"),
        (replace(BEHIND, ancestor=False), AssertionError, "does not hold"),
        (replace(BEHIND, ancestor=None), Unproven, "fetch it"),
        (replace(BEHIND, tag="", tag_commit=""), AssertionError, f"main is at {OTHER}"),
        (replace(SIGNED, tag_signed=False, tag_said="bad"), AssertionError, "no good signature: bad"),
        (replace(SIGNED, tag_signed=None), Unproven, "was not looked at"),
        (replace(SIGNED, tag="", tag_commit=""), AssertionError, "release.tag names none"),
    ],
)
def test_commits_that_are_not_proven_released(facts: RepoFacts, error: type[Exception], words: str) -> None:
    """Another head, a moved tag, a bad signature fail; no answer proves nothing."""
    with pytest.raises(error, match=words):
        CHECKS["test_main"](repo_facts=facts)


CHECKOUT = CheckoutFacts(
    path="/srv/shop",
    commit=SHA,
    head=SHA,
    said="",
    dirty=(),
    ahead=0,
    remote="https://git.example/shop",
    remote_as_declared=True,
    built=("api",),
    running=(Revision("api", "shop-api-1", SHA),),
)
BARE = replace(CHECKOUT, path="", head="", dirty=None, ahead=None, remote_as_declared=None)


@pytest.mark.parametrize("facts", [CHECKOUT, replace(CHECKOUT, ahead=None, remote_as_declared=None), BARE])
def test_a_clean_checkout_passes(facts: CheckoutFacts) -> None:
    """Also one without an origin, and a server that holds images only."""
    CHECKS["test_main_checkout"](checkout_facts=facts)


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (replace(CHECKOUT, head=OTHER), AssertionError, f"is at {OTHER}"),
        (replace(CHECKOUT, head="", said="no repository"), AssertionError, "is no checkout: no repository"),
        (replace(CHECKOUT, head=None, said="git: not found"), Unproven, "git: not found"),
        (replace(CHECKOUT, dirty=(" M app.py",)), AssertionError, "M app.py"),
        (replace(CHECKOUT, dirty=None), Unproven, "git status"),
        (replace(CHECKOUT, ahead=2), AssertionError, "2 commits ahead"),
        (replace(CHECKOUT, remote_as_declared=False, remote="https://fork"), AssertionError, "https://fork"),
        (replace(BARE, running=None), AssertionError, "no container engine"),
    ],
)
def test_checkouts_that_are_not_the_release(facts: CheckoutFacts, error: type[Exception], words: str) -> None:
    """Another commit, an edit, a commit of its own, a fork fail; no Git proves nothing."""
    with pytest.raises(error, match=words):
        CHECKS["test_main_checkout"](checkout_facts=facts)


def health(*told: str) -> HealthFacts:
    """Return facts of a service that tells of itself."""
    return HealthFacts("/health", (), "1.4.2", SHA, (), (told,))


NO_LABEL = replace(CHECKOUT, running=(Revision("api", "shop-api-1", ""),))
NO_ENGINE = replace(CHECKOUT, running=None)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (CHECKOUT, (SHA,)),
        (CHECKOUT, ("1.4.2",)),
        (NO_ENGINE, (SHA[:7],)),
        (NO_LABEL, (f"1.4.2+{SHA[:12]}",)),
        (replace(CHECKOUT, running=()), (SHA,)),
    ],
)
def test_running_code_that_says_what_it_is(facts: CheckoutFacts, told: tuple[str, ...]) -> None:
    """By its images' labels, or by its own word, short or long."""
    CHECKS["test_main_running"](checkout_facts=facts, health_facts=health(*told))


@pytest.mark.parametrize(
    ("facts", "told", "error", "words"),
    [
        (CHECKOUT, (OTHER,), AssertionError, "says that it runs"),
        (
            replace(CHECKOUT, running=(*(CHECKOUT.running or ()), Revision("worker", "w", OTHER))),
            (SHA,),
            AssertionError,
            "w runs an image",
        ),
        (NO_LABEL, ("1.4.2",), Unproven, "shop-api-1 have no label"),
        (NO_ENGINE, (), Unproven, "no image has no label"),
        (
            replace(CHECKOUT, running=(*(CHECKOUT.running or ()), Revision("worker", "w", ""))),
            (),
            Unproven,
            "w have no label",
        ),
    ],
)
def test_running_code_that_is_another(
    facts: CheckoutFacts, told: tuple[str, ...], error: type[Exception], words: str
) -> None:
    """One old container of several, or a service of another commit, fails; silence proves nothing."""
    with pytest.raises(error, match=words):
        CHECKS["test_main_running"](checkout_facts=facts, health_facts=health(*told))


def check(name: str, *, passed: bool = True, over: bool = False) -> CiCheck:
    """Return a check that ended."""
    return CiCheck(name, "completed/x", passed, over, stamp(hours=1))


CI = CiFacts(
    "https://ci",
    SHA,
    True,
    stamp(hours=3),
    (check("test (3.12)"), check("lint", passed=False)),
    True,
    ("test (*)",),
)


@pytest.mark.parametrize(
    "facts",
    [
        CI,
        replace(CI, required=("test (3.12)",)),
        replace(CI, required=(), checks=(check("a"), check("b", passed=False, over=True))),
        replace(CI, checks=(check("test [linux]"),), required=("test [linux]",)),
    ],
)
def test_checks_that_passed(facts: CiFacts) -> None:
    """Those that are required, by name or pattern; without any named, all that were not passed over."""
    CHECKS["test_tests"](ci_facts=facts)


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (replace(CI, known=False), AssertionError, "knows no commit"),
        (replace(CI, checks=()), AssertionError, "ran no check"),
        (replace(CI, complete=False), Unproven, "lists more"),
        (replace(CI, required=("e2e",)), AssertionError, "'e2e' did not run"),
        (replace(CI, required=("*",)), AssertionError, "'lint'"),
        (replace(CI, checks=(check("test (3.12)", passed=False, over=True),)), AssertionError, "test"),
        (replace(CI, required=()), AssertionError, "'lint'"),
        (
            replace(CI, required=(), checks=(check("a", passed=False, over=True),)),
            AssertionError,
            "none passed",
        ),
    ],
)
def test_checks_that_prove_nothing(facts: CiFacts, error: type[Exception], words: str) -> None:
    """No check, a missing one, a skipped one, a failed one."""
    with pytest.raises(error, match=words):
        CHECKS["test_tests"](ci_facts=facts)


ORIGIN = Origin("a.xml", SHA, "", stamp(hours=1), stamp(hours=2), "", True, True, (), "", None)
RESULT = TestResults(ORIGIN, tests=100, failures=0, errors=0, skipped=5, bad=())
JUNIT = JunitFacts(SHA, 100, (RESULT,))


def results_are_judged(facts: JunitFacts, ci: CiFacts = CI) -> None:
    """Run the check."""
    CHECKS["test_tests_results"](junit_facts=facts, ci_facts=ci, limits=LIMITS, now=NOW)


def one(**changes: Any) -> JunitFacts:
    """Return facts in which the file differs: in its origin where that has the field."""
    of_origin = {key: value for key, value in changes.items() if hasattr(ORIGIN, key)}
    rest = {key: value for key, value in changes.items() if key not in of_origin}
    return replace(JUNIT, files=(replace(RESULT, origin=replace(ORIGIN, **of_origin), **rest),))


@pytest.mark.parametrize(
    "facts",
    [
        JUNIT,
        one(intact=None, clean=None),
        one(skipped=10),
        one(started_at=stamp(hours=3, minutes=4)),  # the committer's clock was ahead
        one(produced_at=(NOW + timedelta(minutes=4)).isoformat()),
        replace(JUNIT, files=(replace(RESULT, tests=60), replace(RESULT, tests=40))),
    ],
)
def test_results_that_pass(facts: JunitFacts) -> None:
    """One file or several of a monorepo, bound by envelope or by a property."""
    results_are_judged(facts)


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (one(tests=0), AssertionError, "no test ran"),
        (one(tests=99), AssertionError, "99 tests ran"),
        (one(failures=1, bad=("x.y",)), AssertionError, "1 failed: x.y"),
        (one(errors=1), AssertionError, "ended in errors"),
        (one(skipped=11), AssertionError, "11 of 100"),
        (one(commit=OTHER), AssertionError, f"about {OTHER}"),
        (one(disputed=OTHER), AssertionError, "and about"),
        (one(commit=""), Unproven, "which commit"),
        (one(intact=False), AssertionError, "was changed"),
        (one(produced_at=""), Unproven, "when it was made"),
        (one(produced_at=stamp(days=8)), Unproven, "days old"),
        (one(produced_at=(NOW + timedelta(minutes=6)).isoformat()), AssertionError, "of the future"),
        (one(started_at=stamp(hours=4)), AssertionError, "before the commit"),
        (one(started_at=""), Unproven, "when the tests started"),
        (replace(JUNIT, min_tests=0), Unproven, "ci.min_tests"),
        (
            replace(JUNIT, files=(RESULT, replace(RESULT, origin=replace(ORIGIN, commit=OTHER)))),
            AssertionError,
            OTHER,
        ),
    ],
)
def test_results_that_prove_nothing(facts: JunitFacts, error: type[Exception], words: str) -> None:
    """Nothing collected, failures, skips, another commit, no binding, old or impossible times."""
    with pytest.raises(error, match=words):
        results_are_judged(facts)


def test_results_of_a_commit_of_unknown_age() -> None:
    """Without the commit's time nobody knows whether the tests ran after it."""
    with pytest.raises(Unproven, match=r"repo\.clone"):
        results_are_judged(JUNIT, replace(CI, committed_at=""))
