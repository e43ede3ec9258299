"""Limits: every number that a check compares with, its unit, and where the number comes from.

Each is set under `[limits]` of the target file by the same name. "own" as a source means our own
judgement; "checklist" means that the item's wording says it. A test reads limits through `Recorded`,
so that the evidence shows which limits decided.
"""

from __future__ import annotations

from pytest_deploycheck.limits.base import Recorded, limit
from pytest_deploycheck.limits.code import CodeLimits
from pytest_deploycheck.limits.contract import ContractLimits
from pytest_deploycheck.limits.database import DatabaseLimits
from pytest_deploycheck.limits.drill import DrillLimits
from pytest_deploycheck.limits.environment import EnvironmentLimits
from pytest_deploycheck.limits.final import FinalLimits
from pytest_deploycheck.limits.functional import FunctionalLimits
from pytest_deploycheck.limits.go_live import GoLiveLimits
from pytest_deploycheck.limits.hardening import HardeningLimits
from pytest_deploycheck.limits.infrastructure import InfrastructureLimits
from pytest_deploycheck.limits.mobile import MobileLimits
from pytest_deploycheck.limits.monitoring import MonitoringLimits
from pytest_deploycheck.limits.operations import OperationsLimits
from pytest_deploycheck.limits.people import PeopleLimits
from pytest_deploycheck.limits.performance import PerformanceLimits
from pytest_deploycheck.limits.recovery import RecoveryLimits
from pytest_deploycheck.limits.reviews import ReviewLimits
from pytest_deploycheck.limits.security import SecurityLimits
from pytest_deploycheck.limits.services import ServicesLimits
from pytest_deploycheck.limits.triggers import TriggersLimits
from pytest_deploycheck.limits.windows import WindowLimits

__all__ = ["Limits", "Recorded", "limit"]


class Limits(
    RecoveryLimits,
    FinalLimits,
    ReviewLimits,
    TriggersLimits,
    WindowLimits,
    MobileLimits,
    DrillLimits,
    OperationsLimits,
    PeopleLimits,
    GoLiveLimits,
    ServicesLimits,
    ContractLimits,
    DatabaseLimits,
    CodeLimits,
    HardeningLimits,
    EnvironmentLimits,
    InfrastructureLimits,
    MonitoringLimits,
    SecurityLimits,
    PerformanceLimits,
    FunctionalLimits,
):
    """All limits, by the sections of the checklist; the reference lists the bases from last to first."""
