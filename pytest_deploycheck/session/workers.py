"""pytest-xdist: one process looks, all judge, the controller writes the evidence.

Every worker collects the same tests, so whichever comes first gathers for all and leaves its (redacted)
observations in a file of the run's own temporary folder; the others wait for it.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_deploycheck.session.state import State

WAIT_S = 600.0


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")


def is_controller(config: pytest.Config) -> bool:
    """Whether this process only hands out tests to workers."""
    return (
        not is_worker(config) and config.getoption("dist", "no") != "no" and bool(config.getoption("tx", []))
    )


class Shared:
    """The file that the gathering worker leaves for the others."""

    def __init__(self, config: pytest.Config) -> None:
        uid = str(config.workerinput["testrunuid"])  # type: ignore[attr-defined]
        self._path = Path(tempfile.gettempdir()) / f"deploycheck-{os.getuid()}-{uid}.json"
        self._claim = self._path.with_suffix(".claim")

    def first(self) -> bool:
        """Whether this worker is the first to ask; exactly one gets True."""
        try:
            os.close(os.open(self._claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    def publish(self, value: Any) -> None:
        """Leave a JSON-able value for the other workers."""
        partial = self._path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(value, file)
        partial.replace(self._path)

    def wait(self) -> Any:
        """Return what the first worker published, or None when it never did."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            if self._path.exists():
                return json.loads(self._path.read_text(encoding="ascii"))
            time.sleep(0.05)
        return None

    def remove(self) -> None:
        """Remove the files."""
        self._path.unlink(missing_ok=True)
        self._claim.unlink(missing_ok=True)


def handover(state: State) -> dict[str, Any] | None:
    """Return what the controller needs of this worker, as plain JSON; None from those that only judged."""
    if state.run is None or not state.gathered:
        return None
    return {
        "active": state.active,
        "header": state.run.seen.header,
        "observations": state.run.seen.observations,
        "requests": state.run.seen.requests,
        "gather_s": state.gather_s,
    }


def adopt(state: State, values: dict[str, Any] | None) -> None:
    """Take over what the gathering worker saw, in the controller."""
    if values is None or state.run is None:
        return
    state.active = state.active or bool(values["active"])
    state.run.seen.header = {**values["header"], "run": {**values["header"]["run"], "id": state.run.id}}
    state.run.seen.observations = values["observations"]
    state.run.seen.requests = values["requests"]
    state.gather_s = float(values["gather_s"])
