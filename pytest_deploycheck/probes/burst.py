"""The burst probe: each rate limit is driven over its edge, tried for ways around it, and left to recover."""

from __future__ import annotations

import math
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from statistics import median

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.plots import Bars
from pytest_deploycheck.target import Target
from pytest_deploycheck.target.model import RatePolicy
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.transports.http import Http, Response
from pytest_deploycheck.verdict import Reason

DODGES = 6
"""Requests with forged sender addresses, or in another spelling, right after the first refusal."""


@dataclass(frozen=True)
class PolicyRow:
    """One policy under fire.

    sent: requests until the first refusal, or all that were sent.  refused_at: number of the first 429, None
    if there was none.  refused_status: what refused when it was not 429.  retry_after_s: as the refusal says,
    None where it does not or cannot be read.  recovered: a request passed after that time.  below_refused:
    refusals among `below_sent` requests spread at a share of the limit.  forged_passed, spelt_passed: of
    `dodges` requests with forged addresses or in another spelling while blocked, those that were served.
    server_errors: answers of 500 and above other than the refusal itself.
    """

    route: str
    method: str
    limit: int
    window_s: float
    sent: int
    refused_at: int | None
    refused_status: int | None
    retry_after_s: float | None
    recovered: bool
    below_sent: int
    below_refused: int
    dodges: int
    forged_passed: int
    spelt_passed: int
    server_errors: int


@dataclass(frozen=True)
class BurstFacts:
    """All policies of `[rate]`; the plot compares where each refused first with its limit."""

    rows: tuple[PolicyRow, ...]
    plot: Bars


@probe(
    facts=BurstFacts,
    deadline=95,
    needs=("api",),
    uses={"api": "GET POST", "login": "POST"},
    safety="S2",
    allow="burst",
    exclusive=True,
)
def burst(target: Target, connect: Connections) -> BurstFacts:
    """Send more requests than each rate-limit policy allows, from one source, within the request limits."""
    policies = target.rate.policies
    if not policies:
        message = f"no policies in [rate] of {target.path.name}; add route, limit and window_s of each"
        raise CannotLook(Reason.NO_CONFIG, message)
    # The rows have routes and counters of their own, so they can be tried beside each other.
    with ThreadPoolExecutor(min(4, len(policies)), thread_name_prefix="burst") as pool:
        rows = tuple(pool.map(lambda policy: _Row(target, connect, policy).run(), policies))
    bars = tuple((f"{row.method} {row.route}", float(row.refused_at or row.sent)) for row in rows)
    return BurstFacts(rows, Bars("Requests until the first refusal", "requests", bars))


class _Row:
    """One policy's trial."""

    def __init__(self, target: Target, connect: Connections, policy: RatePolicy) -> None:
        self._target = target
        self._connect = connect
        self._policy = policy
        self._left = target.limits.burst_max_requests
        self._lock = threading.Lock()
        self._errors = 0
        login = policy.method == "POST"
        self._http: Http = connect.http("login" if login else "api")
        if policy.key == "account" and not login:
            self._http = connect.api("canary_account")

    def run(self) -> PolicyRow:
        """Drive the limit over its edge, try to dodge it, wait, and then stay below it."""
        policy = self._policy
        refused_at, refusal, sent = self._over()
        forged = spelt = 0
        if refusal is not None and refusal.status == 429:
            forged = sum(self._passed(headers=_forged(number)) for number in range(DODGES))
            spelt = sum(self._passed(path=path) for path in self._spellings())
        wait = retry_after(refusal, datetime.now(UTC)) if refusal is not None else None
        self._connect.sleep(max(policy.window_s, min(wait or 0.0, 30.0)) + 0.1)
        recovered = self._send().status != (refusal.status if refusal is not None else 429)
        below = max(1, math.floor(policy.limit * self._target.limits.burst_below_share) - 1)
        refused = 0
        for _ in range(below):
            self._connect.sleep(policy.window_s / (below + 1))
            refused += self._send().status in (429, 503)
        return PolicyRow(
            route=policy.route,
            method=policy.method,
            limit=policy.limit,
            window_s=policy.window_s,
            sent=sent,
            refused_at=refused_at,
            refused_status=refusal.status if refusal is not None else None,
            retry_after_s=wait,
            recovered=recovered,
            below_sent=below,
            below_refused=refused,
            dodges=DODGES,
            forged_passed=forged,
            spelt_passed=spelt,
            server_errors=self._errors,
        )

    def _over(self) -> tuple[int | None, Response | None, int]:
        """Send until refused, at most twice the limit and five, beside each other where needed."""
        most = min(2 * self._policy.limit + 5, self._left)
        first = [self._send() for _ in range(min(3, most))]
        pace = median(answer.total_s for answer in first)
        needed = math.ceil(pace * self._policy.limit * 1.5 / self._policy.window_s)
        answers = list(first)
        if needed <= 1:
            while len(answers) < most and not _is_refusal(answers[-1]):
                answers.append(self._send())
        else:
            with ThreadPoolExecutor(min(needed, 16)) as pool:
                while len(answers) < most and not any(map(_is_refusal, answers)):
                    size = min(needed, most - len(answers))
                    answers += pool.map(lambda _: self._send(), range(size))
        for number, answer in enumerate(answers, start=1):
            if _is_refusal(answer):
                return number if answer.status == 429 else None, answer, number
        return None, None, len(answers)

    def _send(self, path: str = "", headers: dict[str, str | None] | None = None) -> Response:
        with self._lock:
            self._left -= 1
            if self._left < 0:
                raise CannotLook(
                    Reason.NOT_ALLOWED,
                    f"{self._policy.route} needs more than limits.burst_max_requests requests",
                )
        route = path or self._policy.route
        if self._policy.method == "POST":
            answer = self._http.post(route, json=self._body(), headers=headers, credentials=True)
        else:
            answer = self._http.get(route, headers=headers)
        if answer.status >= 500 and answer.status != 503:
            self._errors += 1
        return answer

    def _body(self) -> dict[str, str]:
        """Return the canary account's own login: wrong ones would lock an account, and are not needed."""
        auth = self._target.auth
        account = auth.canary_account
        if account is None:
            file = self._target.path.name
            raise CannotLook(Reason.NO_CONFIG, f"no auth.canary_account in {file}; add username and password")
        return {auth.username_field: account.username, "password": self._connect.secret(account.password)}

    def _passed(self, path: str = "", headers: dict[str, str | None] | None = None) -> bool:
        return 200 <= self._send(path, headers).status < 300

    def _spellings(self) -> list[str]:
        route, mark, query = self._policy.route.partition("?")
        return [f"{route}/{mark}{query}", f"/{route}{mark}{query}", f"{route.upper()}{mark}{query}"]


def _is_refusal(answer: Response) -> bool:
    return answer.status in (429, 503)


def _forged(number: int) -> dict[str, str | None]:
    """Return the headers by which a client could pretend to be another one."""
    address = f"198.51.100.{number + 1}"  # TEST-NET-2, RFC 5737
    return {
        "X-Forwarded-For": address,
        "X-Real-IP": address,
        "Forwarded": f"for={address}",
        "True-Client-IP": address,
    }


def retry_after(answer: Response, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date); None without one."""
    value = (answer.header("retry-after") or "").strip()
    if re.fullmatch(r"\d+", value):
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return None
