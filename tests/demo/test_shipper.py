"""The log agent's parts: reading grown, replaced and cut files, and stamping lines with their own time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_deploycheck.demo import log_lines
from pytest_deploycheck.demo.shipper import Shipper, Tail, configure
from pytest_deploycheck.demo.world import World

S = 10**9
AT = int(datetime(2026, 11, 24, 3, 52, 18, 123000, tzinfo=UTC).timestamp() * 1000) * 10**6


def test_a_tail_gives_complete_lines_once(tmp_path: Path) -> None:
    """Half a line waits for its end; what was read does not come again."""
    file = tmp_path / "log"
    tail = Tail(file)
    assert tail.read() == []
    file.write_text("one\ntw")
    assert tail.read() == ["one"]
    with file.open("a") as more:
        more.write("o\n\nthree\n")
    assert tail.read() == ["two", "three"]
    assert tail.read() == []


def test_a_rotated_file_is_read_from_its_start(tmp_path: Path) -> None:
    """A new file under the same name and a file cut to nothing are both followed."""
    file = tmp_path / "log"
    file.write_text("one\n")
    tail = Tail(file)
    assert tail.read() == ["one"]
    file.rename(tmp_path / "log.1")
    file.write_text("two\n")
    assert tail.read() == ["two"]
    file.write_text("")
    assert tail.read() == []
    with file.open("a") as more:
        more.write("x\n")
    assert tail.read() == ["x"]


@pytest.mark.parametrize(
    ("line", "at", "level"),
    [
        ('{"ts": "2026-11-24T03:52:18.123Z", "level": "ERROR"}', AT, "error"),
        ('{"ts": "2026-11-24T03:52:18+00:00", "msec": 1795492338.123, "status": 200}', AT, "info"),
        (f'{{"ts": {AT / S}, "level": "warning"}}', AT, "warning"),
        ("2026-11-24 03:52:18.123 UTC [42] LOG:  ready", AT, "info"),
        ("2026-11-24 03:52:18.123 UTC [42] token_app@tokens ERROR:  deadlock", AT, "error"),
        ("2026-11-24 03:52:18.123 UTC [42] FATAL:  no", AT, "error"),
        ("\tCONTEXT:  more", None, "info"),
        ("{broken", None, "info"),
        ('{"level": "error"}', None, "error"),
    ],
)
def test_lines_say_when_and_how_grave(line: str, at: int | None, level: str) -> None:
    """JSON, PostgreSQL's format and lines without a time are told apart."""
    assert log_lines.parse(line) == (at, level)


def test_local_times_are_understood() -> None:
    """Formats without a zone are in the zone of the machine."""
    local = datetime.now().astimezone().replace(microsecond=0)
    expected = int(local.timestamp()) * S
    assert log_lines.parse(f"{local:%Y/%m/%d %H:%M:%S} [error] 1#1: upstream") == (expected, "error")
    assert log_lines.parse(f"7:M {local:%d %b %Y %H:%M:%S}.000 # low memory") == (expected, "warning")


def test_a_line_without_a_time_belongs_to_the_one_before(tmp_path: Path) -> None:
    """The second half of a message has the time of its first, and a skewed clock moves both."""
    world = World(tmp_path / "world")
    configure(world)
    world.path("logs", "postgres.log").write_text("2026-11-24 03:52:18.123 UTC [42] LOG:  first\n\tsecond\n")
    shipper = Shipper(world)
    shipper.config["skew_s"] = 60
    [stream] = shipper.collect()
    assert stream["stream"]["service"] == "postgres"
    assert [int(at) for at, _ in stream["values"]] == [AT + 60 * S] * 2
    assert shipper.lines[("postgres", "info")] == 2
