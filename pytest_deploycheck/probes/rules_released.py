"""Alert rules as they were released, read from their files, beside those that are loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes import promql
from pytest_deploycheck.probes.promql_selectors import normal
from pytest_deploycheck.verdict import Reason

PATTERNS = ("*.yml", "*.yaml", "*.rules")
RULES_MAX = 5_000


@dataclass(frozen=True)
class Written:
    """One rule as a file or the API has it, in comparable form; `alert` tells alerts from recordings."""

    group: str
    name: str
    alert: bool
    expression: str
    for_s: float
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Drift:
    """How loaded rules differ from the `released` ones, which count them all.

    missing: released, not loaded.  changed: loaded with another content, each with what differs.
    foreign: loaded in a released group, but not released.
    """

    released: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    foreign: tuple[str, ...]


def read(folder: Path) -> list[Written]:
    """Return every rule of the files in a folder; CannotLook when there are none or one cannot be read."""
    try:
        import yaml
    except ImportError:
        raise CannotLook(
            Reason.NO_ACCESS, "PyYAML is not installed here; pip install 'pytest-deploycheck[monitoring]'"
        ) from None
    found: list[Written] = []
    files = sorted({path for pattern in PATTERNS for path in folder.glob(pattern)})
    for path in files:
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            # A PrometheusRule of the operator holds the same below `spec`.
            groups = (document.get("spec") or document).get("groups") or ()
            found += [_of_file(group, rule) for group in groups for rule in group.get("rules") or ()]
        except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            message = f"rule file {path.name} cannot be read: {type(error).__name__}: {str(error)[:160]}"
            raise CannotLook(Reason.UNPARSEABLE, message) from None
    if not found:
        raise CannotLook(Reason.NO_EVIDENCE, f"alerts.rules_dir {folder.name}/ holds no rule; is it right?")
    return found[:RULES_MAX]


def _of_file(group: Mapping[str, Any], rule: Mapping[str, Any]) -> Written:
    return Written(
        group=str(group["name"]),
        name=str(rule.get("alert") or rule["record"]),
        alert="alert" in rule,
        expression=normal(str(rule["expr"])),
        for_s=promql.seconds(str(rule.get("for", "0s"))),
        labels=_texts(rule.get("labels")),
        annotations=_texts(rule.get("annotations")),
    )


def of_api(group: Mapping[str, Any], rule: Mapping[str, Any]) -> Written:
    """Return a rule of /api/v1/rules in the same form."""
    return Written(
        group=str(group.get("name", "")),
        name=str(rule.get("name", "")),
        alert=rule.get("type") == "alerting",
        expression=normal(str(rule.get("query", ""))),
        for_s=float(rule.get("duration", 0) or 0),
        labels=_texts(rule.get("labels")),
        annotations=_texts(rule.get("annotations")),
    )


def _texts(values: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), _text(value)) for name, value in (values or {}).items()))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def compare(released: Sequence[Written], loaded: Sequence[Written]) -> Drift:
    """Return the differences; a name may occur several times in a group, with different labels."""
    left = list(loaded)
    missing, changed = [], []
    for rule in released:
        same = [other for other in left if (other.group, other.name) == (rule.group, rule.name)]
        if rule in same:
            left.remove(rule)
        elif same:
            left.remove(same[0])
            changed.append(f"{rule.name}: {_difference(rule, same[0])}")
        else:
            missing.append(rule.name)
    groups = {rule.group for rule in released}
    foreign = [rule.name for rule in left if rule.group in groups]
    return Drift(len(released), tuple(missing), tuple(changed), tuple(foreign))


def _difference(released: Written, loaded: Written) -> str:
    if released.expression != loaded.expression:
        return "another expression"
    if released.for_s != loaded.for_s:
        return f"for {loaded.for_s:g} s, released {released.for_s:g} s"
    return "other labels" if released.labels != loaded.labels else "other annotations"
