"""`summary.md`: the verdict and what is in the way, for a CI job's summary or a release's description.

GitHub drops a job summary above 1 MiB whole, so the text stops adding items before `LARGEST`. Strings
from the target can start nothing: no markup, no link, no mention, no reference to an issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import words
from pytest_deploycheck.reports.text import one_line
from pytest_deploycheck.reports.view import ItemView, View, view

LARGEST = 880_000
"""Bytes; GitHub's limit is 1 MiB for a step (docs.github.com, "Adding a job summary")."""
_MOST_BLOCKING = 200
_SENTENCE = 240
_TITLE = 200

_MARKUP = re.compile(r"[\\`*_\[\]|~$]")
_LEADING = re.compile(r"^([-+#=]|\d+(?=[.)]))")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SPANS = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")
_JOINER = "\u2060"  # keeps two characters together and means nothing else


def render(record: Record) -> str:
    """Return the summary of a record as GitHub-flavoured Markdown."""
    shown = view(record)
    lines = _Lines()
    lines.extend(_decision(shown))
    lines.extend(_blocking(shown))
    lines.extend(_causes(shown))
    lines.extend(_changes(shown))
    lines.extend(_counts(shown))
    lines.extend(_claims(shown))
    lines.items(shown)
    return lines.text()


def escaped(text: object, limit: int = _SENTENCE) -> str:
    """Return text on one line that Markdown shows as it is, cut to `limit` characters."""
    line = _MARKUP.sub(r"\\\g<0>", one_line(str(text), limit))
    line = "".join(_ENTITIES.get(c, c) for c in line)
    line = _LEADING.sub(lambda match: f"{_JOINER}{match[0]}", line)
    # Mentions, references and bare URLs are recognised after Markdown: the characters must be parted.
    return re.sub(r"@|#(?=\d)|GH-(?=\d)|www(?=\.)|:(?=//)", lambda match: match[0] + _JOINER, line)


def wording(text: str) -> str:
    """Return an item's text with its code spans and strong words, everything else escaped."""
    line, parts, at = one_line(text, _TITLE), [], 0
    for span in _SPANS.finditer(line):
        parts.append(_spaced(line[at : span.start()]))
        parts.append(code(span[1]) if span[1] else f"**{escaped(span[2])}**")
        at = span.end()
    return "".join([*parts, _spaced(line[at:])])


def _spaced(text: str) -> str:
    """Escape text without losing the spaces at its ends."""
    lead, trail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return lead + escaped(text) + trail if text.strip() else text


def code(text: object, limit: int = 200) -> str:
    """Return text as a code span; backticks in it become apostrophes, a pipe cannot end a table cell."""
    line = one_line(str(text), limit).replace("`", "'").replace("|", "\u2758")
    return f"`{line}`" if line else ""


_MARKS = {"GO": "✓", "GO WITH WAIVERS": "≈", "NO-GO": "✗"}


class _Lines:
    """Lines that know their size in bytes."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def add(self, line: str) -> bool:
        """Add a line if it fits, and say whether it did."""
        size = len(line.encode()) + 1
        if self._size + size > LARGEST:
            return False
        self._lines.append(line)
        self._size += size
        return True

    def extend(self, lines: Iterable[str]) -> None:
        """Add lines as long as they fit."""
        for line in lines:
            self.add(line)

    def items(self, shown: View) -> None:
        """Add every item that fits, folded by phase, and say how many did not fit."""
        left_out = 0
        self.extend(["## Items", ""])
        for phase in shown.phases:
            head = f"<details><summary>{escaped(phase.title, 120)}: {_listed(phase.counts)}</summary>"
            if not self.add(f"{head}\n"):
                left_out += len(phase.items)
                continue
            for item in phase.items:
                left_out += not self.add(f"- {_symbol(item)} {wording(item.title)}")
            self._lines += ["", "</details>", ""]
        if left_out:
            self._lines += [f"{words.plural(left_out, 'more item')} did not fit: see report.html.", ""]

    def text(self) -> str:
        """Return all lines."""
        return "\n".join(self._lines).rstrip("\n") + "\n"


def _symbol(item: ItemView) -> str:
    return f"{words.SYMBOLS[item.verdict]} **{item.word}**"


def _listed(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{n} {words.verdict(name)}" for name, n in counts.items())


def _decision(shown: View) -> list[str]:
    record = shown.record
    release, run = record["release"], record["run"]
    facts = [("commit", release["commit"]), ("contract", release["contract"]), ("run", run["id"])]
    facts += [("checklist", str(record["checklist"]["digest"])[:12])]
    lines = [
        f"# {_MARKS.get(shown.decision, '?')} {escaped(shown.decision)}: {escaped(shown.title)}",
        "",
        f"**{escaped(record['decision']['sentence'])}** Decided by: {escaped(record['decision']['rule'])}.",
        "",
        " · ".join(
            [f"{name} {code(value)}" for name, value in facts if value]
            + [f"finished {escaped(words.moment(run['finished_at']))}"]
            + ([f"by {escaped(run['operator'])}"] if run["operator"] else [])
        ),
        "",
    ]
    if record["standins"]:
        named = "; ".join(f"{escaped(name)} ({escaped(what)})" for name, what in record["standins"].items())
        lines += [f"Stand-ins, not the real systems: {named}.", ""]
    return lines


def _blocking(shown: View) -> list[str]:
    if not shown.blocking:
        return ["Nothing is in the way of the release.", ""]
    lines = [f"## In the way: {words.plural(len(shown.blocking), 'item')}", ""]
    lines += ["| verdict | item | why |", "|---|---|---|"]
    lines += [
        f"| {_symbol(item)}{f' ({escaped(words.reason(item.reason))})' if item.reason else ''} "
        f"| {wording(item.title)}<br>{code(item.id)} | {escaped(item.summary)} |"
        for item in shown.blocking[:_MOST_BLOCKING]
    ]
    more = len(shown.blocking) - _MOST_BLOCKING
    return [*lines, *([f"\n{words.plural(more, 'more item')}: see report.html."] if more > 0 else []), ""]


def _causes(shown: View) -> list[str]:
    causes = [cause for cause in shown.record["decision"]["causes"] if len(cause["items"]) > 1]
    if not causes:
        return []
    lines = [
        f"- **{words.plural(len(cause['items']), 'item')}** {escaped(cause['sentence'])}"
        for cause in causes[:20]
    ]
    return ["### Common causes", "", *lines, ""]


def _changes(shown: View) -> list[str]:
    baseline = shown.record["baseline"]
    lines = ["## What changed", "", escaped(baseline["sentence"] or "No baseline was given."), ""]
    if baseline["state"] != "ok":
        return lines
    for title, name in (("Newly failing", "newly_failing"), ("Fixed", "fixed")):
        found = [shown.by_id[item] for item in baseline[name] if item in shown.by_id]
        if found:
            listed = "; ".join(wording(item.title) for item in found[:20])
            lines += [f"- **{title}** ({len(found)}): {listed}"]
    lines += [f"- {words.plural(len(baseline['evidence_changed']), 'item')} with other evidence", ""]
    return lines


def _counts(shown: View) -> list[str]:
    names = list(shown.counts)
    head = "| phase | " + " | ".join(words.verdict(name) for name in names) + " | all |"
    lines = ["## Counts", "", head, "|---|" + "--:|" * (len(names) + 1)]
    for phase in shown.phases:
        cells = " | ".join(str(phase.counts.get(name, 0)) for name in names)
        lines.append(f"| {escaped(phase.title, 120)} | {cells} | {len(phase.items)} |")
    total = " | ".join(f"**{n}**" for n in shown.counts.values())
    return [*lines, f"| **all phases** | {total} | **{len(shown.items)}** |", ""] if names else []


def _claims(shown: View) -> list[str]:
    claims = shown.record["claims"]
    if not claims:
        return []
    lines = ["## Waivers, attestations and not-applicable", "", "| claim | item | why, by whom | until |"]
    lines.append("|---|---|---|---|")
    for claim in claims[:200]:
        item = shown.by_id.get(claim["item"])
        title = wording(item.title) if item else code(claim["item"])
        problem = f" **Does not count: {escaped(claim['problem'])}**" if claim.get("problem") else ""
        until = escaped(words.moment(claim["until"])) if claim.get("until") else "no expiry"
        kind = escaped(words.verdict(claim["kind"]))
        lines.append(
            f"| {kind} | {title} | {escaped(claim['why'])}, {escaped(claim['by'], 80)}{problem} | {until} |"
        )
    return [*lines, ""]
