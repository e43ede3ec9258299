"""Runs a drill of a target file, as `--drill` does, and holds it where it is to be killed: `driver.py TARGET [STEP MOMENT]`.

MOMENT is before (its command was not run) or after (it did all, and that is not written down yet). The file
`held` beside the target file says that it waits there. The suites are not run: that they passed is made up.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pytest_deploycheck.drill import machine, steps
from pytest_deploycheck.drill.commands import permit
from pytest_deploycheck.drill.state import Drill
from pytest_deploycheck.drill.steps import Move
from pytest_deploycheck.target import load
from pytest_deploycheck.transports import Wire


def holding(
    act: Callable[[Drill], dict[str, Any]], moment: str, flag: Path
) -> Callable[[Drill], dict[str, Any]]:
    """Return a step that stops for good before or after it is done."""

    def hold() -> None:
        flag.touch()
        time.sleep(600)

    def wrapped(drill: Drill) -> dict[str, Any]:
        if moment == "before":
            hold()
        facts = act(drill)
        if moment == "after":
            hold()
        return facts

    return wrapped


def drilled(path: Path, step: str = "", moment: str = "") -> dict[str, Any]:
    """Run the drill and return its record."""
    target = load(path)
    moves = dict(steps.STEPS)
    if step:
        moves[step] = Move(moves[step].before, holding(moves[step].act, moment, path.with_name("held")))
    wire = Wire(target, run_id="test")
    with patch.object(machine, "STEPS", moves):
        record = machine.drill(
            target,
            permit(target, asked=True),
            wire,
            verified=lambda drill: {"exit_status": 0, "release": {"commit": drill.previous.commit}},
            say=lambda text: print(text, file=sys.stderr),
        )
    wire.close()
    return record.to_json()


if __name__ == "__main__":
    drilled(Path(sys.argv[1]), *sys.argv[2:])
