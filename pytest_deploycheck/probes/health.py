"""The health probe: what the API says of itself through the public door, several times over some seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.target import Target
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.transports.http import Response

GOOD = frozenset({"ok", "pass", "up", "healthy", "green", "true", "available", "alive", "serving"})
_STATUS_KEYS = ("status", "state", "health", "ok", "healthy")
_COMPONENT_KEYS = ("components", "checks", "details", "dependencies", "services", "entries", "results")
_TIME_KEYS = ("timestamp", "time", "ts", "now", "checked_at")
_VERSION_KEYS = ("version", "release", "releaseId", "commit", "sha", "git_sha", "revision", "build")
_LEAKS = re.compile(
    r"\w+://[^\s\"]*:[^\s\"]*@|Traceback \(most recent|at [\w.$]+\([\w.]+:\d+\)|(?i:password|secret)\s*[=:]"
    r"|\b(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2,3}\b"
)


@dataclass(frozen=True)
class HealthSample:
    """One answer.

    ok: the overall word is a good one.  word: that word.  json: the body was a JSON object.  components:
    (name, good) as reported.  age_s: how old the body's own timestamp was, None without one.  cached: the
    answer came from a cache (Age above zero, or a cache's hit header).  no_store: Cache-Control forbids
    storing.  leaks: parts of the body that tell an outsider of the inside, shortened.  total_s: seconds.
    """

    status: int
    json: bool
    ok: bool
    word: str
    components: tuple[tuple[str, bool], ...]
    versions: tuple[str, ...]
    age_s: float | None
    cached: bool
    no_store: bool
    leaks: tuple[str, ...]
    total_s: float


@dataclass(frozen=True)
class HealthFacts:
    """All answers of the health path, and what the version path says is running there.

    required: the components that the target file says must be reported.  released: the version and the
    commit that should be running.
    """

    path: str
    required: tuple[str, ...]
    released: tuple[str, ...]
    samples: tuple[HealthSample, ...]
    versions: tuple[str, ...]

    @property
    def p95_s(self) -> float:
        """The 95th percentile of the total times, in seconds."""
        times = sorted(sample.total_s for sample in self.samples)
        return times[max(0, -(-len(times) * 95 // 100) - 1)]


@probe(facts=HealthFacts, deadline=30, uses={"api": "GET"})
def health(target: Target, connect: Connections) -> HealthFacts:
    """Ask for health several times, each with a nonce that no cache has seen, and once for the version."""
    http = connect.http("api")
    samples = []
    for number in range(target.limits.health_samples):
        if number:
            connect.sleep(target.limits.health_interval_s)
        answer = http.get(target.health.path, params={"dc": f"{connect.run_id}-{number}"})
        samples.append(_sample(answer, connect.now()))
    version = http.get(target.health.version_path) if target.health.version_path else None
    versions = _versions(_object(version)) if version is not None and version.status == 200 else ()
    return HealthFacts(
        path=target.health.path,
        required=tuple(target.health.components),
        released=tuple(filter(None, (target.release.version, target.release.commit))),
        samples=tuple(samples),
        versions=versions,
    )


def _object(answer: Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except CannotLook:
        return {}
    return body if isinstance(body, dict) else {}


def _sample(answer: Response, now: datetime) -> HealthSample:
    body = _object(answer)
    word = _word(body)
    hit = " ".join(answer.all("x-cache") + answer.all("cf-cache-status") + answer.all("x-cache-status"))
    age = answer.header("age") or "0"
    return HealthSample(
        status=answer.status,
        json=bool(body),
        ok=word.lower() in GOOD,
        word=word,
        components=_components(body),
        versions=_versions(body),
        age_s=_age(body, now),
        cached=(age.isdigit() and int(age) > 0) or "hit" in hit.lower(),
        no_store="no-store" in (answer.header("cache-control") or "").lower(),
        leaks=tuple(f"{match[0][:24]}…" for match in list(_LEAKS.finditer(answer.text))[:5]),
        total_s=round(answer.total_s, 4),
    )


def _word(entry: Any) -> str:
    """Return the word by which a body or a component says how it is."""
    if isinstance(entry, dict):
        for key in _STATUS_KEYS:
            if key in entry:
                return _word(entry[key])
        return ""
    if isinstance(entry, list):
        return _word(entry[0]) if entry else ""
    return str(entry).lower() if isinstance(entry, bool) else str(entry)


def _components(body: dict[str, Any]) -> tuple[tuple[str, bool], ...]:
    for key in _COMPONENT_KEYS:
        found = body.get(key)
        if isinstance(found, dict):
            return tuple((str(name), _word(entry).lower() in GOOD) for name, entry in found.items())
        if isinstance(found, list):
            named = [entry for entry in found if isinstance(entry, dict) and entry.get("name")]
            return tuple((str(entry["name"]), _word(entry).lower() in GOOD) for entry in named)
    return ()


def _versions(body: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(body[key]) for key in _VERSION_KEYS if isinstance(body.get(key), str))


def _age(body: dict[str, Any], now: datetime) -> float | None:
    for key in _TIME_KEYS:
        value = body.get(key)
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(value)
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                moment = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
            else:
                continue
        except (ValueError, OverflowError, OSError):
            continue
        return round((now - moment).total_seconds(), 3)
    return None
