"""Pre-Deployment, Environment Configuration: what other systems say to the configuration (items 13, 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules.env_types import Expected, judge
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.api_keys import ApiKeysFacts
    from pytest_deploycheck.probes.cors import CorsFacts

API_KEYS = "API keys configured (Etherscan, monitoring services)"
CORS = "CORS origins set to production domains only"


@pytest.mark.checklist("pre_deploy.environment.api_keys", text=API_KEYS)
def test_api_keys(api_keys_facts: ApiKeysFacts) -> None:
    """Every declared key is in the environment file, and its service accepts it."""
    facts = api_keys_facts
    assert len(facts.keys) == facts.declared, "a declared key was not looked at"
    for key in facts.keys:
        what = f"{key.env_key} for {key.name}"
        assert key.present, f"{what} is not in the environment file"
        assert not key.placeholder, f"{what} is still a placeholder"
        if key.status is not None:
            assert key.accepted, f"{what} is not accepted by {key.asked} ({key.status}): {key.says}"
    unasked = [f"{key.name}: {key.problem}" for key in facts.keys if key.status is None]
    if unasked:
        unproven(Reason.NO_ACCESS, f"no answer about a key; {'; '.join(unasked)}")


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.cors", text=CORS)
def test_cors_configured(cors_facts: CorsFacts) -> None:
    """The configured origins are https, listed one by one, and the ones that are allowed."""
    facts = cors_facts
    for origin in facts.allowed:
        why = judge("origins", origin, Expected())
        assert not why, f"cors.allowed_origins {why}: {origin}"
    if not facts.key:
        assert facts.configured is None, "env.cors_key is empty: the origins are not in the environment file"
        return
    if facts.configured is None:
        unproven(Reason.NO_CONFIG, f"the configured origins were not seen: {facts.configured_problem}")
    why = judge("origins", " ".join(facts.configured), Expected())
    assert not why, f"{facts.key} {why}"
    extra = [origin for origin in facts.configured if origin not in facts.allowed]
    assert not extra, f"{facts.key} allows {', '.join(extra)}, which cors.allowed_origins does not"
    assert facts.configured or not facts.allowed, f"{facts.key} is empty: no page of ours may call"


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.cors", text=CORS)
def test_cors_allowed(cors_facts: CorsFacts) -> None:
    """Every allowed origin gets its permission, exactly once, from every route, on refusals as well."""
    good = [answer for answer in cors_facts.answers if not answer.evil]
    for answer in good:
        what = f"{answer.how} of {answer.path} from {answer.origin}"
        assert answer.allow, f"{what} gets no permission (status {answer.status}): pages there do not work"
        assert len(answer.allow) == 1, f"{what} gets {len(answer.allow)} permissions: browsers refuse that"
        assert answer.allow[0] == answer.origin, f"{what} gets permission for {answer.allow[0]!r}"
        assert answer.vary or cors_facts.fixed(answer), (
            f"{what} has no Vary: Origin: a cache hands its answer to other origins"
        )
        if answer.how == "preflight":
            assert 200 <= answer.status < 300, f"{what} is answered {answer.status}: browsers refuse that"
            assert answer.method in (*answer.methods, "GET", "HEAD", "POST") or "*" in answer.methods, (
                f"{what} does not allow {answer.method}"
            )
    if cors_facts.allowed and not good:
        unproven(Reason.NO_EVIDENCE, f"no allowed origin got an answer: {'; '.join(cors_facts.unseen)}")


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.cors", text=CORS)
def test_cors_refused(cors_facts: CorsFacts) -> None:
    """No other origin gets a permission, however much it looks like an allowed one."""
    evil = [answer for answer in cors_facts.answers if answer.evil]
    for answer in evil:
        what = f"{answer.how} of {answer.path} from {answer.origin} ({answer.evil})"
        assert answer.origin not in answer.allow, f"{what} is permitted"
        assert "*" not in answer.allow, f"{what} is permitted, as everybody is (*)"
        assert "null" not in answer.allow, f"{what} gets permission for null"
        assert not (answer.credentials and answer.allow), f"{what} may send credentials"
        assert len(answer.allow) <= 1, f"{what} gets {len(answer.allow)} permissions"
        for permitted in answer.allow:
            assert permitted in cors_facts.allowed, f"{what} gets permission for {permitted!r}"
    kinds = {answer.how for answer in evil}
    if not {"preflight", "request"} <= kinds:
        unproven(Reason.NO_EVIDENCE, f"evil origins got no answer: {'; '.join(cors_facts.unseen)}")
