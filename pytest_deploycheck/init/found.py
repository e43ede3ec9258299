"""What was found in a project: values for the target file with their origins, and what nothing told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Value:
    """A value for a key of the target file, and the file that told it; a guess is written as a comment."""

    value: Any
    origin: str
    guess: bool = False


@dataclass
class Found:
    """Values by section and key; the first finding of a key stays.

    notes: what was read, for the terminal.  unsure: questions that only a person answers.
    """

    values: dict[tuple[str, str], Value] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)

    def put(self, section: str, key: str, value: Any, origin: str, *, guess: bool = False) -> None:
        """Note a value, unless one was found before."""
        if value not in (None, "", [], {}):
            self.values.setdefault((section, key), Value(value, origin, guess))

    def get(self, section: str, key: str) -> Any:
        """Return a value that was found for certain, or None."""
        found = self.values.get((section, key))
        return None if found is None or found.guess else found.value

    def has(self, section: str) -> bool:
        """Whether anything was found for a section."""
        return any(name == section for name, _ in self.values)
