"""Post-Deployment Verification, Functional Testing: items 41 to 46 of the default checklist."""

from __future__ import annotations

import pytest

from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.health import HealthFacts


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.functional.health", text="API health endpoint responding")
def test_health(health_facts: HealthFacts, limits: Limits) -> None:
    """Every look is a fresh, deep, fast 200 of the released version that tells nothing of the inside."""
    for sample in health_facts.samples:
        assert sample.status == 200, f"{health_facts.path} answers {sample.status}"
        assert sample.json, f"{health_facts.path} answers 200 without a JSON object"
        assert sample.ok, f"{health_facts.path} answers 200 but says {sample.word!r}"
        reported = dict(sample.components)
        for name in health_facts.required:
            assert reported.get(name), (
                f"component {name!r} is {'not good' if name in reported else 'missing'}"
            )
        assert not sample.cached, "the answer comes from a cache"
        assert sample.no_store, "nothing forbids storing the answer: Cache-Control lacks no-store"
        if sample.age_s is not None:
            assert abs(sample.age_s) <= limits.health_max_age_s, f"the body is {sample.age_s:.0f} s old"
        assert not sample.leaks, f"the body tells of the inside: {sample.leaks}"
    assert health_facts.p95_s <= limits.health_p95_s
    for released in health_facts.released:
        running = {*health_facts.versions, *health_facts.samples[0].versions}
        assert released in running, f"release {released} is not what runs: {sorted(running)}"
