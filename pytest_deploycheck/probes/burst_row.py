"""One rate-limit policy under fire: over its edge, around it, back to normal, and just below it."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.burst_dodges import Dodges, forged_headers, kind
from pytest_deploycheck.probes.volley import Shot, most_within, volley
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.edge import RatePolicy
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

VOLLEYS = 2
"""The second starts where a window begins; more would lock the account of a login."""

LONG_WINDOW_S = 15.0
"""Beyond it the requests below the limit are not spread over a window of their own."""

_MARGIN_S = 0.2


@dataclass(frozen=True)
class PolicyRow:
    """One policy under fire.

    skipped: why it was not tried, empty otherwise.  sent: requests of the last try.  refused_at: number of
    its first 429, None if there was none.  within_window: requests in the window that ended with that
    refusal; without one, the most that were sent within any window.  refused_status: what refused, 429 or
    not.  retry_after_s: as the refusal says, None where it does not or cannot be read.  ratelimit: its
    RateLimit fields.  recovered: a request passed after that time, None when that was too long to wait.
    below_refused: refusals among `below_sent` requests spread over a window, at a share of the limit.
    dodged: ways around it that work.  undecided: ways that could not be told from its recovery.
    server_errors: answers of 500 and above other than the refusal itself.
    """

    route: str
    method: str
    limit: int
    window_s: float
    skipped: str = ""
    sent: int = 0
    refused_at: int | None = None
    within_window: int = 0
    refused_status: int | None = None
    retry_after_s: float | None = None
    ratelimit: str = ""
    recovered: bool | None = None
    below_sent: int = 0
    below_refused: int = 0
    dodged: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    server_errors: int = 0


class Row:
    """One policy's trial.

    A login is tried with wrong passwords of the canary account, since some services count failures only;
    what must pass is its right one.
    """

    def __init__(self, target: Target, connect: Connections, policy: RatePolicy) -> None:
        self._target, self._connect, self._policy = target, connect, policy
        self._limits = target.limits
        self._left = self._limits.burst_max_requests
        self._lock = threading.Lock()
        self._errors = 0
        self._usual = (0, "")
        self._login = policy.method == "POST"

    def run(self) -> PolicyRow:
        """Drive the limit over its edge, try to dodge it, wait, and then stay below it."""
        policy = self._policy
        named = (policy.route, policy.method, policy.limit, policy.window_s)
        if why := self._impossible():
            return PolicyRow(*named, skipped=why)
        self._http: Http = self._connect.http("login" if self._login else "api")
        if policy.key == "account" and not self._login:
            self._http = self._connect.api("canary_account")
        shots = self._over()
        refused = next(((n, shot) for n, shot in enumerate(shots, 1) if self._is_refusal(shot.answer)), None)
        if refused is None:
            if self._login:
                self._send()  # a success ends the count of failures that some services keep of an account
            most = most_within(shots, policy.window_s)
            return PolicyRow(*named, sent=len(shots), within_window=most, server_errors=self._errors)
        number, shot = refused
        answer = shot.answer
        dodged, undecided = self._dodges() if answer.status == 429 else ((), ())
        wait = retry_after(answer, self._connect.now())
        recovered = self._recovered(wait)
        below_sent, below_refused = self._below() if recovered else (0, 0)
        return PolicyRow(
            *named,
            sent=len(shots),
            refused_at=number if answer.status == 429 else None,
            within_window=sum(shot.at_s - policy.window_s < one.at_s <= shot.at_s for one in shots),
            refused_status=answer.status,
            retry_after_s=wait,
            ratelimit=(answer.header("ratelimit") or answer.header("x-ratelimit-limit") or "")[:100],
            recovered=recovered,
            below_sent=below_sent,
            below_refused=below_refused,
            dodged=dodged,
            undecided=undecided,
            server_errors=self._errors,
        )

    def _impossible(self) -> str:
        auth, file = self._target.auth, self._target.path.name
        if self._login and self._policy.route != auth.login_path:
            return "a POST that is not the login could write; it is not sent"
        if self._login and auth.canary_account is None:
            return f"no auth.canary_account in {file}; add username and password"
        if self._most() < math.ceil(self._policy.limit * self._limits.burst_above_share) + 1:
            return f"its limit is above limits.burst_max_requests ({self._limits.burst_max_requests})"
        return ""

    def _most(self) -> int:
        return min(2 * self._policy.limit + 5, self._limits.burst_max_requests // 2)

    def _over(self) -> list[Shot]:
        """Send until refused; again when a window that began in between may have let too many pass.

        The next try starts when the refusal says, which is where such a window begins.
        """
        self._settle()
        tries: list[list[Shot]] = []
        while True:
            shots = self._volley()
            tries.append(shots)
            refused = next((shot.answer for shot in shots if self._is_refusal(shot.answer)), None)
            passed = sum(not self._is_refusal(shot.answer) for shot in shots)
            edge = self._policy.limit * self._limits.burst_above_share + 1
            wait = (retry_after(refused, self._connect.now()) if refused else None) or self._policy.window_s
            enough = len(tries) == VOLLEYS or self._left < self._most() + 40 or wait > LONG_WINDOW_S
            if refused is None or passed <= edge or enough:
                return min(tries, key=len)
            self._connect.sleep(wait + _MARGIN_S)

    def _settle(self) -> None:
        """Learn the usual answer, once what others sent before has left the window."""
        for _ in range(3):
            answer = self._send(right=False)
            self._usual = kind(answer)
            if answer.status != 429:
                return
            wait = retry_after(answer, self._connect.now()) or self._policy.window_s
            self._connect.sleep(min(wait, 30.0) + _MARGIN_S)
        raise CannotLook(
            Reason.NO_EVIDENCE, f"{self._policy.route} refuses this runner from the start (429); try later"
        )

    def _volley(self) -> list[Shot]:
        per_s = max(self._limits.burst_max_rps, 2 * self._policy.limit / self._policy.window_s)
        return volley(
            self._connect,
            lambda: self._send(right=False),
            count=self._most(),
            per_s=per_s,
            last=self._is_refusal,
        )

    def _is_refusal(self, answer: Response) -> bool:
        return answer.status == 429 or (answer.status in (403, 503) and answer.status != self._usual[0])

    def _dodges(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Try the ways around while the limit refuses."""
        return Dodges(
            self._policy.route,
            self._usual,
            self._login,
            send=lambda path, forged, right: self._send(path=path, forged=forged, right=right),
            refuses=self._is_refusal,
            fill=lambda: self._volley() if self._left > self._most() + 40 else [],
        ).all()

    def _recovered(self, wait: float | None) -> bool | None:
        """Whether a request passes after the time that the refusal named."""
        pause = max(self._policy.window_s if wait is None else wait, 0.0) + _MARGIN_S
        if pause > self._connect.remaining() - 3:
            return None
        self._connect.sleep(pause)
        return not self._is_refusal(self._send())

    def _below(self) -> tuple[int, int]:
        """Spread a share of the limit over a window; the request that showed the recovery counts too."""
        window_s = self._policy.window_s
        if window_s > LONG_WINDOW_S or 2 * window_s > self._connect.remaining() - 3:
            return 0, 0
        self._connect.sleep(window_s)
        count = max(1, math.floor(self._policy.limit * self._limits.burst_below_share))
        refused = 0
        for _ in range(count):
            self._connect.sleep(window_s / count)
            refused += self._is_refusal(self._send())
        return count, refused

    def _send(self, *, path: str = "", forged: bool = False, right: bool = True) -> Response:
        with self._lock:
            self._left -= 1
            if self._left < 0:
                message = f"{self._policy.route} needs more than limits.burst_max_requests requests"
                raise CannotLook(Reason.NOT_ALLOWED, message)
        route, headers = path or self._policy.route, forged_headers() if forged else None
        if self._login:
            answer = self._http.post(route, json=self._body(right), headers=headers, credentials=True)
        else:
            answer = self._http.get(route, headers=headers)
        if answer.status >= 500 and answer.status != 503:
            with self._lock:
                self._errors += 1
        return answer

    def _body(self, right: bool) -> dict[str, str]:
        account = self._target.auth.canary_account
        assert account is not None
        password = self._connect.secret(account.password) if right else f"wrong-{self._connect.run_id}"
        return {self._target.auth.username_field: account.username, "password": password}


def retry_after(answer: Response, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date); None without one."""
    value = (answer.header("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return None
