"""Deployment, Smart Contract Deployment: item 32 of the default checklist."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.gas import GasFacts

GAS = "Gas estimation completed"


@pytest.mark.checklist("deploy.contract.gas", text=GAS)
def test_gas(gas_facts: GasFacts, limits: Limits) -> None:
    """The deployment and every call would succeed now, each within what one transaction may use."""
    assert gas_facts.calls, "no call was estimated; name the product's calls in gas.calls"
    if gas_facts.deploy is None:
        unproven(Reason.NO_CONFIG, f"the deployment cannot be estimated: {gas_facts.undeployable}")
    for one in (gas_facts.deploy, *gas_facts.calls):
        assert one.gas is not None, f"{one.function} from {one.sender} would fail: {one.reason}"
        assert one.gas <= limits.gas_transaction_max, f"{one.function} needs {one.gas} gas"


@pytest.mark.checklist("deploy.contract.gas", text=GAS)
def test_gas_as_estimated(gas_facts: GasFacts, limits: Limits, now: datetime) -> None:
    """The stored estimates are of this build, not old, and nothing needs much more than they say."""
    report = gas_facts.report
    if report.why:
        unproven(Reason.NO_CONFIG, report.why)
    assert report.artifact_sha256 == gas_facts.artifact_sha256, (
        f"{report.path} is about another build: {report.artifact_sha256[:12]}, this is "
        f"{gas_facts.artifact_sha256[:12]}"
    )
    try:
        made_at = datetime.fromisoformat(report.made_at)
    except ValueError:
        unproven(
            Reason.UNPARSEABLE, f"{report.path} says it was made at {report.made_at!r}, which is no time"
        )
    if made_at.tzinfo is None:
        unproven(Reason.UNPARSEABLE, f"made_at in {report.path} has no time zone")
    age = (now - made_at).total_seconds() / 86_400
    assert -1 <= age <= limits.gas_report_max_age_days, (
        f"the estimates in {report.path} are {age:.0f} days old"
    )
    for one in (*((gas_facts.deploy,) if gas_facts.deploy else ()), *gas_facts.calls):
        stored = report.gas(one.function)
        assert stored, f"{report.path} holds no estimate of {one.function}"
        assert one.gas is not None, f"{one.function} would fail now: {one.reason}"
        assert one.gas <= stored * (1 + limits.gas_drift_max), (
            f"{one.function} needs {one.gas} gas now, the stored estimate is {stored}"
        )


@pytest.mark.checklist("deploy.contract.gas", text=GAS)
def test_gas_within_the_budget(gas_facts: GasFacts) -> None:
    """The deployment and one of each call are paid by the budget, also when blocks are full for a while."""
    if not gas_facts.budget_wei:
        unproven(Reason.NO_CONFIG, f"no gas.budget_wei; all together costs {gas_facts.cost_wei} wei now")
    assert gas_facts.cost_wei <= gas_facts.budget_wei, (
        f"all together costs {gas_facts.cost_wei} wei at {gas_facts.fee.max_fee_wei} wei a gas, "
        f"gas.budget_wei is {gas_facts.budget_wei}"
    )


@pytest.mark.checklist("deploy.contract.gas", text=GAS)
def test_gas_sizes(gas_facts: GasFacts, limits: Limits) -> None:
    """The code is small enough for a chain to take it."""
    assert 0 < gas_facts.runtime_bytes <= limits.contract_runtime_max_bytes, (
        f"the deployed code has {gas_facts.runtime_bytes} bytes"
    )
    assert 0 < gas_facts.initcode_bytes <= limits.contract_initcode_max_bytes, (
        f"the creation code has {gas_facts.initcode_bytes} bytes"
    )
