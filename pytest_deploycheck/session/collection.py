"""Collection: which tests prove which items, what is left uncovered, and what is written wrongly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_deploycheck.checklist import Checklist, Item, fingerprint
from pytest_deploycheck.observe import SUFFIX, Probe
from pytest_deploycheck.verdict import Claim

if TYPE_CHECKING:
    from pytest_deploycheck.run import Run

MARKER = "checklist"
ITEMS = pytest.StashKey[tuple[str, ...]]()
PROBES = pytest.StashKey[tuple[str, ...]]()
STAND_IN = pytest.StashKey[Claim]()
"""The claim that stands in where a test's items could not be seen: out of scope, or attested."""


@dataclass
class Collected:
    """What collection found: the bound items, the probes asked for, and the coverage section."""

    items: list[str] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)
    coverage: dict[str, list[Any]] = field(default_factory=dict)


def bind(items: Sequence[pytest.Item], checklist: Checklist, probes: Mapping[str, Probe]) -> list[str]:
    """Stash each test's items and probes; return the mistakes, one sentence each."""
    problems: list[str] = []
    for test in items:
        test.stash[PROBES] = _probes_of(test, probes)
        found: list[str] = []
        for marker in test.iter_markers(MARKER):
            if not marker.args or not all(isinstance(name, str) for name in marker.args):
                problems.append(f"{test.nodeid}: @pytest.mark.checklist needs one item id or more")
                continue
            problems += [
                _unknown(test, name, checklist) for name in marker.args if name not in checklist.by_id
            ]
            found += [name for name in marker.args if name in checklist.by_id]
        test.stash[ITEMS] = tuple(dict.fromkeys(found))
    return problems


def apply_claims(items: Sequence[pytest.Item], run: Run) -> None:
    """Let a waived test be expected to fail by its assertion only, and note what stands in for an unseen one."""
    for test in items:
        bound = test.stash[ITEMS]
        waiver = run.claim_for(bound, "waiver")
        if waiver is not None:
            words = f"waived until {waiver.until:%Y-%m-%d}: {waiver.why}" if waiver.until else waiver.why
            test.add_marker(pytest.mark.xfail(raises=AssertionError, reason=words))
        stand_in = run.claim_for(bound, "not_applicable", "attestation")
        if stand_in is not None:
            test.stash[STAND_IN] = stand_in


def _unknown(test: pytest.Item, name: str, checklist: Checklist) -> str:
    near = get_close_matches(name, checklist.by_id, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{test.nodeid}: no item {name!r} in {checklist.path}{hint}"


def _probes_of(test: pytest.Item, probes: Mapping[str, Probe]) -> tuple[str, ...]:
    names: Iterable[str] = getattr(test, "fixturenames", ())
    asked = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
    return tuple(name for name in asked if name in probes)


def unbound(items: Sequence[pytest.Item], suites: Path) -> list[str]:
    """Return a sentence for each test in the suites' folder that proves no item."""
    return [
        f"{test.nodeid}: a test in {suites.name}/ names the item it proves: "
        '@pytest.mark.checklist("post_deploy.functional.health")'
        for test in items
        if suites in test.path.parents and next(test.iter_markers(MARKER), None) is None
    ]


def survey(
    selected: Sequence[pytest.Item],
    deselected: Sequence[pytest.Item],
    checklist: Checklist,
    folders: Sequence[Path],
) -> Collected:
    """Unite what the selected tests prove and need; `folders` are the directories on the command line."""
    found = Collected()
    bound: dict[str, None] = {}
    probes: dict[str, None] = {}
    for test in selected:
        for name in test.stash[ITEMS]:
            bound[name] = None
        for name in test.stash[PROBES]:
            probes[name] = None
    uncovered = [] if deselected else _uncovered(selected, bound, checklist, folders)
    found.items = [*bound, *(item.id for item in uncovered)]
    found.probes = list(probes)
    found.coverage = {
        "items_without_test": [item.id for item in uncovered],
        "tests_without_item": [
            test.nodeid for test in selected if test.stash[PROBES] and not test.stash[ITEMS]
        ],
        "drift": _drift(selected, checklist),
    }
    return found


def _uncovered(
    selected: Sequence[pytest.Item], bound: Mapping[str, None], checklist: Checklist, folders: Sequence[Path]
) -> list[Item]:
    """Return the items without a test in each phase whose whole folder was asked for."""
    whole = set()
    for test in selected:
        phases = {name.partition(".")[0] for name in test.stash[ITEMS]}
        if any(folder in (test.path.parent, *test.path.parent.parents) for folder in folders):
            whole |= phases
    return [item for item in checklist.items if item.phase in whole and item.id not in bound]


def _drift(selected: Sequence[pytest.Item], checklist: Checklist) -> list[dict[str, str]]:
    """Return the items whose wording changed since their test was written."""
    found = []
    for test in selected:
        for marker in test.iter_markers(MARKER):
            written = marker.kwargs.get("text")
            for name in marker.args:
                item = checklist.by_id.get(name)
                if written and item and fingerprint(written) != item.fingerprint:
                    found.append(
                        {"item": name, "test": test.nodeid, "written_for": written, "reads_now": item.text}
                    )
    return found
