"""The terminal's report: what is not green item by item, causes grouped, counts, the decision last.

Pure text for the plugin to print. It is the same with and without a terminal but for colour, and `-q`
shortens it without leaving out a failure, a cause or the decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import words
from pytest_deploycheck.reports.text import one_line
from pytest_deploycheck.reports.view import ItemView, View, tally, view

_COLOURS: Mapping[str, str] = {
    "failed": "31", "error": "35", "unproven": "33", "blocked": "33", "not_run": "33", "waived": "36",
    "pending": "34", "not_applicable": "2", "passed": "32",
    "GO": "1;32", "GO WITH WAIVERS": "1;36", "NO-GO": "1;31", "INCOMPLETE": "1;33",
}  # fmt: skip
_NARROWEST = 40


def lines(record: Record, *, verbosity: int, width: int, colour: bool) -> list[str]:
    """Return the report's lines, each at most `width` characters of visible text (40 at least).

    verbosity: below 0 only what is in the way, its causes and the decision; 0 adds the items behind each
    cause, counts by section and what changed; above 0 every item.  colour: whether ANSI colours may be
    used; nothing is said by colour alone.
    """
    shown = view(record)
    page = _Page(max(width, _NARROWEST), colour)
    causes = [cause for cause in shown.record["decision"]["causes"] if len(cause["items"]) > 1]
    grouped = {item for cause in causes for item in cause["items"]}
    for item in shown.items:
        if item.id not in grouped and _wanted(item, verbosity):
            page.item(item)
    for cause in causes:
        _cause(page, shown, cause, verbosity)
    for gate in shown.record["gates"]:
        owner = f" (carried by {gate['owner']})" if gate.get("owner") else ""
        page.say(f"gate {gate['name']}", f"is dead: {gate['detail']}{owner}", "blocked")
    if verbosity >= 0:
        _claims(page, shown)
        _changes(page, shown)
        _counts(page, shown)
    _decision(page, shown)
    return page.lines


class _Page:
    """Collects lines: what has no shape is written out, long text cut or wrapped, words coloured."""

    def __init__(self, width: int, colour: bool) -> None:
        self.lines: list[str] = []
        self._width = width
        self._colour = colour

    def item(self, item: ItemView, *, indent: int = 0, why: bool = True) -> None:
        """Add one item on one line."""
        word = item.word.upper() if item.blocking else item.word
        number = f"{item.number}. " if item.number else ""
        reason = f" [{words.reason(item.reason)}]" if item.reason and why else ""
        sentence = f": {item.summary}" if why and item.verdict != "passed" else ""
        text = one_line(f"{number}{item.plain}{reason}{sentence}", self._width - indent - 15)
        self.lines.append(" " * indent + self._painted(word.ljust(14), item.verdict) + " " + text)

    def say(self, lead: str, text: str, style: str = "") -> None:
        """Add a lead in colour and a text behind it, over as many lines as they need."""
        lead = one_line(lead, self._width)
        rows, row = [], lead
        for word in one_line(text).split():
            if len(row) + 1 + len(word) <= self._width:
                row = f"{row} {word}"
                continue
            rows.append(row)
            row = f"  {word}" if len(word) + 2 <= self._width else one_line(f"  {word}", self._width)
        rows.append(row)
        rows[0] = self._painted(lead, style) + rows[0][len(lead) :]
        self.lines += rows

    def line(self, text: str) -> None:
        """Add a plain line, cut to the width."""
        self.lines.append(one_line(text, self._width))

    def _painted(self, text: str, style: str) -> str:
        code = _COLOURS.get(style) if self._colour else None
        return f"\x1b[{code}m{text}\x1b[0m" if code else text


def _wanted(item: ItemView, verbosity: int) -> bool:
    if item.blocking or verbosity > 0:
        return True
    return verbosity == 0 and item.verdict not in ("passed", "not_applicable")


def _cause(page: _Page, shown: View, cause: Mapping[str, Any], verbosity: int) -> None:
    items = [shown.by_id[name] for name in cause["items"] if name in shown.by_id]
    style = items[0].verdict if items else ""
    page.say(words.plural(len(cause["items"]), "item"), cause["sentence"], style)
    if verbosity >= 0:
        for item in items:
            page.item(item, indent=2, why=False)


def _claims(page: _Page, shown: View) -> None:
    for claim in shown.record["claims"]:
        if claim.get("problem"):
            kind, item = words.verdict(str(claim["kind"])), claim["item"]
            page.say(kind, f"for {item} does not count: {claim['problem']}", "failed")


def _changes(page: _Page, shown: View) -> None:
    baseline = shown.record["baseline"]
    if baseline["state"] == "ok":
        counted = [
            f"{len(baseline[name])} {said}"
            for name, said in (
                ("newly_failing", "newly failing"),
                ("fixed", "fixed"),
                ("evidence_changed", "with other evidence"),
            )
        ]
        page.say("since the baseline run:", ", ".join(counted))
    elif baseline["state"] not in ("", "none"):
        page.say("baseline:", baseline["sentence"] or baseline["state"], "unproven")


def _counts(page: _Page, shown: View) -> None:
    for phase in shown.phases:
        page.line(f"{phase.title}: {_counted(phase.items)}")
        if len(phase.sections) > 1 and len(phase.counts) > 1:
            for section in phase.sections:
                page.lines.append(
                    "  " + one_line(f"{section.title}: {_counted(section.items)}", page._width - 2)
                )


def _counted(items: Sequence[ItemView]) -> str:
    return ", ".join(f"{n} {words.verdict(name)}" for name, n in reversed(tally(items).items()))


def _decision(page: _Page, shown: View) -> None:
    decision, standins = shown.record["decision"], shown.record["standins"]
    if standins:
        page.say("stand-ins, not the real systems:", ", ".join(standins))
    said = f"{shown.title}: {decision['sentence']} Decided by: {decision['rule']}."
    page.say(shown.decision, said, shown.decision)
