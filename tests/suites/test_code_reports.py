"""The checks of scans, dependencies and builds against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.audits import Audited, Vulnerable
from pytest_deploycheck.probes.dependencies import Audit, DependenciesFacts, Lock, Outdated, Parts, Runtime
from pytest_deploycheck.probes.evidence_files import Origin
from pytest_deploycheck.probes.outdated import Behind
from pytest_deploycheck.probes.sarif import CodeScan, SarifFacts
from pytest_deploycheck.probes.sarif_files import Finding
from tests.suites.checks import suite

CHECKS = suite("deploy/test_code_reports.py")
LIMITS = Limits()
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
SHA, OTHER = "a1" * 20, "b2" * 20
HASH, DIGEST = "c3" * 32, "sha256:" + "d4" * 32


def stamp(**ago: float) -> str:
    """Return a moment so long ago."""
    return (NOW - timedelta(**ago)).isoformat()


ORIGIN = Origin("a.json", SHA, "", stamp(hours=1), "", "x 1", True, True, (("a.lock", HASH),), ".", 40)
LOW = Finding("B101", "a.py:1", "note", None, False, "", "", "")
GRAVE = Finding("sqli", "a.py:7", "warning", 9.1, False, "", "", "")
ACCEPTED = replace(GRAVE, suppressed=True, reason="no input", owner="ann", until=stamp(days=-30))
SCAN = CodeScan(ORIGIN, "Bandit", "", True, False, 40, None, (), 1, (LOW,))
SECRETS = CodeScan(ORIGIN, "gitleaks", "", None, True, 40, None, (), 0, ())
SARIF = SarifFacts(SHA, ("bandit", "gitleaks"), (SCAN, SECRETS), ())


def scan(**changes: Any) -> SarifFacts:
    """Return facts in which Bandit's run differs, in its origin where that has the field."""
    own = {key: value for key, value in changes.items() if hasattr(SCAN, key)}
    of_origin = {key: value for key, value in changes.items() if key not in own}
    return replace(SARIF, scans=(replace(SCAN, origin=replace(ORIGIN, **of_origin), **own), SECRETS))


def judge_scans(facts: SarifFacts) -> None:
    """Run both checks."""
    CHECKS["test_scan"](sarif_facts=facts, limits=LIMITS, now=NOW)
    CHECKS["test_scan_findings"](sarif_facts=facts, limits=LIMITS, now=NOW)


OLD = replace(SCAN, origin=replace(ORIGIN, commit=OTHER, produced_at=stamp(days=9)), findings=(GRAVE,))


@pytest.mark.parametrize(
    "facts",
    [
        SARIF,
        scan(succeeded=None),
        scan(intact=None, scanned_path="", scanned_files=None, coverage=0.95),
        scan(findings=(replace(GRAVE, severity=6.9),)),
        scan(findings=(ACCEPTED,)),
        replace(SARIF, scans=(OLD, SCAN, SECRETS)),  # of a tool the run about the release counts
        replace(SARIF, scans=(replace(OLD, tool="linter"), SCAN, SECRETS)),
        replace(SARIF, scans=(replace(SCAN, category="python"), replace(SCAN, category="js"), SECRETS)),
    ],
)
def test_scans_that_pass(facts: SarifFacts) -> None:
    """Right tools, right commit, nothing open at the bar; what is left over of other commits does not matter."""
    judge_scans(facts)


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (replace(SARIF, scans=(), empty=("a.sarif",)), AssertionError, "none ever started"),
        (replace(SARIF, required=()), Unproven, "scan.required_tools"),
        (replace(SARIF, scans=(SCAN,)), AssertionError, "no scan by gitleaks"),
        (scan(succeeded=False), AssertionError, "did not succeed"),
        (scan(commit=OTHER), AssertionError, f"about {OTHER}"),
        (scan(commit=""), Unproven, "which commit"),
        (scan(disputed=OTHER), AssertionError, "and about"),
        (scan(intact=False), AssertionError, "was changed"),
        (scan(produced_at=""), Unproven, "when it was made"),
        (scan(produced_at=stamp(days=8)), Unproven, "more than 168 h"),
        (scan(produced_at=stamp(days=-1)), AssertionError, "of the future"),
        (scan(files=0), AssertionError, "looked at no file"),
        (scan(files=None), Unproven, "what Bandit looked at"),
        (scan(scanned_path=""), Unproven, "what Bandit looked at"),
        (scan(scanned_path="app"), AssertionError, "looked at app only"),
        (scan(coverage=0.5, missed=("b.py",)), AssertionError, "50% of the files, not at b.py"),
        (scan(findings=(GRAVE,)), AssertionError, "severity 9.1"),
        (scan(findings=(replace(LOW, level="error"),)), AssertionError, "B101"),
        (scan(findings=(replace(ACCEPTED, reason=""),)), AssertionError, "without a reason"),
        (scan(findings=(replace(ACCEPTED, owner=""),)), AssertionError, "nobody answers"),
        (scan(findings=(replace(ACCEPTED, until=""),)), AssertionError, "for ever"),
        (scan(findings=(replace(ACCEPTED, until=stamp(days=1)),)), AssertionError, "suppressed until"),
        (replace(SARIF, scans=(SCAN, replace(SECRETS, findings=(LOW,)))), AssertionError, "found a secret"),
        (
            replace(SARIF, scans=(SCAN, replace(SECRETS, findings=(replace(LOW, suppressed=True),)))),
            AssertionError,
            "without a reason",
        ),
        (
            replace(
                SARIF,
                scans=(replace(SCAN, category="js"), replace(SCAN, category="py", succeeded=False), SECRETS),
            ),
            AssertionError,
            "succeed",
        ),
    ],
)
def test_scans_that_prove_nothing(facts: SarifFacts, error: type[Exception], words: str) -> None:
    """A tool that is missing, crashed, looked elsewhere or found something; an excuse that is none."""
    with pytest.raises(error, match=words):
        judge_scans(facts)


def test_findings_of_other_commits_only() -> None:
    """Where every scan is about something else, nothing was found out about the release."""
    with pytest.raises(AssertionError, match="no scan is about"):
        CHECKS["test_scan_findings"](
            sarif_facts=replace(SARIF, scans=(replace(OLD, findings=()),)), limits=LIMITS, now=NOW
        )


PIP = Audited("pip-audit", 2, (("a", "1"), ("b", "2")), (), (), ())
NPM = Audited("npm audit", 9, (), (), (), (("high", 0), ("moderate", 3)))
PY_LOCK = Lock("a.lock", "python", HASH, 1, (("a", "1"),), ())
JS_LOCK = Lock("web/package-lock.json", "node", HASH, 9, (), ())
DEPS = DependenciesFacts(
    commit=SHA,
    clone="repo.clone = 'code'",
    deployed_at=stamp(minutes=30),
    locks=(PY_LOCK, JS_LOCK),
    unlocked=(),
    audits=(Audit(ORIGIN, "python", PIP), Audit(ORIGIN, "node", NPM)),
    outdated=(Outdated(ORIGIN, "python", (Behind("a", "1", "3", 2),)), Outdated(ORIGIN, "node", ())),
    sboms=(Parts(ORIGIN, "CycloneDX 1.6", (DIGEST,), 300),),
    runtimes=(Runtime("python", "3.12", "Dockerfile", "2028-10-31"),),
    unreadable=(),
    built=(("api", DIGEST),),
    block_level="high",
    allow_skipped=("our-own",),
)


def pip(**changes: Any) -> DependenciesFacts:
    """Return facts in which pip-audit's report differs."""
    return replace(DEPS, audits=(Audit(ORIGIN, "python", replace(PIP, **changes)), DEPS.audits[1]))


def npm(**changes: Any) -> DependenciesFacts:
    """Return facts in which npm's report differs."""
    return replace(DEPS, audits=(DEPS.audits[0], Audit(ORIGIN, "node", replace(NPM, **changes))))


def about(**changes: Any) -> DependenciesFacts:
    """Return facts in which pip-audit's report comes from elsewhere."""
    return replace(DEPS, audits=(Audit(replace(ORIGIN, **changes), "python", PIP), DEPS.audits[1]))


def judge_deps(facts: DependenciesFacts) -> None:
    """Run the three checks."""
    CHECKS["test_deps"](dependencies_facts=facts, limits=LIMITS, now=NOW)
    CHECKS["test_deps_updated"](dependencies_facts=facts, limits=LIMITS, now=NOW)
    CHECKS["test_deps_sbom"](dependencies_facts=facts, limits=LIMITS, now=NOW)


OSV = Audited("osv-scanner", None, (), (), (), ())
MODERATE = Vulnerable("GHSA-1", "x", "moderate", "")


@pytest.mark.parametrize(
    "facts",
    [
        DEPS,
        replace(DEPS, locks=(PY_LOCK,), audits=DEPS.audits[:1], outdated=DEPS.outdated[:1]),  # no Node side
        replace(DEPS, locks=(JS_LOCK,), audits=DEPS.audits[1:], outdated=DEPS.outdated[1:]),  # no Python side
        replace(
            DEPS,
            locks=(replace(PY_LOCK, path="go.sum", ecosystem="go", pins=()),),
            audits=(Audit(ORIGIN, "", OSV),),
        ),
        replace(DEPS, deployed_at=""),
        replace(
            DEPS,
            deployed_at=stamp(days=40),
            audits=tuple(
                replace(one, origin=replace(ORIGIN, produced_at=stamp(days=40, hours=2)))
                for one in DEPS.audits
            ),
        ),
        npm(found=(MODERATE,)),
        pip(skipped=("our-own",)),
        replace(
            DEPS,
            audits=(
                *DEPS.audits,
                Audit(replace(ORIGIN, inputs=(("old.lock", "00"),), commit=OTHER), "python", PIP),
            ),
        ),
    ],
)
def test_dependencies_that_pass(facts: DependenciesFacts) -> None:
    """One side or two, another ecosystem, an audit that was fresh at the deployment, moderate findings."""
    judge_deps(facts)


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (
            pip(found=(Vulnerable("PYSEC-1", "a 1", "unrated", "2"),)),
            AssertionError,
            "PYSEC-1 in a 1 .*fixed in 2",
        ),
        (npm(found=(replace(MODERATE, level="critical"),)), AssertionError, "GHSA-1"),
        (npm(counted=(("high", 2),)), AssertionError, "2 vulnerabilities are high"),
        (replace(npm(found=(MODERATE,)), block_level="moderate"), AssertionError, "GHSA-1"),
        (pip(skipped=("idna",)), AssertionError, "skipped idna"),
        (pip(packages=0), AssertionError, "looked at no package"),
        (pip(names=(("a", "0.9"),)), AssertionError, "did not look at a 1"),
        (npm(packages=8), AssertionError, "looked at 8 packages, .* has 9"),
        (replace(DEPS, unlocked=("x/package.json",)), AssertionError, "x/package.json"),
        (
            replace(DEPS, locks=(replace(PY_LOCK, out_of_step=("b",)), JS_LOCK)),
            AssertionError,
            "not in step: b",
        ),
        (replace(DEPS, unreadable=(("npm.json", "405"),)), Unproven, "npm.json: 405"),
        (replace(DEPS, locks=None), Unproven, r"repo\.clone"),
        (replace(DEPS, locks=()), AssertionError, "no lock file"),
        (replace(DEPS, audits=DEPS.audits[:1]), Unproven, "no audit of web/package-lock.json"),
        (replace(DEPS, locks=(replace(PY_LOCK, ecosystem="rust"),)), Unproven, "no audit of a.lock"),
        (about(inputs=(("a.lock", "00"),)), AssertionError, "is not what was audited"),
        (about(inputs=()), Unproven, "which lock file"),
        (about(commit=OTHER), AssertionError, f"about {OTHER}"),
        (about(commit=""), Unproven, "which commit"),
        (about(intact=False), AssertionError, "was changed"),
        (about(produced_at=stamp(days=2)), Unproven, "more than 24 h old"),
        (about(produced_at=stamp(days=-2)), AssertionError, "of the future"),
        (
            replace(DEPS, runtimes=(Runtime("python", "3.9", "x", "2025-10-31"),)),
            AssertionError,
            "since 2025-10-31",
        ),
        (replace(DEPS, runtimes=(Runtime("erlang", "26", "x", ""),)), Unproven, "erlang 26"),
        (replace(DEPS, runtimes=()), Unproven, "which runtime"),
        (replace(DEPS, outdated=DEPS.outdated[1:]), Unproven, "reports.pip_outdated"),
        (replace(DEPS, outdated=DEPS.outdated[:1]), Unproven, "reports.npm_outdated"),
        (
            replace(DEPS, outdated=(Outdated(ORIGIN, "python", (Behind("a", "1", "4", 3),)),)),
            AssertionError,
            "3 major versions",
        ),
        (replace(DEPS, built=()), Unproven, "release.images"),
        (replace(DEPS, sboms=()), Unproven, "reports.sbom"),
        (replace(DEPS, built=(("api", "sha256:00"),)), AssertionError, "no bill of materials is about api"),
        (replace(DEPS, sboms=(replace(DEPS.sboms[0], parts=0),)), AssertionError, "lists no part"),
        (
            replace(DEPS, sboms=(replace(DEPS.sboms[0], origin=replace(ORIGIN, intact=False)),)),
            AssertionError,
            "was changed",
        ),
    ],
)
def test_dependencies_that_are_not_proven(
    facts: DependenciesFacts, error: type[Exception], words: str
) -> None:
    """Findings, half an audit, one of something else, an old one; ends of life; parts of another image."""
    with pytest.raises(error, match=words):
        judge_deps(facts)
