"""The rollback plan as a file: by which criteria a team rolls back, which alerts notice, and who decides."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes.promql import seconds
from pytest_deploycheck.rules.thresholds import comparison
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

TRIGGERS = ("vuln", "perf", "corruption", "chain", "bugs")
SIZE_MAX_BYTES = 2**20


@dataclass(frozen=True)
class Detector:
    """An alert that the plan relies on, and its criterion as written there.

    compares: what is compared, as (operator, number); empty where the plan gives no comparison, or one that cannot
    be read; `when` is its text.  over_s: windows in seconds, None where the plan names none.  holds_s: how long before it fires, None
    where the plan does not say.  severity: the one that the alert must have; empty, one that pages somebody.
    """

    trigger: str
    alert: str
    severity: str
    when: str
    compares: tuple[tuple[str, float], ...]
    over_s: tuple[float, ...] | None
    holds_s: float | None


@dataclass(frozen=True)
class Trigger:
    """What the plan says of one trigger.

    criterion, decision, decider: in words: when, what is done, and who says so.  numbers: its further criteria
    by name.  detectors: how many alerts notice.
    """

    name: str
    criterion: str
    decision: str
    decider: str
    numbers: tuple[tuple[str, float], ...]
    words: tuple[tuple[str, str], ...]
    detectors: int

    def number(self, name: str) -> float | None:
        """Return a further criterion; None where the plan has none of that name."""
        return dict(self.numbers).get(name)


@dataclass(frozen=True)
class RollbackPlanFacts:
    """The plan: its file, the triggers it speaks of, and their detectors."""

    file: str
    triggers: tuple[Trigger, ...]
    detectors: tuple[Detector, ...]

    def trigger(self, name: str) -> Trigger | None:
        """Return a trigger by its name; None where the plan does not speak of it."""
        return next((one for one in self.triggers if one.name == name), None)


@probe(facts=RollbackPlanFacts, deadline=10, safety="S0", uses={"files": "read"})
def rollback_plan(target: Target, connect: Connections) -> RollbackPlanFacts:
    """Read the rollback plan's criteria from the file that the target file names."""
    name = target.triggers.plan
    if not name:
        raise CannotLook(
            Reason.NO_CONFIG, f"no triggers.plan in {target.path.name}; add the rollback plan's file"
        )
    connect.socket_allowed("files", "read", name)
    values = _read(target, name)
    tables = {key: values[key] for key in TRIGGERS if isinstance(values.get(key), Mapping)}
    if not tables:
        raise CannotLook(
            Reason.NO_EVIDENCE, f"{name} speaks of none of {', '.join(TRIGGERS)}; see docs/records.md"
        )
    return RollbackPlanFacts(
        file=name,
        triggers=tuple(_trigger(key, table) for key, table in tables.items()),
        detectors=tuple(detector(key, entry) for key, table in tables.items() for entry in entries(table)),
    )


def _read(target: Target, name: str) -> Mapping[str, Any]:
    path = target.file(name)
    try:
        if path.stat().st_size > SIZE_MAX_BYTES:
            raise CannotLook(Reason.UNPARSEABLE, f"{path.name} is larger than 1 MiB")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotLook(Reason.NO_ACCESS, f"triggers.plan {path.name} cannot be read: {error}") from None
    try:
        values = tomllib.loads(text) if path.suffix == ".toml" else _yaml(text)
    except ValueError as error:
        raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: {str(error)[:160]}") from None
    if not isinstance(values, Mapping):
        raise CannotLook(Reason.UNPARSEABLE, f"{path.name} holds no tables")
    return values


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise CannotLook(
            Reason.NO_ACCESS, "PyYAML is not installed here; pip install 'pytest-deploycheck[monitoring]'"
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def entries(table: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the detectors that a trigger's table lists."""
    found = table.get("detector", ())
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _trigger(name: str, table: Mapping[str, Any]) -> Trigger:
    plain = {key: value for key, value in table.items() if key != "detector"}
    return Trigger(
        name=name,
        criterion=str(plain.get("criterion", "")).strip(),
        decision=str(plain.get("decision", "")).strip(),
        decider=str(plain.get("decider", "")).strip(),
        numbers=tuple(
            sorted(
                (key, float(value))
                for key, value in plain.items()
                if isinstance(value, int | float) and not isinstance(value, bool)
            )
        ),
        words=tuple(sorted((key, value.strip()) for key, value in plain.items() if isinstance(value, str))),
        detectors=len(entries(table)),
    )


def detector(trigger: str, entry: Mapping[str, Any]) -> Detector:
    """Read one detector of the plan."""
    when = entry.get("when", "")
    texts = [str(one) for one in when] if isinstance(when, list) else [str(when)]
    compared = [found for text in texts if (found := comparison(text)) is not None]
    over, holds = entry.get("over"), entry.get("holds")
    listed = over if isinstance(over, list) else [over]
    return Detector(
        trigger=trigger,
        alert=str(entry.get("alert", "")),
        severity=str(entry.get("severity", "")),
        when=" and ".join(texts),
        compares=tuple(sorted(compared)) if len(compared) == len(texts) else (),
        over_s=tuple(sorted(seconds(str(one)) for one in listed)) if over is not None else None,
        holds_s=seconds(str(holds)) if holds is not None else None,
    )
