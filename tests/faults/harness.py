"""Faults: each is injected into the running reference deployment, must flip its item, and nothing else.

    @fault("post_deploy.functional.health", "nginx answers a static 200", probes=("health",))
    @contextmanager
    def static_200(demo: Deployment) -> Iterator[None]:
        ...break it...
        yield
        ...mend it...

Only the named probes (and the gates before them) look again while the fault is in; everything else is
judged from the healthy observations, so that one fault costs about as much as its own probe.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_deploycheck.check import Blocked, Pending, Unproven
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.gates import standing
from pytest_deploycheck.gather import closure
from pytest_deploycheck.limits import Recorded
from pytest_deploycheck.observe import SUFFIX, Observation
from pytest_deploycheck.probes import registry
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import Target, load
from pytest_deploycheck.verdict import SEVERITY, Verdict

SUITES = Path(__file__).parents[2] / "suites"
Inject = Callable[[Deployment], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """One way to be broken.

    probes: those that look again.  also: look-alike items (items.md, section 5) that may turn red with it.
    needs: units of the deployment without which it cannot be injected (such as "prometheus").
    limits: limits changed for this fault only, to shorten its windows.  becomes: what the item turns into;
    unproven where the fault takes the evidence away (statistics reset, nobody there) and not the quality.
    lived: it is injected into the deployment that went live eight days ago, not into the fresh one.
    """

    item: str
    name: str
    inject: Inject
    probes: tuple[str, ...]
    also: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    limits: tuple[tuple[str, float], ...] = ()
    becomes: Verdict = Verdict.FAILED
    lived: bool = False

    @property
    def id(self) -> str:
        """The fault's name as a test id."""
        return f"{self.item}-{self.name.replace(' ', '_')}"


FAULTS: list[Fault] = []
UNIONS: Mapping[str, tuple[str, ...]] = {
    "go_live.final.green": (
        *("post_deploy.monitoring.grafana", "post_deploy.functional.health", "deploy.services.health"),
        *("post_deploy.functional.db", "post_deploy.functional.chain", "post_deploy.functional.token"),
    ),
    "go_live.final.scans": (
        *("deploy.code.scan", "deploy.code.deps", "post_deploy.security.vulns", "rollback.triggers.vuln"),
    ),
    "post_go_live.ongoing.deps": ("deploy.code.deps",),
    "post_go_live.ongoing.dr_test": ("operations.backup.recovery",),
    "post_go_live.first_week.tuning": ("post_deploy.performance.db",),
    "operations.documentation.troubleshooting": ("post_deploy.functional.health",),
    "operations.documentation.runbooks": ("post_deploy.monitoring.rules", "pre_deploy.security.alerting"),
}
"""Items that judge again, before users come and after, what other items are about: they may turn red with these."""


def fault(
    item: str,
    name: str,
    *,
    probes: tuple[str, ...],
    also: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    limits: Mapping[str, float] | None = None,
    becomes: Verdict = Verdict.FAILED,
    lived: bool = False,
) -> Callable[[Inject], Inject]:
    """Register a fault of an item."""

    def register(inject: Inject) -> Inject:
        changed = tuple((limits or {}).items())
        unions = [union for union, parts in UNIONS.items() if {item, *also} & set(parts)]
        themes = tuple(dict.fromkeys((*also, *unions)))
        FAULTS.append(Fault(item, name, inject, probes, themes, needs, changed, becomes, lived))
        return inject

    return register


@dataclass(frozen=True)
class Check:
    """A suite's test function and the items that it proves."""

    function: Callable[..., None]
    items: tuple[str, ...]

    @property
    def probes(self) -> tuple[str, ...]:
        """The probes whose facts it asks for."""
        names = inspect.signature(self.function).parameters
        return tuple(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))


@cache
def checks() -> tuple[Check, ...]:
    """Return every check of the suites."""
    found = []
    for path in sorted(SUITES.rglob("test_*.py")):
        for function in _functions(_module(path)):
            marks = [m for m in getattr(function, "pytestmark", []) if m.name == "checklist"]
            items = tuple(name for mark in marks for name in mark.args)
            found.append(Check(function, items))
    return tuple(found)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"suite_{path.parent.name}_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _functions(module: ModuleType) -> Iterator[Callable[..., None]]:
    for name, value in vars(module).items():
        if name.startswith("test_") and callable(value):
            yield value


@dataclass(frozen=True)
class Judged:
    """An item's verdict and the sentence that goes with it."""

    verdict: Verdict
    message: str


def judge_all(run: Run, observations: Mapping[str, Observation]) -> dict[str, Judged]:
    """Run every check over observations, without pytest; the worst verdict of an item counts."""
    verdicts: dict[str, Judged] = {}
    for check in checks():
        judged = _judge(check, run, observations)
        for item in check.items:
            if item not in verdicts or SEVERITY[judged.verdict] < SEVERITY[verdicts[item].verdict]:
                verdicts[item] = judged
    return verdicts


def _judge(check: Check, run: Run, observations: Mapping[str, Observation]) -> Judged:
    for name in check.probes:
        why = standing(observations[name], check.items)
        if why is not None:
            return Judged(why.verdict, why.message)
    values: dict[str, Any] = {"limits": Recorded(run.target.limits, "target"), "now": run.now}
    values |= {name + SUFFIX: observations[name].facts for name in check.probes}
    wanted = inspect.signature(check.function).parameters
    try:
        check.function(**{name: values[name] for name in wanted})
    except Unproven as why:
        return Judged(Verdict.UNPROVEN, why.message)
    except Blocked as why:
        return Judged(Verdict.BLOCKED, why.message)
    except Pending as why:
        return Judged(Verdict.PENDING, why.message)
    except AssertionError as error:
        return Judged(Verdict.FAILED, str(error) or "assertion failed")
    except Exception as error:
        return Judged(Verdict.ERROR, f"{type(error).__name__}: {error}")
    return Judged(Verdict.PASSED, "")


def all_probes() -> list[str]:
    """Return the probes that the suites ask for, with all they need."""
    return closure([name for check in checks() for name in check.probes], registry())


def look_after_go_live(target: Target) -> tuple[Run, dict[str, Observation]]:
    """Look with the probes of post_go_live; what the others would have seen is not there to see."""
    wanted = [
        name
        for check in checks()
        if any(item.startswith("post_go_live.") for item in check.items)
        for name in check.probes
    ]
    away = {name: Observation(name, "unseen", reason="no_access") for name in all_probes()}
    return look(target, wanted, away)


def look(
    target: Target,
    probes: tuple[str, ...] | list[str],
    known: Mapping[str, Observation] | None = None,
) -> tuple[Run, dict[str, Observation]]:
    """Look with some probes afresh (and with the gates before them); take `known` for all others."""
    run = Run(target)
    again = set(closure(probes, registry()))
    observations = dict(run.gather(again, registry()))
    return run, {**(known or {}), **observations}


def with_limits(path: Path, changed: Mapping[str, float]) -> Target:
    """Return a target file's content with some limits changed."""
    target = load(path)
    limits = target.limits.model_copy(update=dict(changed))
    return target.model_copy(update={"limits": limits})
