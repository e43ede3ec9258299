"""Rate limits as services build them: windows that slide or jump, buckets that refill, failures that count."""

from __future__ import annotations

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.burst import BurstFacts
from tests.probes.service import Asked, Reply, look, serving
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_security.py")
LIMIT, WINDOW_S = 8, 1.0
GET_ROW = f'[rate]\npolicies = [{{ route = "/quote", limit = {LIMIT}, window_s = {WINDOW_S} }}]\n'
LOGIN_ROW = f'[rate]\npolicies = [{{ route = "/auth/login", method = "POST", limit = {LIMIT}, window_s = {WINDOW_S} }}]\n'
Key = Callable[[Asked], str]


class Limiter:
    """Allows LIMIT requests of a key in WINDOW_S, in one of several ways."""

    def __init__(self, kind: str = "sliding") -> None:
        self.kind = kind
        self._lock = threading.Lock()
        self._times: dict[str, list[float]] = defaultdict(list)
        self._level: dict[str, tuple[float, float]] = {}

    def admit(self, key: str) -> bool:
        """Count a request; whether it may pass."""
        now = time.monotonic()
        with self._lock:
            if self.kind == "bucket":
                level, since = self._level.get(key, (float(LIMIT), now))
                level = min(LIMIT, level + (now - since) * LIMIT / WINDOW_S)
                self._level[key] = (level - 1 if level >= 1 else level, now)
                return level >= 1
            times = self._times[key]
            start = now // WINDOW_S * WINDOW_S if self.kind == "fixed" else now - WINDOW_S
            times[:] = [one for one in times if one > start]
            if len(times) >= LIMIT:
                return False
            times.append(now)
            return True


def address(asked: Asked) -> str:
    """Count by the connection: every test's client is the same."""
    return "client"


def limited(
    limiter: Limiter, key: Key = address, *, refusal: Reply | None = None, paths: str = ""
) -> Callable[[Asked], Reply]:
    """Return a service with a limited quote and a limited login."""
    refuse = refusal or Reply(429, {}, {"Retry-After": "1"})

    def answer(asked: Asked) -> Reply:
        path = asked.path.lower().rstrip("/") if paths == "lenient" else asked.path
        if path not in ("/quote", "/auth/login"):
            return Reply(200 if path == "/health" else 404)
        counted = asked.path if paths == "lenient" else path
        if not limiter.admit(f"{counted} {key(asked)}"):
            return refuse
        if path == "/auth/login":
            return Reply(200 if asked.json["password"] == "a-password-for-tests" else 401, {"token": "t"})
        return Reply(200)

    return answer


def burst(tmp_path: Path, answer: Callable[[Asked], Reply], row: str = GET_ROW) -> BurstFacts:
    """Drive the burst probe at a service."""
    with serving(answer) as base:
        found = look(tmp_path, base, "burst", row, allow=("burst",))
    assert found.state == "seen", found
    facts: BurstFacts = found.facts
    return facts


def judge(facts: BurstFacts) -> None:
    """Run both checks."""
    for name in ("test_rate_limit", "test_rate_limit_recovers"):
        CHECKS[name](burst_facts=facts, limits=Limits())


@pytest.mark.parametrize("kind", ["sliding", "fixed", "bucket"])
@pytest.mark.parametrize("row", [GET_ROW, LOGIN_ROW], ids=["GET", "login"])
def test_every_kind_of_correct_limiter_passes(kind: str, row: str, tmp_path: Path) -> None:
    """Sliding windows, windows that start on the second, token buckets that refill while it is looked at."""
    if kind == "bucket":
        row = row.replace(
            f"limit = {LIMIT},", f"limit = {2 * LIMIT},"
        )  # what a full bucket and its refill allow
    judge(burst(tmp_path, limited(Limiter(kind)), row))


def test_a_login_that_counts_failures_only_passes(tmp_path: Path) -> None:
    """Right passwords are never limited there, so wrong ones are what must be tried."""
    limiter, failures = Limiter(), Limiter()
    inner = limited(limiter)

    def answer(asked: Asked) -> Reply:
        if asked.path == "/auth/login" and asked.json["password"] == "a-password-for-tests":
            return Reply(200, {"token": "t"})
        if asked.path == "/auth/login" and not failures.admit("x"):
            return Reply(429, {}, {"Retry-After": "1"})
        return Reply(401) if asked.path == "/auth/login" else inner(asked)

    judge(burst(tmp_path, answer, LOGIN_ROW))


@pytest.mark.parametrize("row", [GET_ROW, LOGIN_ROW], ids=["GET", "login"])
def test_a_page_for_every_path_is_no_way_around(row: str, tmp_path: Path) -> None:
    """Other spellings get the application's page or its general refusal: neither is the limited thing."""
    inner = limited(Limiter())

    def answer(asked: Asked) -> Reply:
        if asked.path in ("/quote", "/auth/login", "/health"):
            return inner(asked)
        return Reply(401) if asked.method == "POST" else Reply(200, "<html>", {"Content-Type": "text/html"})

    judge(burst(tmp_path, answer, row))


def forged(asked: Asked) -> str:
    """Count by what the client says of itself."""
    return asked.headers.get("x-forwarded-for", "client")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (limited(Limiter(), forged), "dodged by a forged sender address"),
        (limited(Limiter(), paths="lenient"), "dodged by a trailing slash, capitals in the path"),
        (limited(Limiter(), refusal=Reply(503, {}, {"Retry-After": "1"})), "refuses with 503, not 429"),
        (limited(Limiter(), refusal=Reply(429)), "without a Retry-After"),
        (lambda asked: Reply(200), "refused none of 21"),
    ],
    ids=["forged", "spelling", "503", "no Retry-After", "off"],
)
def test_limits_that_do_not_hold_fail(answer: Callable[[Asked], Reply], words: str, tmp_path: Path) -> None:
    """Each way of not limiting is named."""
    with pytest.raises(AssertionError, match=words):
        judge(burst(tmp_path, answer))


def test_two_counters_for_one_limit_fail(tmp_path: Path) -> None:
    """Workers that count for themselves let twice as many pass."""
    turn = iter(range(10_000))
    answer = limited(Limiter(), lambda asked: str(next(turn) % 2))
    with pytest.raises(AssertionError, match=r"only request 1\d"):
        judge(burst(tmp_path, answer))


def test_a_limit_that_never_lifts_fails(tmp_path: Path) -> None:
    """What still refuses after the time that it named locks users out."""
    passed = iter(range(10_000))
    with pytest.raises(AssertionError, match="still refuses"):
        judge(
            burst(
                tmp_path,
                lambda asked: Reply(
                    200 if asked.path == "/health" or next(passed) < LIMIT else 429, {}, {"Retry-After": "1"}
                ),
            )
        )


def test_a_service_too_slow_for_its_own_limit_is_unproven(tmp_path: Path) -> None:
    """Where answers take longer than the window gives, the limit cannot be reached from here."""

    def answer(asked: Asked) -> Reply:
        time.sleep(1.2 if asked.path == "/quote" else 0)
        return Reply(200)

    facts = burst(tmp_path, answer)
    assert facts.rows[0].within_window <= 8
    with pytest.raises(Unproven, match="too slowly"):
        judge(facts)


def test_a_post_that_is_no_login_is_never_sent(tmp_path: Path) -> None:
    """It could write; the row is unproven, and nothing arrived there."""
    seen: list[str] = []

    def answer(asked: Asked) -> Reply:
        seen.append(f"{asked.method} {asked.path}")
        return Reply(200)

    row = GET_ROW.replace("limit =", 'method = "POST", limit =')
    with pytest.raises(Unproven, match="could write"):
        judge(burst(tmp_path, answer, row))
    assert set(seen) == {"GET /health"}


def test_a_burst_waits_for_permission(tmp_path: Path) -> None:
    """Without --allow burst nothing is sent."""
    with serving(lambda asked: Reply(200)) as base:
        found = look(tmp_path, base, "burst", GET_ROW)
    assert (found.state, found.reason) == ("unseen", "not_allowed")


def test_places_that_become_free_are_no_way_around(tmp_path: Path) -> None:
    """A slow service frees one place with every pair of requests: what passes then is not believed to be a dodge."""
    lock, turn = threading.Lock(), itertools.count()
    refused = itertools.count()

    def answer(asked: Asked) -> Reply:
        if asked.path == "/health":
            return Reply(200)
        if asked.path != "/quote":
            return Reply(404)
        with lock:
            if next(turn) < LIMIT:
                return Reply(200)
            # From then on every second request passes: the first of each pair.
            return Reply(200) if next(refused) % 2 else Reply(429, {}, {"Retry-After": "1"})

    facts = burst(tmp_path, answer)
    assert facts.rows[0].dodged == ()
    assert "a forged sender address" in facts.rows[0].undecided
