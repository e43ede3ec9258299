"""Deploy: code preparation, the commit that is released and its tests."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.evidence_files import later_s
from pytest_deploycheck.probes.health import HealthFacts, agrees, is_commit, words
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.checkouts import CheckoutFacts
    from pytest_deploycheck.probes.ci import CiFacts
    from pytest_deploycheck.probes.junit import JunitFacts
    from pytest_deploycheck.probes.repo import RepoFacts

MAIN = "Latest code pulled from main branch"
TESTS = "All tests passing"


@pytest.mark.smoke
@pytest.mark.checklist("deploy.code.main", text=MAIN)
def test_main(repo_facts: RepoFacts) -> None:
    """The released commit is the branch's newest at the remote, now; or a tag that the branch holds, if allowed.

    Where tags must be signed, the release's tag is, by somebody who may.
    """
    facts = repo_facts
    if facts.remote_head is None or facts.tag_commit is None:
        unproven(
            Reason.NO_ACCESS, f"{facts.remote} did not answer: {facts.refused}; give access, or repo.token"
        )
    assert facts.remote_head, f"{facts.remote} has no branch {facts.branch}"
    if facts.tag:
        assert facts.tag_commit, f"{facts.remote} has no tag {facts.tag}"
        assert facts.tag_commit == facts.commit, (
            f"tag {facts.tag} is {facts.tag_commit} at {facts.remote}, the release is {facts.commit}"
        )
    if facts.ancestor_allowed and facts.tag and facts.remote_head != facts.commit:
        if facts.ancestor is None:
            unproven(
                Reason.NO_EVIDENCE, "the runner's clone lacks the branch's head; fetch it before the run"
            )
        assert facts.ancestor, f"{facts.branch} at {facts.remote} does not hold the commit of {facts.tag}"
    else:
        assert facts.remote_head == facts.commit, (
            f"{facts.branch} is at {facts.remote_head} at {facts.remote}, the release is {facts.commit}"
        )
    if facts.signed_wanted:
        assert facts.tag, "tags must be signed, and release.tag names none"
        if facts.tag_signed is None:
            unproven(Reason.NO_EVIDENCE, f"the signature of {facts.tag} was not looked at: {facts.tag_said}")
        assert facts.tag_signed, f"tag {facts.tag} has no good signature: {facts.tag_said}"


@pytest.mark.smoke
@pytest.mark.checklist("deploy.code.main", text=MAIN)
def test_main_checkout(checkout_facts: CheckoutFacts) -> None:
    """The server's checkout is that commit of that repository, and nothing else: no edit, no file, no commit more."""
    facts = checkout_facts
    if facts.path:
        if facts.head is None:
            unproven(Reason.NO_ACCESS, f"git does not run on the server: {facts.said}")
        assert facts.head, f"{facts.path} is no checkout: {facts.said}"
        assert facts.head == facts.commit, f"{facts.path} is at {facts.head}, the release is {facts.commit}"
        if facts.dirty is None:
            unproven(Reason.NO_ACCESS, f"git status of {facts.path} gave no answer")
        assert not facts.dirty, f"{facts.path} differs from its commit: {'; '.join(facts.dirty[:5])}"
        assert not facts.ahead, f"{facts.path} is {facts.ahead} commits ahead of what was fetched from origin"
        assert facts.remote_as_declared is not False, f"{facts.path} was pulled from {facts.remote}"
    else:
        assert facts.running is not None, (
            "the server holds images only, and no container engine answers there"
        )


@pytest.mark.smoke
@pytest.mark.checklist("deploy.code.main", text=MAIN)
def test_main_running(checkout_facts: CheckoutFacts, health_facts: HealthFacts) -> None:
    """What runs was built of that commit: by the label of every image that is built, and by what the service tells."""
    facts = checkout_facts
    told = [
        word
        for answer in (*health_facts.told, *(sample.versions for sample in health_facts.samples))
        for word in words(answer)
        if is_commit(word)
    ]
    for word in told:
        assert agrees(facts.commit, word), (
            f"the service says that it runs {word}, the release is {facts.commit}"
        )
    labelled = [one for one in facts.running or () if one.revision]
    for one in labelled:
        assert one.revision == facts.commit, (
            f"{one.container} runs an image built of {one.revision}, the release is {facts.commit}"
        )
    bare = [one.container for one in facts.running or () if not one.revision]
    if not (told or labelled) or (bare and not told):
        what = f"the images of {', '.join(bare)} have" if bare else "no image has"
        unproven(
            Reason.NO_EVIDENCE,
            f"nothing tells which commit runs: {what} no label org.opencontainers.image.revision, "
            "and health.version_path names no commit; add either",
        )


@pytest.mark.checklist("deploy.code.tests", text=TESTS)
def test_tests(ci_facts: CiFacts) -> None:
    """The CI ran for the released commit, and each check that is required ended well there."""
    facts = ci_facts
    assert facts.known, f"{facts.source} knows no commit {facts.commit}"
    assert facts.checks, f"{facts.source} ran no check for {facts.commit}"
    if not facts.complete:
        unproven(
            Reason.NO_EVIDENCE, f"{facts.source} lists more checks than were read; name the required ones"
        )
    for name in facts.required:
        found = [check for check in facts.checks if check.name == name or fnmatchcase(check.name, name)]
        assert found, f"check {name!r} did not run for {facts.commit}"
        for check in found:
            assert check.passed, f"check {check.name!r} of {facts.commit} is {check.said}"
    if not facts.required:
        for check in facts.checks:
            assert check.passed or check.passed_over, (
                f"check {check.name!r} of {facts.commit} is {check.said}"
            )
        assert any(check.passed for check in facts.checks), "every check was passed over, none passed"


@pytest.mark.checklist("deploy.code.tests", text=TESTS)
def test_tests_results(junit_facts: JunitFacts, ci_facts: CiFacts, limits: Limits, now: datetime) -> None:
    """The suite really ran on the released commit, after it was made: enough tests, none failed, few skipped."""
    facts = junit_facts
    for result in facts.files:
        origin = result.origin
        assert origin.intact is not False, f"{origin.file} was changed after its envelope was written"
        assert not origin.disputed, f"{origin.file} is about {origin.commit}, and about {origin.disputed}"
        if not origin.commit:
            unproven(
                Reason.NO_EVIDENCE, f"{origin.file} does not say which commit it is about; see envelopes"
            )
        assert origin.commit == facts.commit, f"{origin.file} is about {origin.commit}, not {facts.commit}"
        names = f": {', '.join(result.bad)}" if result.bad else ""
        assert result.failures == 0, f"{origin.file}: {result.failures} failed{names}"
        assert result.errors == 0, f"{origin.file}: {result.errors} ended in errors{names}"
        age_s = origin.age_s(now)
        if age_s is None:
            unproven(Reason.NO_EVIDENCE, f"{origin.file} does not say when it was made; see envelopes")
        assert age_s >= -limits.evidence_future_max_s, f"{origin.file} is of the future: {origin.produced_at}"
        if origin.started_at and ci_facts.committed_at:
            assert later_s(ci_facts.committed_at, origin.started_at) >= -limits.evidence_future_max_s, (
                f"the tests of {origin.file} started at {origin.started_at}, before the commit was made"
            )
        if age_s > limits.tests_max_age_s:
            unproven(
                Reason.STALE,
                f"{origin.file} is of {origin.produced_at}, more than {limits.tests_max_age_s / 86400:g} days old",
            )
    tests = sum(result.tests for result in facts.files)
    skipped = sum(result.skipped for result in facts.files)
    assert tests > 0, "no test ran"
    if facts.min_tests <= 0:
        unproven(Reason.NO_CONFIG, "no ci.min_tests; say how many tests the suite has at least")
    assert tests >= facts.min_tests, f"{tests} tests ran, the suite has at least {facts.min_tests}"
    assert skipped <= tests * limits.tests_max_skip_ratio, f"{skipped} of {tests} tests were skipped"
    unsaid = [one.origin.file for one in facts.files if not one.origin.started_at]
    if unsaid:
        unproven(Reason.NO_EVIDENCE, f"{unsaid[0]} does not say when the tests started; see envelopes")
    if not ci_facts.committed_at:
        unproven(Reason.NO_EVIDENCE, f"nothing says when {facts.commit} was made; give repo.clone")
