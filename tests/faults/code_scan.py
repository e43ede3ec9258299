"""Faults of Code Preparation: scans of the code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.code_tools import ago, parent, reported, rewritten
from tests.faults.harness import fault

SCAN = "deploy.code.scan"
BANDIT, GITLEAKS = "sarif/bandit.sarif", "sarif/gitleaks.sarif"


def _run(demo: Deployment, name: str, change: Callable[[Any], Any]) -> AbstractContextManager[None]:
    """Change the run in a SARIF file."""
    return reported(demo, name, rewritten(lambda document: change(document["runs"][0])))


def _severe(run: dict[str, Any], **more: Any) -> None:
    """Find something whose severity stands at its rule only; its level is that of any warning."""
    rule = {"id": "py/sql-injection", "properties": {"security-severity": "9.1", "tags": ["security"]}}
    run["tool"]["driver"]["rules"].append(rule)
    place = {"physicalLocation": {"artifactLocation": {"uri": "app/db.py"}, "region": {"startLine": 7}}}
    run["results"].append({"ruleId": rule["id"], "level": "warning", "locations": [place], **more})


@fault(SCAN, "a severe finding whose severity is the rule's", probes=("sarif",))
@contextmanager
def severe(demo: Deployment) -> Iterator[None]:
    """Find an injection of severity 9.1 as a mere warning."""
    with _run(demo, BANDIT, _severe):
        yield


@fault(SCAN, "a result is an error", probes=("sarif",))
@contextmanager
def error_level(demo: Deployment) -> Iterator[None]:
    """Find something that has a level and no number."""
    with _run(demo, BANDIT, lambda run: run["results"][0].update(level="error")):
        yield


def _accepted(justification: str) -> Callable[[Any], None]:
    return lambda run: _severe(run, suppressions=[{"kind": "external", "justification": justification}])


@fault(SCAN, "a finding is suppressed without a reason", probes=("sarif",))
@contextmanager
def silent(demo: Deployment) -> Iterator[None]:
    """Hide it, and do not say why."""
    with _run(demo, BANDIT, _accepted("")):
        yield


@fault(SCAN, "a finding is suppressed for ever", probes=("sarif",))
@contextmanager
def endless(demo: Deployment) -> Iterator[None]:
    """Say why and who, and not until when."""
    with _run(demo, BANDIT, _accepted("reached by nobody; owner: ann")):
        yield


@fault(SCAN, "a suppression has run out", probes=("sarif",))
@contextmanager
def run_out(demo: Deployment) -> Iterator[None]:
    """Accept something until last year."""
    with _run(demo, BANDIT, _accepted("reached by nobody; owner: ann; until: 2025-12-31")):
        yield


@fault(SCAN, "the scanner did not succeed", probes=("sarif",))
@contextmanager
def not_successful(demo: Deployment) -> Iterator[None]:
    """Let the scanner end half way, with what it had found until then: nothing."""
    with _run(demo, BANDIT, lambda run: run["invocations"][0].update(executionSuccessful=False)):
        yield


@fault(SCAN, "the scanner crashed and left a file", probes=("sarif",))
@contextmanager
def crashed(demo: Deployment) -> Iterator[None]:
    """Have SARIF without any run, in which nothing is wrong."""
    with reported(demo, BANDIT, rewritten(lambda document: document.update(runs=[]))):
        yield


@fault(SCAN, "another revision was scanned", probes=("sarif",))
@contextmanager
def other_revision(demo: Deployment) -> Iterator[None]:
    """Scan the commit before, as the file itself says."""
    other = {"repositoryUri": "https://git.tokens.example/token-service", "revisionId": parent(demo)}
    with reported(demo, BANDIT, rewritten(_names(other)), commit=""):
        yield


def _names(revision: dict[str, str]) -> Callable[[Any], None]:
    return lambda document: document["runs"][0].update(versionControlProvenance=[revision])


@fault(SCAN, "file and envelope name two commits", probes=("sarif",))
@contextmanager
def disputed(demo: Deployment) -> Iterator[None]:
    """Put an envelope of today around a scan of yesterday."""
    other = {"repositoryUri": "https://git.tokens.example/token-service", "revisionId": parent(demo)}
    with reported(demo, BANDIT, rewritten(_names(other))):
        yield


@fault(SCAN, "a folder was scanned only", probes=("sarif",))
@contextmanager
def folder_only(demo: Deployment) -> Iterator[None]:
    """Let the scanner see a few files of many, all of them clean."""

    def few(run: dict[str, Any]) -> None:
        measures = run["properties"]["metrics"]
        run["properties"]["metrics"] = dict(list(measures.items())[:4])

    with _run(demo, BANDIT, few):
        yield


@fault(SCAN, "secrets were looked for in a folder only", probes=("sarif",))
@contextmanager
def secrets_of_a_folder(demo: Deployment) -> Iterator[None]:
    """Say in the envelope that a part was looked at."""
    with reported(demo, GITLEAKS, str, scanned={"path": "app", "files": 30}):
        yield


@fault(SCAN, "one secret was found", probes=("sarif",))
@contextmanager
def one_secret(demo: Deployment) -> Iterator[None]:
    """Leave one secret in the code, of no level and no number."""
    result = {"ruleId": "generic-api-key", "level": "note", "message": {"text": "made up"}}
    with _run(demo, GITLEAKS, lambda run: run["results"].append(result)):
        yield


@fault(SCAN, "a required scanner did not run", probes=("sarif",))
@contextmanager
def tool_missing(demo: Deployment) -> Iterator[None]:
    """Let somebody else's report stand where the scanner's should."""
    with _run(demo, GITLEAKS, lambda run: run["tool"]["driver"].update(name="shellcheck")):
        yield


@fault(SCAN, "the scan is old", probes=("sarif",), becomes=Verdict.UNPROVEN)
@contextmanager
def old_scan(demo: Deployment) -> Iterator[None]:
    """Keep the scan of a fortnight ago; rules have been added since."""
    with reported(demo, GITLEAKS, str, produced_at=ago(days=14)):
        yield


@fault(SCAN, "nobody says what was scanned", probes=("sarif",), becomes=Verdict.UNPROVEN)
@contextmanager
def unsaid(demo: Deployment) -> Iterator[None]:
    """Have an empty list of results, and nothing beside it."""
    with reported(demo, GITLEAKS, str, scanned=None):
        yield
