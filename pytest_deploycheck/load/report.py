"""Reading what Locust leaves: statistics, failures, exceptions, history, and a manifest of what was tested.

Locust ends with status 0 after zero requests and with 1 after a single failed one, so only its numbers count.
Times in its files are milliseconds; a quantile of no requests is N/A.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pytest_deploycheck.load.runner import MANIFEST
from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

BYTES_MAX = 64 * 2**20
REQUIRED = ("host", "users", "rps", "duration_s", "started_at", "commit")
WRITE = (
    f"write {MANIFEST} beside it: "
    '{"host": "https://…", "users": 20, "rps": 50, "duration_s": 600, "started_at": "2026-11-24T09:30:00Z", '
    '"commit": "…"}'
)


@dataclass(frozen=True)
class Route:
    """One row of the statistics; times in seconds, None without a request."""

    method: str
    name: str
    requests: int
    failures: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None
    rps: float


@dataclass(frozen=True)
class Moment:
    """One row of the history: Unix time in s, users, requests per second, 95th percentile in s."""

    at: float
    users: int
    rps: float
    p95_s: float | None


@dataclass(frozen=True)
class Report:
    """A report set. altered: files of another digest than its own.  histogram: (seconds, requests)."""

    manifest: Mapping[str, Any]
    started_at: datetime
    total: Route
    routes: tuple[Route, ...]
    errors: tuple[tuple[str, str, int], ...]
    exceptions: tuple[tuple[str, int], ...]
    history: tuple[Moment, ...]
    histogram: tuple[tuple[float, int], ...]
    altered: tuple[str, ...]


def read(folder: Path) -> Report:
    """Read the report set in a folder; CannotLook says what is missing or cannot be understood."""
    manifest = _manifest(folder)
    stem = _stem(folder, manifest)
    stats = [_route(row) for row in _rows(folder / f"{stem}_stats.csv")]
    totals = [one for one in stats if one.name == "Aggregated" and not one.method]
    if len(totals) != 1:
        raise CannotLook(
            Reason.UNPARSEABLE, f"{stem}_stats.csv has {len(totals)} rows named Aggregated, not one"
        )
    for kind in ("failures", "exceptions", "stats_history"):
        if not (folder / f"{stem}_{kind}.csv").is_file():
            raise CannotLook(Reason.NO_EVIDENCE, f"{stem}_{kind}.csv is missing; Locust writes it with --csv")
    failures = _rows(folder / f"{stem}_failures.csv")
    exceptions = _rows(folder / f"{stem}_exceptions.csv")
    history = _rows(folder / f"{stem}_stats_history.csv")
    try:
        return Report(
            manifest=manifest,
            started_at=_moment(manifest),
            total=totals[0],
            routes=tuple(one for one in stats if one is not totals[0]),
            errors=tuple((row["Name"], row["Error"][:200], int(row["Occurrences"])) for row in failures),
            exceptions=tuple((row["Message"][:200], int(row["Count"])) for row in exceptions),
            history=tuple(_point(row) for row in history if row["Name"] == "Aggregated" and not row["Type"]),
            histogram=_histogram(folder / f"{stem}.json"),
            altered=_altered(folder, manifest),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise CannotLook(
            Reason.UNPARSEABLE, f"the report in {folder.name} is not Locust's: {error!r:.160}"
        ) from None


def _manifest(folder: Path) -> Mapping[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        if any(folder.glob("*_stats.csv")):
            raise CannotLook(Reason.NO_EVIDENCE, f"{folder.name} says not what was tested; {WRITE}")
        raise CannotLook(Reason.NO_EVIDENCE, f"no load test report in {folder}; run one with --allow load")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotLook(Reason.UNPARSEABLE, f"{MANIFEST}: {str(error)[:160]}") from None
    if not isinstance(found, dict):
        raise CannotLook(Reason.UNPARSEABLE, f"{MANIFEST} is no JSON object; {WRITE}")
    missing = [name for name in REQUIRED if found.get(name) in (None, "")]
    if missing:
        raise CannotLook(Reason.NO_EVIDENCE, f"{MANIFEST} lacks {', '.join(missing)}; {WRITE}")
    return found


def _moment(manifest: Mapping[str, Any]) -> datetime:
    at = datetime.fromisoformat(str(manifest["started_at"]))
    if at.tzinfo is None:
        raise ValueError("started_at needs a time zone")
    return at


def _stem(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Return the name that the files of the set begin with."""
    found = sorted(path.name.removesuffix("_stats.csv") for path in folder.glob("*_stats.csv"))
    wanted = manifest.get("prefix")
    if wanted is not None:
        found = [stem for stem in found if stem == wanted]
    if not found:
        raise CannotLook(
            Reason.NO_EVIDENCE, f"no {wanted or '*'}_stats.csv in {folder}; Locust writes it with --csv"
        )
    if len(found) > 1:
        raise CannotLook(
            Reason.NO_EVIDENCE, f"{folder.name} holds {len(found)} reports ({', '.join(found)}); keep one"
        )
    return found[0]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise CannotLook(Reason.UNPARSEABLE, f"{path.name} is larger than {BYTES_MAX // 2**20} MiB")
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            yield from csv.DictReader(file)
    except (OSError, csv.Error) as error:
        raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: {str(error)[:160]}") from None


def _route(row: Mapping[str, str]) -> Route:
    try:
        return Route(
            method=row["Type"],
            name=row["Name"],
            requests=int(row["Request Count"]),
            failures=int(row["Failure Count"]),
            p50_s=_seconds(row["50%"]),
            p95_s=_seconds(row["95%"]),
            p99_s=_seconds(row["99%"]),
            max_s=_seconds(row["100%"]),
            rps=float(row["Requests/s"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise CannotLook(Reason.UNPARSEABLE, f"the statistics are not Locust's: {error!r:.160}") from None


def _point(row: Mapping[str, str]) -> Moment:
    return Moment(
        float(row["Timestamp"]), int(row["User Count"]), float(row["Requests/s"]), _seconds(row["95%"])
    )


def _seconds(text: str) -> float | None:
    return None if text.strip() in ("", "N/A") else float(text) / 1000


def _histogram(path: Path) -> tuple[tuple[float, int], ...]:
    """Return the distribution over all routes, if Locust was told to write it (--json-file)."""
    if not path.is_file() or path.stat().st_size > BYTES_MAX:
        return ()
    counts: dict[float, int] = {}
    for entry in json.loads(path.read_text(encoding="utf-8")):
        for milliseconds, count in entry["response_times"].items():
            at = float(milliseconds) / 1000
            counts[at] = counts.get(at, 0) + int(count)
    return tuple(sorted(counts.items()))


def _altered(folder: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    sums = manifest.get("sha256") or {}
    return tuple(
        name
        for name, digest in sums.items()
        if not (folder / Path(name).name).is_file()
        or hashlib.sha256((folder / Path(name).name).read_bytes()).hexdigest() != digest
    )
