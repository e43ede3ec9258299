"""Faults of Code Preparation: audits of the dependencies, and how far these are behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_deploycheck.demo import images
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.code_tools import ago, replaced, reported, rewritten
from tests.faults.harness import fault
from tests.faults.tools import edited

DEPS = "deploy.code.deps"
PIP, NPM = "dependencies/pip-audit.json", "dependencies/npm-audit.json"
REFUSED = """{"message": "405 Method Not Allowed - POST https://registry.example/-/npm/v1/security/advisories/bulk",
"method": "POST", "statusCode": 405, "body": "", "error": {"summary": "", "detail": ""}}"""
"""What npm prints as JSON when its registry does not audit."""


@fault(DEPS, "a pinned package is vulnerable", probes=("dependencies",))
@contextmanager
def vulnerable_pin(demo: Deployment) -> Iterator[None]:
    """Ship a version that has a published vulnerability."""
    hit = {
        "id": "PYSEC-2099-1",
        "fix_versions": ["99.1"],
        "aliases": ["CVE-2099-1"],
        "description": "made up",
    }
    with reported(demo, PIP, rewritten(lambda body: body["dependencies"][0]["vulns"].append(hit))):
        yield


@fault(DEPS, "npm counts a high vulnerability", probes=("dependencies",))
@contextmanager
def npm_high(demo: Deployment) -> Iterator[None]:
    """Let npm count what it does not list."""
    with reported(demo, NPM, rewritten(lambda body: body["metadata"]["vulnerabilities"].update(high=1))):
        yield


@fault(DEPS, "the audit never reached its service", probes=("dependencies",), becomes=Verdict.UNPROVEN)
@contextmanager
def refused(demo: Deployment) -> Iterator[None]:
    """Keep what npm prints when it is refused: an object in which nothing is vulnerable."""
    with reported(demo, NPM, lambda _: REFUSED):
        yield


@fault(DEPS, "the lock file changed after the audit", probes=("dependencies",))
@contextmanager
def changed_lock(demo: Deployment) -> Iterator[None]:
    """Audit another content than the released one."""
    with reported(demo, PIP, str, inputs={"requirements.lock": "0" * 64}):
        yield


@fault(DEPS, "the audit skipped a package", probes=("dependencies",))
@contextmanager
def skipped(demo: Deployment) -> Iterator[None]:
    """Leave a package out that the audit could not find."""

    def skip(body: dict[str, Any]) -> None:
        body["dependencies"][1] = {"name": body["dependencies"][1]["name"], "skip_reason": "made up"}

    with reported(demo, PIP, rewritten(skip)):
        yield


@fault(DEPS, "another tree was audited", probes=("dependencies",))
@contextmanager
def other_tree(demo: Deployment) -> Iterator[None]:
    """Audit the environment of the developer's tools, and say that it was the lock file."""
    tools = [{"name": "ruff", "version": "0.17.6", "vulns": []}]
    with reported(demo, PIP, rewritten(lambda body: body.update(dependencies=tools))):
        yield


@fault(DEPS, "npm audited nothing", probes=("dependencies",))
@contextmanager
def npm_nothing(demo: Deployment) -> Iterator[None]:
    """Audit a folder without packages, in which nothing is vulnerable."""
    with reported(demo, NPM, rewritten(lambda body: body["metadata"]["dependencies"].update(total=0))):
        yield


@fault(DEPS, "the audit was old at the deployment", probes=("dependencies",), becomes=Verdict.UNPROVEN)
@contextmanager
def old_audit(demo: Deployment) -> Iterator[None]:
    """Deploy what was audited three days before."""
    with reported(demo, PIP, str, produced_at=ago(days=3)):
        yield


@fault(DEPS, "a direct dependency is far behind", probes=("dependencies",))
@contextmanager
def far_behind(demo: Deployment) -> Iterator[None]:
    """Stay three major versions behind."""
    listed = '[{"name": "redis", "version": "5.0.1", "latest_version": "8.1.0", "latest_filetype": "wheel"}]'
    with reported(demo, "dependencies/pip-outdated.json", lambda _: listed):
        yield


@fault(DEPS, "the runtime has reached its end of life", probes=("dependencies",))
@contextmanager
def end_of_life(demo: Deployment) -> Iterator[None]:
    """Ship a Python that gets no security updates any more."""
    with reported(demo, f"sbom/{images.PRODUCT}.json", replaced("python@3.12.11", "python@3.9.21")):
        yield


@fault(DEPS, "the list of parts is of another image", probes=("dependencies",))
@contextmanager
def other_image(demo: Deployment) -> Iterator[None]:
    """List the parts of the image that was built before."""
    digest = images.digests(demo.world)[images.PRODUCT]
    with reported(demo, f"sbom/{images.PRODUCT}.json", replaced(digest, f"sha256:{'0' * 64}")):
        yield


@fault(DEPS, "the runner has no clone of the commit", probes=("dependencies",), becomes=Verdict.UNPROVEN)
@contextmanager
def no_clone(demo: Deployment) -> Iterator[None]:
    """Look from a place where the lock files of the release cannot be seen."""
    with edited(demo.target, ('clone = "server/checkout"', 'clone = "reports"')):
        yield
