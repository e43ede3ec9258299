"""The log scan probe: reads every service's newest lines for secrets, after planting some of its own."""

from __future__ import annotations

import hashlib
import re
import secrets as random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import loki, secret_values
from pytest_deploycheck.probes.log_patterns import Scanner
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.loki import LogLine, Loki
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Response

BATCH = 1_000
"""Lines that are scanned at a time."""
_FINDINGS_MAX = 50
_REQUEST_IDS = (
    "x-request-id",
    "x-correlation-id",
    "request-id",
    "x-amzn-requestid",
    "x-trace-id",
    "traceparent",
)


@dataclass(frozen=True)
class Finding:
    """One rule broken in one service: how often, and 8 hexadecimal digits of the first line's sha256."""

    service: str
    rule: str
    count: int
    line_sha256: str


@dataclass(frozen=True)
class Planted:
    """The canary: our requests were found in the log (`seen`), and lines that hold what they carried.

    login: a failed login was among them.  waited_s: until the first of our lines was there.
    """

    seen: bool
    login: bool
    waited_s: float
    leaked_password: int
    leaked_bearer: int


@dataclass(frozen=True)
class ServiceScan:
    """One service's lines: how many were read, and the Unix times of the oldest and the newest, 0 of none."""

    service: str
    lines: int
    oldest: float
    newest: float


@dataclass(frozen=True)
class LogScanFacts:
    """What was read, how many secrets were looked for by value, and what was found.

    allowed: lines that `logs.allow` takes out of the scan.  planted: None when no request could be sent.
    public_status: a stranger's answer from the log's own pages, None without `logs.public_ui_url`; 0 when
    there was no answer.
    """

    scanned: tuple[ServiceScan, ...]
    allowed: int
    known_secrets: int
    findings: tuple[Finding, ...]
    planted: Planted | None
    public_status: int | None


@probe(
    facts=LogScanFacts,
    deadline=90,
    needs=("logs_gate",),
    uses={"logs": "GET", "api": "GET", "login": "POST", "files": "read"},
    safety="S2",
)
def log_scan(target: Target, connect: Connections) -> LogScanFacts:
    """Plant a wrong password and a made-up bearer token, then read the logs for them and for every secret."""
    section = target.logs
    assert section is not None
    client = loki.client(target, connect)
    canary = _Canary(target, connect)
    sent = canary.send()
    seen, waited = canary.wait(client) if sent else (False, 0.0)
    look = _Look(target, connect, canary)
    now = connect.now().timestamp()
    for service in section.services:
        start = now - target.limits.logs_lookback_s
        limit = target.limits.logs_lines_max
        look.read(service, client.lines(client.selector(service), start, now + 60, limit=limit))
    planted = Planted(seen, canary.login, waited, look.leaks[canary.password], look.leaks[canary.bearer])
    return LogScanFacts(
        scanned=tuple(look.scanned),
        allowed=look.allowed,
        known_secrets=look.scanner.known,
        findings=tuple(look.findings())[:_FINDINGS_MAX],
        planted=planted if sent else None,
        public_status=_stranger(target, connect),
    )


class _Look:
    """Scans lines batch by batch; keeps counts and digests, never a line."""

    def __init__(self, target: Target, connect: Connections, canary: _Canary) -> None:
        assert target.logs is not None
        self._connect = connect
        self._allow = _allow(target.logs.allow)
        self._planted = Scanner(((name, name) for name in (canary.password, canary.bearer)), shapes=False)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}
        self.scanner = Scanner(secret_values.known(target, connect))
        self.scanned: list[ServiceScan] = []
        self.leaks: Counter[str] = Counter()
        self.allowed = 0

    def read(self, service: str, lines: Sequence[LogLine]) -> None:
        """Scan one service's lines, newest first."""
        oldest, newest = (lines[-1].at, lines[0].at) if lines else (0.0, 0.0)
        self.scanned.append(ServiceScan(service, len(lines), oldest, newest))
        for start in range(0, len(lines), BATCH):
            self._connect.remaining()
            batch = [line.text for line in lines[start : start + BATCH]]
            self.leaks.update(rule.removeprefix("value of ") for rule, _ in self._planted.broken(batch))
            kept = [text for text in batch if self._allow is None or not self._allow.search(text)]
            self.allowed += len(batch) - len(kept)
            for rule, number in self.scanner.broken(kept):
                self._counts[service, rule] += 1
                digest = hashlib.sha256(kept[number].encode("utf-8", "replace")).hexdigest()[:8]
                self._first.setdefault((service, rule), digest)

    def findings(self) -> Iterator[Finding]:
        """Yield what was found, by service and rule."""
        for (service, rule), count in sorted(self._counts.items()):
            yield Finding(service, rule, count, self._first[service, rule])


class _Canary:
    """One failed login and one request with a made-up token, named so that their lines can be found."""

    def __init__(self, target: Target, connect: Connections) -> None:
        self._target, self._connect = target, connect
        self.password, self.bearer = f"Pl-{random.token_urlsafe(18)}", f"pl_{random.token_urlsafe(24)}"
        self.login = False
        self._names = [f"log-scan-{random.token_hex(6)}"]
        connect.learn_secret(self.password)
        connect.learn_secret(self.bearer)

    def send(self) -> bool:
        """Send both; whether at least one was answered."""
        auth = self._target.auth
        agent = {"User-Agent": f"deploycheck/{self._connect.run_id} {self._names[0]}"}
        account = auth.canary_account or auth.test_account
        answers: list[Response] = []
        try:
            if account is not None:
                body = {auth.username_field: account.username, "password": self.password}
                http = self._connect.http("login", headers=agent)
                answers.append(http.post(auth.login_path, json=body, credentials=True))
                self.login = True
            http = self._connect.http("api", headers=agent, bearer=self.bearer)
            answers.append(http.get(auth.me_path, params={"dc": self._names[0]}))
        except (Dead, CannotLook):
            pass  # a refusal to be reached is another item's failure
        for answer in answers:
            ids = (answer.header(name) or "" for name in _REQUEST_IDS)
            self._names += [found for found in ids if re.fullmatch(r"[\w-]{8,64}", found)]
        return bool(answers)

    def wait(self, client: Loki) -> tuple[bool, float]:
        """Wait until a line names one of our requests; whether it came, and the seconds."""
        began = self._connect.now().timestamp()
        query = f'{client.any_service()} |~ "{"|".join(self._names)}"'
        while True:
            now = self._connect.now().timestamp()
            found = client.lines(query, began - 120, now + 120, limit=5)
            waited = round(now - began, 2)
            limit_s = self._target.limits.logs_round_trip_s
            if found or waited > limit_s or self._connect.remaining() < 20:
                return bool(found), waited
            self._connect.sleep(0.3)


def _allow(patterns: Sequence[str]) -> re.Pattern[str] | None:
    try:
        return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None
    except re.error as error:
        raise CannotLook(Reason.NO_CONFIG, f"logs.allow holds no regular expression: {error}") from None


def _stranger(target: Target, connect: Connections) -> int | None:
    """Return what the log's own pages answer to somebody without a token."""
    section = target.logs
    if section is None or not section.public_ui_url:
        return None
    try:
        return connect.http("logs", base=section.public_ui_url).get("").status
    except (Dead, CannotLook):
        return 0
