"""Log lines by stream, in order of time, bounded in number, appended to a file and read back at start."""

from __future__ import annotations

import contextlib
import json
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import RLock

from pytest_deploycheck.demo.logql import Labels, LogQuery, MetricQuery

MAX_LINES = 500_000
Entry = tuple[int, str]  # nanoseconds since the epoch, line
_Key = tuple[tuple[str, str], ...]


class Store:
    """Streams of entries; the oldest lines go when there are too many. Safe to use from several threads."""

    def __init__(self, file: Path, max_lines: int = MAX_LINES) -> None:
        self._file = file
        self._max = max_lines
        self._streams: dict[_Key, list[Entry]] = defaultdict(list)
        self._lines = 0
        self._lock = RLock()
        if file.exists():
            for line in file.read_text().splitlines():
                with contextlib.suppress(ValueError):  # the last line of a killed process may be cut off
                    labels, entries = json.loads(line)
                    self._insert(labels, [(at, text) for at, text in entries])
            self._rewrite()

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, labels: Labels, entries: Sequence[Entry]) -> None:
        """Take entries of one stream; one that is there already is ignored, since a push may be repeated."""
        if not entries:
            return
        with self._lock:
            new = self._insert(labels, entries)
            if new:
                with self._file.open("a") as file:
                    file.write(json.dumps([labels, new]) + "\n")
            if self._lines > self._max:
                self._rewrite()

    def label_names(self, start: int, end: int) -> list[str]:
        """Return the names of all labels that have a line in the range."""
        return sorted({name for key, _ in self._between(start, end) for name, _ in key})

    def label_values(self, name: str, start: int, end: int) -> list[str]:
        """Return the values of one label that have a line in the range."""
        return sorted(
            {value for key, _ in self._between(start, end) for label, value in key if label == name}
        )

    def series(self, queries: Sequence[LogQuery], start: int, end: int) -> list[Labels]:
        """Return the label sets with a line in the range that a query selects; all without a query."""
        found = [dict(key) for key, _ in self._between(start, end)]
        return [labels for labels in found if not queries or any(query.selects(labels) for query in queries)]

    def lines(
        self, query: LogQuery, start: int, end: int, limit: int, *, forward: bool
    ) -> list[tuple[Labels, list[Entry]]]:
        """At most `limit` entries with start <= time < end over all streams, in the direction asked for."""
        found: list[tuple[int, str, _Key]] = []
        for labels, entries in self._selected(query, start, end):
            ordered: Iterable[Entry] = entries if forward else reversed(entries)
            taken = 0
            for at, line in ordered:
                result = query.process(line, labels)
                if result is not None:
                    found.append((at, line, tuple(sorted(result.items()))))
                    taken += 1
                    if taken == limit:
                        break
        found.sort(key=lambda entry: entry[0], reverse=not forward)
        streams: dict[_Key, list[Entry]] = defaultdict(list)
        for at, line, key in found[:limit]:
            streams[key].append((at, line))
        return [(dict(key), entries) for key, entries in streams.items()]

    def samples(
        self, query: MetricQuery, moments: Sequence[int]
    ) -> list[tuple[Labels, list[tuple[float, str]]]]:
        """Return the query's value, as text, at each moment in Unix seconds; none where no line is."""
        span = int(query.range_s * 10**9)
        groups: dict[_Key, list[tuple[int, int]]] = defaultdict(list)
        for labels, entries in self._selected(query.log, moments[0] - span, moments[-1] + 1):
            for at, line in entries:
                result = query.log.process(line, labels)
                if result is not None:
                    kept = result if query.by is None else {n: result[n] for n in query.by if n in result}
                    size = len(line.encode()) if query.function.startswith("bytes") else 1
                    groups[tuple(sorted(kept.items()))].append((at, size))
        divisor = query.range_s if query.function.endswith("rate") else 1.0
        series = []
        for key, sizes in groups.items():
            sizes.sort()
            times = [at for at, _ in sizes]
            points = []
            for moment in moments:
                first, last = bisect_right(times, moment - span), bisect_right(times, moment)
                if last > first:
                    total = sum(size for _, size in sizes[first:last])
                    points.append((moment / 10**9, f"{total / divisor:g}" if divisor != 1 else str(total)))
            if points:
                series.append((dict(key), points))
        return series

    def _insert(self, labels: Labels, entries: Sequence[Entry]) -> list[Entry]:
        stream = self._streams[tuple(sorted(labels.items()))]
        new = []
        for entry in entries:
            if not stream or entry > stream[-1]:
                stream.append(entry)
            else:
                place = bisect_left(stream, entry)
                if place < len(stream) and stream[place] == entry:
                    continue
                insort(stream, entry)
            new.append(entry)
        self._lines += len(new)
        return new

    def _rewrite(self) -> None:
        """Drop the oldest quarter when there are too many lines, and write what is left."""
        if self._lines > self._max:
            times = sorted(at for stream in self._streams.values() for at, _ in stream)
            oldest = times[len(times) - self._max * 3 // 4]
            for key, stream in list(self._streams.items()):
                del stream[: bisect_left(stream, (oldest, ""))]
                if not stream:
                    del self._streams[key]
            self._lines = sum(map(len, self._streams.values()))
        scratch = self._file.with_suffix(".new")
        with scratch.open("w") as file:
            for key, stream in self._streams.items():
                file.write(json.dumps([dict(key), stream]) + "\n")
        scratch.replace(self._file)

    def _between(self, start: int, end: int) -> Iterator[tuple[_Key, list[Entry]]]:
        with self._lock:
            for key, stream in list(self._streams.items()):
                entries = stream[bisect_left(stream, (start, "")) : bisect_left(stream, (end, ""))]
                if entries:
                    yield key, entries

    def _selected(self, query: LogQuery, start: int, end: int) -> Iterator[tuple[Labels, list[Entry]]]:
        for key, entries in self._between(start, end):
            labels = dict(key)
            if query.selects(labels):
                yield labels, entries
