"""The matrix of items and faults: `python -m tests.faults.matrix` writes docs/faults.md.

It is made from the faults that the tests inject, so what it claims is what was shown.
"""

from __future__ import annotations

from pathlib import Path

from pytest_deploycheck import checklist
from pytest_deploycheck.verdict import Verdict
from tests.faults.catalog import FAULTS
from tests.faults.harness import checks

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
_HEAD = """# Faults

Every check is shown able to fail. Each fault below is injected into the running reference deployment by the
tests; it must turn its item from passed to failed (or to what is written behind it), and nothing outside its
theme may change.
Each item is also shown not to pass in an empty world (closed ports, an empty target file), and to be blocked
behind each of its prerequisites when that one is dead.

This page is generated: `python -m tests.faults.matrix`.
"""


def uncovered() -> list[str]:
    """Return the items that have a check and no fault."""
    shown = {fault.item for fault in FAULTS}
    return sorted({item for check in checks() for item in check.items} - shown)


def page() -> str:
    """Return the page."""
    items = {item for check in checks() for item in check.items}
    lines = [_HEAD]
    section = ""
    for item in checklist.default().items:
        if item.id not in items:
            continue
        if f"{item.phase_title}: {item.section_title}" != section:
            section = f"{item.phase_title}: {item.section_title}"
            lines.append(f"## {section}\n")
        found = [fault for fault in FAULTS if fault.item == item.id]
        lines.append(f"### {item.text}\n")
        lines.append(f"`{item.id}`, {len(found)} faults\n")
        for fault in found:
            becomes = "" if fault.becomes is Verdict.FAILED else f" ({fault.becomes.value})"
            lines.append(f"- {fault.name}{becomes}")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
