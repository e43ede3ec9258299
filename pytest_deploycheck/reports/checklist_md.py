"""`checklist.md`: the user's own checklist, its boxes ticked or left open, the verdict beside each."""

from __future__ import annotations

from pytest_deploycheck.checklist import Checklist
from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import words
from pytest_deploycheck.reports.markdown import escaped
from pytest_deploycheck.reports.view import ItemView, view

_TICKED = frozenset({"passed", "waived", "not_applicable"})
_WORDS = 160


def render(record: Record, checklist: Checklist) -> str:
    """Return the checklist's text with the record's verdicts, all other bytes unchanged.

    A box that the run did not judge is left open and says so, whatever it held before: a tick in this
    file always rests on a verdict of this run.
    """
    judged = {item.id: item for item in view(record).items}
    beside = {item.id: _beside(judged.get(item.id)) for item in checklist.items}
    return checklist.ticked(beside)


def _beside(item: ItemView | None) -> tuple[bool, str]:
    if item is None:
        return False, "not in this run"
    reason = f" ({escaped(words.reason(item.reason), 60)})" if item.reason else ""
    plain = item.verdict == "passed" and not item.claim
    sentence = "" if plain else f": {escaped(item.summary, _WORDS)}"
    return item.verdict in _TICKED, f"{item.word}{reason}{sentence}"
