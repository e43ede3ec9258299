"""What Prometheus would have seen, had a deployment that starts now been there before: back-dated samples.

Names and labels are those that the demo's servers expose; the values are made up: a working day's ups and downs,
seeded, so that the same times have the same values. `promtool tsdb create-blocks-from openmetrics` makes
Prometheus's own blocks of them, which is a documented way to bring history in.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pytest_deploycheck.demo import past_series, tools
from pytest_deploycheck.demo.world import World

BEFORE = timedelta(days=7)
"""How far the samples reach back before the go-live: the week that others are compared with."""
DAY_STEP_S = 60
STEP_S = 240
PIECES = {"before": (-1e9, -1.0), "day": (-1.0, 25.0), "after": (25.0, 1e9)}
"""What is written by itself, in hours from the go-live: a first day with a fault needs not all of it anew."""
Series = tuple[str, tuple[tuple[str, str], ...]]
Change = Callable[["Past"], object]


@dataclass
class Past:
    """Samples at `times` (Unix seconds): of gauges their values, of counters what came since the sample before.

    None is a sample that was not taken.  Hours are counted from the go-live.
    """

    times: list[float]
    go_live: float
    gauges: dict[Series, list[float | None]] = field(default_factory=dict)
    counters: dict[Series, list[float]] = field(default_factory=dict)
    missed: set[int] = field(default_factory=set)

    def steps(self) -> Iterator[tuple[float, float]]:
        """Yield each sample's time and the seconds since the one before."""
        yield self.times[0], DAY_STEP_S
        yield from ((at, at - before) for before, at in zip(self.times, self.times[1:], strict=False))

    def between(self, start_h: float, end_h: float) -> range:
        """Return the indices of the samples in a stretch of time, the end excluded."""
        inside = [n for n, at in enumerate(self.times) if start_h * 3600 <= at - self.go_live < end_h * 3600]
        return range(inside[0], inside[-1] + 1) if inside else range(0)

    def named(self, name: str, /, **labels: str) -> list[Series]:
        """Return the series of a name with these labels; KeyError where there is none."""
        found = [
            one
            for one in (*self.gauges, *self.counters)
            if one[0] == name and labels.items() <= dict(one[1]).items()
        ]
        if not found:
            raise KeyError(f"no series {name}{labels} in the made-up past")
        return found

    def put(self, name: str, start_h: float, end_h: float, value: float | None, /, **labels: str) -> None:
        """Let series have one value, or none, for a while; of counters it is what came with each sample."""
        for series in self.named(name, **labels):
            for n in self.between(start_h, end_h):
                if series in self.gauges:
                    self.gauges[series][n] = value
                else:
                    self.counters[series][n] = value or 0.0

    def scale(self, name: str, start_h: float, end_h: float, factor: float, /, **labels: str) -> None:
        """Multiply series for a while."""
        for series in self.named(name, **labels):
            values: list[float] = self.gauges.get(series) or self.counters[series]  # type: ignore[assignment]
            for n in self.between(start_h, end_h):
                values[n] *= factor

    def silence(self, start_h: float, end_h: float) -> None:
        """Let no sample at all be taken for a while, as when Prometheus is stopped; counters count on."""
        self.missed |= set(self.between(start_h, end_h))

    def forget(self, name: str, /, **labels: str) -> None:
        """Let series never have been."""
        for series in self.named(name, **labels):
            self.gauges.pop(series, None)
            self.counters.pop(series, None)

    def lines(self, piece: str) -> Iterator[str]:
        """Yield a piece of it as OpenMetrics text, each series from its first sample to its last."""
        first, last = PIECES[piece]
        inside = self.between(first, last)
        kept = [(n, self.times[n]) for n in inside if n not in self.missed]
        for (name, labels), values in self.gauges.items():
            head = _head(name, labels)
            yield from (f"{head} {v:.10g} {at:.0f}\n" for n, at in kept if (v := values[n]) is not None)
        for (name, labels), grown in self.counters.items():
            head, total, totals = _head(name, labels), 0.0, []
            for value in grown:
                total += value
                totals.append(total)
            yield from (f"{head} {totals[n]:.3f} {at:.0f}\n" for n, at in kept)
        yield "# EOF\n"


def _head(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in labels) + "}"


def times(start: datetime, go_live: datetime, end: datetime) -> list[float]:
    """Return when samples were taken: each minute in the first day and the hour before it, else every four."""
    first, last = go_live.timestamp() - 3600, go_live.timestamp() + 86_400 + 600
    at, found = start.timestamp(), []
    while at < end.timestamp():
        found.append(at)
        at += DAY_STEP_S if first <= at < last else STEP_S
    return found


def made_up(world: World, end: datetime, before: timedelta = BEFORE) -> Past:
    """Return the past of a healthy deployment until `end`."""
    go_live = datetime.fromisoformat(world.release.deployed_at)
    past = Past(times(go_live - before, go_live, end), go_live.timestamp())
    past_series.fill(past, world, random.Random(7))  # noqa: S311 - a seed, so that it is always the same
    return past


def write(past: Past, piece: str, folder: Path) -> None:
    """Write Prometheus's blocks of a piece into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = folder.with_name(f"{folder.name}.om")
    with text.open("w", encoding="ascii") as file:
        file.writelines(past.lines(piece))
    command = [tools.path_of("promtool"), "tsdb", "create-blocks-from", "openmetrics", "-q"]
    done = subprocess.run(
        # By default it reads all of the text once more for every two hours of it.
        [*command, "--max-block-duration=720h", str(text), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    text.unlink()
    if done.returncode != 0:
        raise RuntimeError(f"promtool made no blocks: {done.stderr[-300:]}")


def ensure(world: World, end: datetime) -> None:
    """Give Prometheus its past before its first start, in a folder that has lived."""
    data = world.path("prometheus", "data")
    if world.lived and not data.exists():
        shutil.rmtree(folder(world), ignore_errors=True)
        past = made_up(world, end)
        for piece in PIECES:
            write(past, piece, folder(world) / piece)
        put(world)


def folder(world: World) -> Path:
    """Return where the blocks of the pieces are kept as they were made."""
    return world.path("prometheus", "past")


def put(world: World, **instead: Path) -> None:
    """Let Prometheus's data be the past and nothing else, with other folders instead of some pieces.

    It must not be running; what it has seen since its start is lost.
    """
    data, scratch = world.path("prometheus", "data"), world.path("prometheus", "data.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for piece in PIECES:
        for block in instead.get(piece, folder(world) / piece).iterdir():
            if block.is_dir():
                shutil.copytree(block, scratch / block.name)
    shutil.rmtree(data, ignore_errors=True)
    scratch.rename(data)
