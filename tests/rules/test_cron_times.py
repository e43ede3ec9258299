"""When lines of cron run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pytest_deploycheck.rules.cron_times import runs

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)  # a Tuesday


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("30 2 * * *", "2026-11-25T02:30"),
        ("@daily", "2026-11-25T00:00"),
        ("0 */6 * * *", "2026-11-24T18:00"),
        ("15 3 * * mon-fri root", "2026-11-25T03:15"),
        ("0 4 * * 7", "2026-11-29T04:00"),
        ("0 4 1 * *", "2026-12-01T04:00"),
        # Either of both days, as crontab(5) says.
        ("0 4 1 * 5", "2026-11-27T04:00"),
        ("0 0 1 feb *", "2027-02-01T00:00"),
    ],
)
def test_next(line: str, first: str) -> None:
    """The next run is the one that crontab(5) tells."""
    found = runs(line, START, START + timedelta(days=90))
    assert found[0].strftime("%Y-%m-%dT%H:%M") == first


def test_every_run() -> None:
    """All runs of a time are found, the first minute excluded and the last included."""
    assert len(runs("0 */6 * * *", START, START + timedelta(days=1))) == 4


@pytest.mark.parametrize("line", ["", "@reboot", "61 * * * *", "* * *", "a b c d e"])
def test_nonsense(line: str) -> None:
    """What is no time is said so."""
    with pytest.raises((ValueError, IndexError)):
        runs(line, START, START + timedelta(days=1))
