"""Promtool's tests of alert rules: which alerts they show firing, and what promtool says when it runs them."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.promql_selectors import normal
from pytest_deploycheck.verdict import Reason

FILES_MAX = 200
FILE_MAX_BYTES = 2**22
_KNOWN: dict[tuple[str, Path, str], tuple[bool, str]] = {}
_NAME = re.compile(r'alertname\s*=~?\s*"((?:[^"\\]|\\.)*)"')
_FIRING = re.compile(r'alertstate\s*=\s*"firing"')


@dataclass(frozen=True)
class RuleTest:
    """One file of tests.

    fires: alerts that it expects to fire at some time.  rules: (alert, digest of its expression) in the rule
    files that it tests.  passed: as promtool says, None where there is no promtool.  said: its words otherwise.
    """

    file: str
    fires: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    passed: bool | None
    said: str


def read(folder: Path, within_s: float) -> tuple[RuleTest, ...]:
    """Read and run every test below a folder; CannotLook where there is none."""
    files = sorted(path for path in folder.rglob("*.y*ml") if path.is_file())[:FILES_MAX]
    parsed = [(path, document) for path in files if (document := _document(path)) and "tests" in document]
    if not parsed:
        raise CannotLook(Reason.NO_EVIDENCE, f"no tests of rules below {folder.name}; see alerts.tests_dir")
    outcomes = _run([path for path, _ in parsed], within_s)
    return tuple(
        RuleTest(
            file=path.name,
            fires=tuple(sorted(set(_fires(document)))),
            rules=tuple(_rules(path, document)),
            passed=outcomes[path][0],
            said=outcomes[path][1],
        )
        for path, document in parsed
    )


def digest(expression: str) -> str:
    """Return what stands for an expression, whoever wrote its spaces, numbers and clauses."""
    return hashlib.sha256(normal(expression).encode()).hexdigest()[:16]


def _document(path: Path) -> dict[str, Any] | None:
    import yaml

    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            return None
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return found if isinstance(found, dict) else None


def _maps(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else ()


def _fires(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the alerts that are expected to fire, in either way to say so."""
    for test in _maps(document.get("tests")):
        for case in _maps(test.get("alert_rule_test")):
            if case.get("exp_alerts"):
                yield str(case.get("alertname", ""))
        for case in _maps(test.get("promql_expr_test")):
            expression = str(case.get("expr", ""))
            if case.get("exp_samples") and _FIRING.search(expression) and "ALERTS" in expression:
                yield from _NAME.findall(expression)


def _named(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the patterns of the rule files that a test names, relative to it."""
    names = document.get("rule_files")
    yield from (
        name
        for name in map(str, names if isinstance(names, list) else ())
        if name and not name.startswith("/")
    )


def _rules(path: Path, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _named(document):
        for file in sorted(path.parent.glob(name)):
            for group in _maps((_document(file) or {}).get("groups")):
                for rule in _maps(group.get("rules")):
                    if rule.get("alert"):
                        yield str(rule["alert"]), digest(str(rule.get("expr", "")))


def _run(files: list[Path], within_s: float) -> dict[Path, tuple[bool | None, str]]:
    """Run promtool on each file by itself, so that it is known which one fails."""
    tool = shutil.which("promtool")
    if tool is None:
        return dict.fromkeys(files, (None, "promtool is not installed here"))
    ends = time.monotonic() + within_s
    found: dict[Path, tuple[bool | None, str]] = {}
    for file in files:
        key = (tool, file, _content(file))
        if key not in _KNOWN:
            _KNOWN[key] = _test(tool, file, ends)
        found[file] = _KNOWN[key]
    return found


def _content(file: Path) -> str:
    """Return a digest of a test and of the rules that it is of: the outcome follows from these alone."""
    parts = [
        file,
        *(path for name in _named(_document(file) or {}) for path in sorted(file.parent.glob(name))),
    ]
    return hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()


def _test(tool: str, file: Path, ends: float) -> tuple[bool, str]:
    try:
        done = subprocess.run(
            [tool, "test", "rules", str(file)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=max(0.1, ends - time.monotonic()),
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise CannotLook(Reason.TIMEOUT, f"promtool was not done with {file.name} in time") from None
    said = " ".join((done.stderr or done.stdout).split())[:300]
    return done.returncode == 0, said if done.returncode else ""
