"""Item 60 in depth: loaded as released, runbooks that can be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.rules import RulesFacts


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.monitoring.rules", text="Alert rules configured")
def test_rules_released(rules_facts: RulesFacts) -> None:
    """What is loaded is what was released, where the target file says where that is."""
    assert rules_facts.alerts, "no alert is loaded"
    drift = rules_facts.drift
    if drift is not None:
        assert drift.released > 0
        assert not drift.missing, f"released, but not loaded: {', '.join(drift.missing)}"
        assert not drift.changed, f"loaded otherwise than released: {'; '.join(drift.changed)}"
        assert not drift.foreign, f"loaded, but not released: {', '.join(drift.foreign)}"


@pytest.mark.checklist("post_deploy.monitoring.rules", text="Alert rules configured")
def test_rules_runbooks(rules_facts: RulesFacts) -> None:
    """The runbooks that alerts link to can be opened; a page that wants a login first is there."""
    asked = [(book.page, book.status) for book in rules_facts.runbooks if book.status is not None]
    for book in rules_facts.runbooks:
        assert book.page.startswith(("https://", "http://")), f"runbook {book.page!r} is no link"
    if not asked:
        base = rules_facts.runbook_base or "nothing"
        unproven(
            Reason.NO_CONFIG, f"no runbook could be opened: alerts.runbook_base is {base}; set where they are"
        )
    for page, status in asked:
        assert status < 400 or status in (401, 403), f"runbook {page} answers {status}"
