"""The published matrix is the one that the tests inject, and leaves no item out."""

from __future__ import annotations

from tests.faults.catalog import FAULTS
from tests.faults.matrix import PAGE, page, uncovered


def test_every_item_has_a_fault() -> None:
    """An item that nothing was shown to turn red fails the build."""
    assert uncovered() == []


def test_the_page_is_up_to_date() -> None:
    """docs/faults.md is what `python -m tests.faults.matrix` writes now."""
    assert PAGE.read_text() == page()


def test_fault_names_are_unique() -> None:
    """Each fault has a name of its own within its item."""
    names = [fault.id for fault in FAULTS]
    assert len(set(names)) == len(names)
