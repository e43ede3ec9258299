"""The ledger: appended to only, and every other change is found."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck import ledger
from pytest_deploycheck.record import Record


def record(number: int = 1, **items: str) -> Record:
    """Return the record of a small run."""
    return Record(
        tool={"name": "pytest-deploycheck", "version": "1"},
        run={"id": f"run-{number}", "finished_at": f"2026-11-24T09:{number % 60:02}:00+00:00"},
        target={"name": "prod", "environment": "production", "config_digest": "c"},
        release={"version": "1", "commit": "a", "images": {}, "contract": "", "deployed_at": "x"},
        checklist={"digest": "l"},
        selection=(),
        decision={"decision": "GO"},
        items=[{"item": name, "verdict": verdict} for name, verdict in (items or {"a": "passed"}).items()],
    )


def filled(path: Path, count: int = 5) -> Path:
    """Return a ledger with some runs."""
    for number in range(count):
        ledger.append(path, record(number))
    return path


def test_runs_are_chained(tmp_path: Path) -> None:
    """Each entry carries the one before, and the head stands for all."""
    view = ledger.read(filled(tmp_path / "l.jsonl"))
    assert [entry.n for entry in view.entries] == [1, 2, 3, 4, 5]
    assert not view.broken
    assert view.entries[0].prev == ledger.GENESIS
    assert view.head == view.entries[-1].hash


def test_no_file_is_an_empty_ledger(tmp_path: Path) -> None:
    """Before the first run there is nothing, and nothing wrong."""
    assert ledger.read(tmp_path / "none") == ledger.View()


@given(data=st.data())
def test_any_change_is_found(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A changed byte, a line taken out, put twice or moved: the chain says where."""
    path = tmp_path_factory.mktemp("l") / "l.jsonl"
    lines = filled(path).read_bytes().splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 2))
    how = data.draw(st.sampled_from(["byte", "out", "twice", "moved"]))
    changed = list(lines)
    if how == "byte":
        line = bytearray(lines[at])
        place = data.draw(st.integers(0, len(line) - 2))
        line[place] = (line[place] + data.draw(st.integers(1, 255))) % 256
        if bytes(line) == lines[at] or b"\n" in line[:-1]:
            return
        changed[at] = bytes(line)
    elif how == "out":
        del changed[at]
    elif how == "twice":
        changed.insert(at, lines[at])
    else:
        changed[at], changed[at + 1] = changed[at + 1], changed[at]
    if b"".join(changed) == b"".join(lines):
        return
    path.write_bytes(b"".join(changed))
    view = ledger.read(path)
    same = [vars(entry) for entry in view.entries] == [json.loads(line) for line in lines]
    assert view.broken or same, how


def test_a_torn_line_is_no_break(tmp_path: Path) -> None:
    """A run that was killed while it wrote leaves half a line; it is counted, and the next run goes on."""
    path = filled(tmp_path / "l.jsonl", 2)
    with path.open("ab") as file:
        file.write(b'{"n": 3, "prev": "')
    assert ledger.read(path).torn == (3,)
    ledger.append(path, record(9))
    view = ledger.read(path)
    assert ([entry.run for entry in view.entries], view.broken) == (["run-0", "run-1", "run-9"], "")


def test_a_broken_ledger_is_not_written_to(tmp_path: Path) -> None:
    """Nothing is appended behind a break, so that it stays to be seen."""
    path = filled(tmp_path / "l.jsonl", 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(ledger.LedgerError, match="broken at line 2"):
        ledger.append(path, record())


def test_runs_side_by_side(tmp_path: Path) -> None:
    """Runs that end at the same moment are all entered, one after the other."""
    path = tmp_path / "l.jsonl"
    threads = [threading.Thread(target=ledger.append, args=(path, record(n))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    view = ledger.read(path)
    assert (len(view.entries), view.broken) == (20, "")


def test_a_full_disk_leaves_the_ledger_whole(tmp_path: Path) -> None:
    """When the line does not fit, nothing of it stays, and the message says what to do."""
    path = filled(tmp_path / "l.jsonl", 2)
    before = path.read_bytes()
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.core.test_ledger import record\n"
        "from pytest_deploycheck import ledger\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 40}, resource.RLIM_INFINITY))\n"
        "try:\n"
        f"    ledger.append(Path({str(path)!r}), record(3))\n"
        "except ledger.LedgerError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "is not in the ledger" in done.stdout, done.stderr
    assert path.read_bytes() == before
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_latest_is_by_release_and_target(tmp_path: Path) -> None:
    """The newest verdict of each item counts, of this release and target only."""
    path = tmp_path / "l.jsonl"
    for number, items in enumerate(({"a": "failed", "b": "passed"}, {"a": "passed"})):
        ledger.append(path, record(number, **items))
    entries = ledger.read(path).entries
    release = entries[0].release
    found: dict[str, Any] = ledger.latest(entries, release=release, target="prod")
    assert {item: verdict for item, (verdict, _) in found.items()} == {"a": "passed", "b": "passed"}
    assert ledger.latest(entries, release="other", target="prod") == {}
