"""What every report shows of a record, in one shape: items in checklist order, grouped, counted, named.

The counts of all reports come from here, so they cannot disagree.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import words
from pytest_deploycheck.reports.anchors import Anchors
from pytest_deploycheck.reports.text import one_line
from pytest_deploycheck.verdict import Verdict

CODE = re.compile(r"`([^`]+)`")
STRONG = re.compile(r"\*\*([^*]+)\*\*")
_LONGEST_COMMAND = 10_000
MOST_VALUES = 12
"""Distinct values shown for one assertion that ran many times; the data holds them all."""

_CARRIED_OPTIONS = ("--target", "--allow", "--replay", "--as-of")


@dataclass(frozen=True)
class ItemView:
    """One item as reports show it; `anchor` is unique in a page, `previous` a verdict or empty."""

    id: str
    anchor: str
    number: int
    line: int
    title: str
    kind: str
    section: str
    verdict: str
    reason: str
    sentence: str
    observed: str
    until: str
    claim: Mapping[str, Any] | None
    outcomes: Sequence[Mapping[str, Any]]
    previous: str
    blocking: bool
    repeat: str

    @property
    def word(self) -> str:
        """The verdict in words."""
        return words.verdict(self.verdict)

    @property
    def plain(self) -> str:
        """The item's wording without Markdown's marks for code and strong words."""
        return one_line(STRONG.sub(r"\1", CODE.sub(r"\1", self.title)))

    @property
    def observations(self) -> tuple[str, ...]:
        """The probes whose facts its tests were given, each once."""
        return tuple(dict.fromkeys(name for found in self.outcomes for name in found.get("observations", ())))

    @property
    def summary(self) -> str:
        """The verdict's sentence, its first line only."""
        return one_line(self.sentence.split("\n", 1)[0])


@dataclass(frozen=True)
class Compared:
    """One assertion with the values it saw: (values, how often) in order, `more` times with others."""

    expression: str
    line: int
    values: tuple[tuple[str, int], ...]
    more: int


@dataclass(frozen=True)
class SectionView:
    """A section of the checklist with its judged items."""

    title: str
    items: tuple[ItemView, ...]


@dataclass(frozen=True)
class PhaseView:
    """A phase of the checklist: `key` is a short name that is unique in a page."""

    key: str
    title: str
    sections: tuple[SectionView, ...]
    counts: Mapping[str, int]

    @property
    def items(self) -> tuple[ItemView, ...]:
        """All items of the phase."""
        return tuple(item for section in self.sections for item in section.items)


@dataclass(frozen=True)
class View:
    """A record, ready to be shown."""

    record: Mapping[str, Any]
    title: str
    decision: str
    phases: tuple[PhaseView, ...]
    items: tuple[ItemView, ...]
    counts: Mapping[str, int]
    blocking: tuple[ItemView, ...]

    @property
    def by_id(self) -> Mapping[str, ItemView]:
        """The items by id."""
        return {item.id: item for item in self.items}


def subject(record: Mapping[str, Any]) -> str:
    """Return what was judged: service, version and target, with words where one is not known."""
    release, target = record["release"], record["target"]
    host = re.sub(r"^https?://", "", str(target.get("base_url") or "")).split("/")[0]
    service = release.get("service") or host or "deployment"
    return f"{service} {release.get('version') or '(version not stated)'} on {target.get('name', '?')}"


def view(record: Record) -> View:
    """Arrange a record for showing."""
    values = _filled(record.to_json())
    entries = {entry["id"]: entry for entry in values["checklist"]["items"]}
    options = _options(values)
    blocking = set(values["decision"].get("blocking", ()))
    previous = values["baseline"].get("verdicts") or {}
    anchors = Anchors()
    items: list[ItemView] = []
    groups: dict[str, dict[str, list[ItemView]]] = {}
    for judged in values["items"]:
        entry = entries.get(judged["item"], {})
        item = ItemView(
            id=judged["item"],
            anchor=anchors.make(judged["item"]),
            number=entry.get("number", 0),
            line=entry.get("line", 0),
            title=entry.get("text") or judged["item"],
            kind=entry.get("kind", ""),
            section=entry.get("section_title", ""),
            verdict=words.verdict_class(judged["verdict"]),
            reason=judged.get("reason") or "",
            sentence=judged.get("sentence") or _sentence(judged),
            observed=words.verdict_class(judged.get("observed") or judged["verdict"]),
            until=judged.get("until") or "",
            claim=judged.get("claim"),
            outcomes=judged.get("outcomes", ()),
            previous=previous.get(judged["item"], ""),
            blocking=judged["item"] in blocking,
            repeat=_repeat(judged, options),
        )
        items.append(item)
        phase = entry.get("phase_title") or entry.get("phase") or "Other items"
        groups.setdefault(phase, {}).setdefault(item.section, []).append(item)
    phases = tuple(
        PhaseView(
            key=f"p{place}",
            title=title,
            sections=tuple(SectionView(name, tuple(found)) for name, found in sections.items()),
            counts=tally([item for found in sections.values() for item in found]),
        )
        for place, (title, sections) in enumerate(groups.items(), start=1)
    )
    ranked = sorted((item for item in items if item.blocking), key=lambda item: _rank(item.verdict))
    return View(
        record=values,
        title=subject(values),
        decision=str(values["decision"]["decision"]),
        phases=phases,
        items=tuple(items),
        counts=tally(items),
        blocking=tuple(ranked),
    )


_KNOWN: Mapping[str, str] = {
    "tool": "name version python pytest",
    "run": "id started_at finished_at duration_s operator runner ci_run command as_of replayed_from "
    "interrupted gather_s",
    "target": "name environment base_url file config_digest",
    "release": "version commit deployed_at contract",
    "checklist": "path title digest",
    "decision": "decision rule sentence",
    "baseline": "state sentence",
}


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    """Return a record in which everything that a report names exists, if only as an empty string."""
    filled = {**values}
    for section, names in _KNOWN.items():
        filled[section] = dict.fromkeys(names.split(), "") | {
            name: "" if entry is None else entry for name, entry in values[section].items()
        }
    filled["release"]["images"] = values["release"].get("images") or {}
    filled["decision"]["causes"] = values["decision"].get("causes") or []
    for name in ("newly_failing", "fixed", "evidence_changed"):
        filled["baseline"][name] = values["baseline"].get(name) or []
    filled["coverage"] = {
        name: values["coverage"].get(name) or []
        for name in ("items_without_test", "tests_without_item", "drift")
    }
    return filled


def tally(items: Sequence[ItemView]) -> dict[str, int]:
    """Count items by verdict, worst first, verdicts without items left out."""
    found = Counter(item.verdict for item in items)
    return {name.value: found[name.value] for name in Verdict if found[name.value]}


def _rank(name: str) -> int:
    return [verdict.value for verdict in Verdict].index(name)


def compared(comparisons: Sequence[Mapping[str, Any]]) -> list[Compared]:
    """Group the comparisons of a test that stand in the same place, as those in a loop do."""
    groups: dict[tuple[str, int], dict[str, int]] = {}
    more: Counter[tuple[str, int]] = Counter()
    for comparison in comparisons:
        place = (comparison["expression"], comparison["line"])
        values = groups.setdefault(place, {})
        values[comparison["values"]] = values.get(comparison["values"], 0) + comparison.get("count", 1)
        more[place] += comparison.get("others", 0)
    return [
        Compared(
            place[0],
            place[1],
            tuple(values.items())[:MOST_VALUES],
            more[place] + sum(list(values.values())[MOST_VALUES:]),
        )
        for place, values in groups.items()
    ]


def _sentence(judged: Mapping[str, Any]) -> str:
    """Say what a verdict without a message rests on."""
    outcomes = judged.get("outcomes", ())
    compared = sum(
        comparison.get("count", 1) + comparison.get("others", 0)
        for outcome in outcomes
        for comparison in outcome.get("comparisons", ())
    )
    seen = {name for outcome in outcomes for name in outcome.get("observations", ())}
    if not outcomes:
        return words.MEANING[words.verdict_class(judged["verdict"])]
    held = "held" if judged["verdict"] == "passed" else "made"
    return f"{words.plural(compared, 'comparison')} {held} on {words.plural(len(seen), 'observation')}"


def _repeat(judged: Mapping[str, Any], options: Sequence[str]) -> str:
    """Return the command that judges just this item again, empty if no test is bound to it."""
    tests = [str(outcome["test"]) for outcome in judged.get("outcomes", ())]
    return shlex.join(["pytest", *tests, *options]) if tests else ""


def _options(record: Mapping[str, Any]) -> list[str]:
    """Return the options of the run's command line that decide what a test sees."""
    carried = {"--target": str(record["target"]["name"])}
    try:
        command = shlex.split(str(record["run"]["command"])[:_LONGEST_COMMAND])
    except ValueError:
        command = []
    for word, following in zip(command, [*command[1:], ""], strict=False):
        option, given, value = word.partition("=")
        if option in _CARRIED_OPTIONS:
            carried[option] = value if given else following
    drill = ["--drill"] if "--drill" in command else []
    return [*(part for pair in carried.items() for part in pair), *drill]
