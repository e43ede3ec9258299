"""The health probe: what the API says of itself through the public door, several times over some seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes.fields import document

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

GOOD = frozenset(
    "ok okay pass passed passing up healthy green true available alive serving running ready connected "
    "operational online success active normal".split()
)
ALIASES: Mapping[str, frozenset[str]] = {
    "db": frozenset({"db", "database", "postgres", "postgresql", "pg", "sql", "datasource"}),
    "redis": frozenset({"redis", "cache", "valkey", "keydb"}),
    "rpc": frozenset({"rpc", "ethereum", "eth", "chain", "blockchain", "web3", "evm", "node"}),
    "queue": frozenset({"queue", "worker", "workers", "jobs", "broker"}),
}
"""What services call the components that a target file may require."""

_STATUS_KEYS = ("status", "state", "health", "ok", "healthy")
_COMPONENT_KEYS = ("components", "checks", "details", "dependencies", "services", "entries", "results")
_TIME_KEYS = ("timestamp", "time", "ts", "now", "checked_at", "checkedAt", "date")
_VERSION_KEYS = frozenset("version release releaseid commit sha gitsha gitcommit revision build".split())
_HIT_HEADERS = ("x-cache", "x-cache-status", "x-proxy-cache", "cf-cache-status", "cache-status")
_LEAKS: Mapping[str, re.Pattern[str]] = {
    "credentials in a URL": re.compile(r"\w+://[^\s/\"]*:[^\s/\"]*@"),
    "a password or secret": re.compile(r"(?i:password|passwd|secret|private_key)[\"']?\s*[=:]\s*[\"']?\w"),
    "a stack trace": re.compile(
        r"Traceback \(most recent|\bat [\w.$<>]+\s?\([\w./\\-]+:\d+|\bFile \\?\"[^\"]+\", line \d+"
        r"|goroutine \d+ \["
    ),
    "a private address": re.compile(
        r"(?<![\d.])(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})(?![\d.])"
    ),
    "an internal host": re.compile(
        r"\b[a-z][\w-]*(?:\.[\w-]+)*\.(?:internal|local|lan|corp|svc)\b"
        r"|\b[a-z][\w.-]*:(?:5432|6379|3306|27017|8545|8546|9200|11211)\b"
    ),
}


@dataclass(frozen=True)
class HealthSample:
    """One answer.

    ok: the overall word is a good one.  word: that word.  json: the body was a JSON object.  components:
    (name, good) as reported.  versions: the versions and commits that the body tells.
    age_s: how old the body's own timestamp was, None without one.  cached: the answer came from a cache
    (Age above zero, or a cache's hit header).  uncacheable: Cache-Control lets no cache answer unasked.
    leaks: what of the inside the body tells an outsider.  total_s: seconds.
    """

    status: int
    json: bool
    ok: bool
    word: str
    components: tuple[tuple[str, bool], ...]
    versions: tuple[str, ...]
    age_s: float | None
    cached: bool
    uncacheable: bool
    leaks: tuple[str, ...]
    total_s: float

    def component(self, required: str) -> bool | None:
        """Return whether a required component is good, under any of its names; None if not reported."""
        names = ALIASES.get(required.lower(), frozenset()) | {required.lower()}
        found = [
            good
            for name, good in self.components
            if name.lower() in names or names & set(re.split(r"[^a-z0-9]+", name.lower()))
        ]
        return all(found) if found else None


@dataclass(frozen=True)
class HealthFacts:
    """All answers of the health path, and what the version path says is running there.

    required: the components that the target file says must be reported.  version, commit: what should be
    running; empty when the target file does not name it.  told: the versions and commits in each answer of
    the version path.
    """

    path: str
    required: tuple[str, ...]
    version: str
    commit: str
    samples: tuple[HealthSample, ...]
    told: tuple[tuple[str, ...], ...]

    @property
    def p95_s(self) -> float:
        """The 95th percentile of the total times, in seconds."""
        times = sorted(sample.total_s for sample in self.samples)
        return times[max(0, -(-len(times) * 95 // 100) - 1)]

    @property
    def comparable(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What was released beside what an answer tells of the same kind, for each answer that does."""
        found = []
        for told in (*(sample.versions for sample in self.samples), *self.told):
            commits = tuple(word for word in words(told) if is_commit(word))
            versions = tuple(word for word in words(told) if not is_commit(word))
            found += [pair for pair in ((self.version, versions), (self.commit, commits)) if all(pair)]
        return tuple(found)


@probe(facts=HealthFacts, deadline=30, needs=("net_gate",), uses={"api": "GET"})
def health(target: Target, connect: Connections) -> HealthFacts:
    """Ask for version and health several times, each with a nonce that no cache has seen."""
    http = connect.http("api")
    samples, told = [], []
    for number in range(target.limits.health_samples):
        if number:
            connect.sleep(target.limits.health_interval_s)
        # The version first: it also opens the connection, whose cost is not the health check's.
        told.append(_released(http, target.health.version_path))
        answer = http.get(target.health.path, params={"dc": f"{connect.run_id}-{number}"})
        samples.append(sample(answer, connect.now()))
    return HealthFacts(
        path=target.health.path,
        required=tuple(target.health.components),
        version=target.release.version,
        commit=target.release.commit,
        samples=tuple(samples),
        told=tuple(told),
    )


def is_commit(told: str) -> bool:
    """Whether a word is a commit's hash or its beginning, rather than a version."""
    return bool(re.fullmatch(r"(?=.*[a-f]|.{40})[0-9a-f]{7,64}", told.lower()))


def agrees(released: str, told: str) -> bool:
    """Whether what an answer tells is what was released: 1.4.2 as v1.4.2, a commit by its beginning."""
    wanted, found = released.lower().removeprefix("v"), told.lower().removeprefix("v")
    if is_commit(wanted) and is_commit(found):
        return found.startswith(wanted) or wanted.startswith(found)
    return wanted == found


def words(told: tuple[str, ...]) -> list[str]:
    """Return versions and commits one by one: token-api@1.4.2+84b7be6 tells of both."""
    return [word for text in told for word in re.split(r"[\s@+/:]+", text) if re.search(r"\d", word)]


def sample(answer: Response, now: datetime) -> HealthSample:
    """Return what one answer of the health path says at `now`."""
    body = _object(answer)
    word = _word(body)
    hits = " ".join(value for name in _HIT_HEADERS for value in answer.all(name)).lower()
    age = answer.header("age") or "0"
    return HealthSample(
        status=answer.status,
        json=bool(body),
        ok=_good(body),
        word=word[:80],
        components=_components(body),
        versions=_versions(body),
        age_s=_age(body, now),
        cached=(age.isdigit() and int(age) > 0) or bool(re.search(r"\bhit\b", hits)),
        uncacheable=_uncacheable(answer),
        leaks=tuple(name for name, pattern in _LEAKS.items() if pattern.search(answer.text)),
        total_s=round(answer.total_s, 4),
    )


def _released(http: Http, path: str) -> tuple[str, ...]:
    if not path:
        return ()
    answer = http.get(path)
    return _versions(_object(answer)) if answer.status == 200 else ()


def _object(answer: Response) -> dict[str, Any]:
    body = document(answer)
    return body if isinstance(body, dict) else {}


def _uncacheable(answer: Response) -> bool:
    """Whether no cache may answer in the service's place without asking it (RFC 9111, 5.2.2)."""
    words = {word.strip().lower() for value in answer.all("cache-control") for word in value.split(",")}
    if {"no-store", "no-cache", "private", "s-maxage=0"} & words:
        return True
    if words:
        return "max-age=0" in words and not any(word.startswith("s-maxage=") for word in words)
    return answer.header("expires") in ("0", "-1")


def _word(entry: Any) -> str:
    """Return the word by which a body or a component says how it is."""
    if isinstance(entry, dict):
        return next((_word(entry[key]) for key in _STATUS_KEYS if key in entry), "")
    if isinstance(entry, list):
        return " ".join(dict.fromkeys(_word(one) for one in entry))
    return str(entry).lower() if isinstance(entry, bool) else str(entry)


def _good(entry: Any) -> bool:
    """Whether it says it is well; a list of measurements is, when each of them is."""
    if isinstance(entry, list):
        return bool(entry) and all(_good(one) for one in entry)
    return _word(entry).lower() in GOOD


def _components(body: dict[str, Any]) -> tuple[tuple[str, bool], ...]:
    for key in _COMPONENT_KEYS:
        found = body.get(key)
        if isinstance(found, dict):
            return tuple((str(name), _good(entry)) for name, entry in found.items())
        if isinstance(found, list):
            named = [entry for entry in found if isinstance(entry, dict) and entry.get("name")]
            return tuple((str(entry["name"]), _good(entry)) for entry in named)
    return ()


def _versions(body: dict[str, Any]) -> tuple[str, ...]:
    plain = {key.replace("_", "").replace("-", "").lower(): value for key, value in body.items()}
    return tuple(str(plain[key]) for key in plain if key in _VERSION_KEYS and isinstance(plain[key], str))


def _age(body: dict[str, Any], now: datetime) -> float | None:
    """Return how old a body says it is; a time without a zone may be of any zone, so quarters are dropped."""
    for key in _TIME_KEYS:
        value = body.get(key)
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(value)
                age = (now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds()
                return round(age if moment.tzinfo else (age + 450) % 900 - 450, 3)
            if isinstance(value, int | float) and not isinstance(value, bool):
                moment = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
                return round((now - moment).total_seconds(), 3)
        except (ValueError, OverflowError, OSError):
            continue
    return None
