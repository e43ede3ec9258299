"""The log scan probe: reads every service's newest lines for secrets, after planting some of its own."""

from __future__ import annotations

import hashlib
import re
import secrets as random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import loki
from pytest_deploycheck.probes.log_patterns import Scanner
from pytest_deploycheck.probes.loki import Loki
from pytest_deploycheck.target import Target
from pytest_deploycheck.target.load import secrets as references
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.transports.http import Response
from pytest_deploycheck.verdict import Reason

_SECRET_KEY = re.compile(r"(?i)secret|password|passwd|private|token|api_?key|dsn|_url$|mnemonic")
_PUBLIC_KEY = re.compile(r"(?i)origins|public|host$|port$")
_FINDINGS_MAX = 50


@dataclass(frozen=True)
class Finding:
    """One rule broken in one service: how often, and 8 hexadecimal digits of the first line's sha256."""

    service: str
    rule: str
    count: int
    line_sha256: str


@dataclass(frozen=True)
class Planted:
    """The canary: our requests were found in the log (`seen`), and lines that hold what they carried."""

    seen: bool
    waited_s: float
    leaked_password: int
    leaked_bearer: int


@dataclass(frozen=True)
class LogScanFacts:
    """What was read: (service, lines), how many secrets were looked for by value, and what was found.

    planted: None when no request could be sent.  public_status: a stranger's answer from the log's own
    pages, None without `logs.public_ui_url`.
    """

    scanned: tuple[tuple[str, int], ...]
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
    password, bearer = f"Pl-{random.token_urlsafe(18)}", f"pl_{random.token_urlsafe(24)}"
    nonce = f"scan-{connect.run_id}"
    sent = _plant(target, connect, nonce, password, bearer)
    planted_seen, waited = _wait(target, connect, client, nonce) if sent else (False, 0.0)
    scanner = Scanner(_known(target, connect))
    planted = Scanner([("planted password", password), ("planted bearer", bearer)])
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    scanned, leaks = [], Counter[str]()
    now = connect.now().timestamp()
    allow = [re.compile(pattern) for pattern in section.allow]
    for service in section.services:
        lines = client.lines(
            client.selector(service),
            now - target.limits.logs_lookback_s,
            now + 60,
            limit=target.limits.logs_lines_max,
        )
        scanned.append((service, len(lines)))
        for line in lines:
            connect.remaining()
            leaks.update(planted.values_in(line.text))
            if any(pattern.search(line.text) for pattern in allow):
                continue
            for rule in scanner.rules_broken(line.text):
                counts[service, rule] += 1
                first.setdefault((service, rule), hashlib.sha256(line.text.encode()).hexdigest()[:8])
    found = [Finding(service, rule, n, first[service, rule]) for (service, rule), n in sorted(counts.items())]
    result = Planted(planted_seen, waited, leaks["planted password"], leaks["planted bearer"])
    return LogScanFacts(
        scanned=tuple(scanned),
        known_secrets=scanner.known,
        findings=tuple(found[:_FINDINGS_MAX]),
        planted=result if sent else None,
        public_status=_stranger(target, connect),
    )


def _plant(target: Target, connect: Connections, nonce: str, password: str, bearer: str) -> bool:
    """Send one failed login and one request with a made-up token, named so that their lines can be found."""
    connect.learn_secret(password)
    connect.learn_secret(bearer)
    agent = {"User-Agent": f"deploycheck/{nonce}"}
    account = target.auth.canary_account or target.auth.test_account
    try:
        if account is not None:
            body = {target.auth.username_field: account.username, "password": password}
            http = connect.http("login", headers=agent)
            http.post(target.auth.login_path, json=body, credentials=True)
        connect.http("api", headers=agent, bearer=bearer).get(target.auth.me_path)
    except (Dead, CannotLook):
        return False
    return True


def _wait(target: Target, connect: Connections, client: Loki, nonce: str) -> tuple[bool, float]:
    began = connect.now().timestamp()
    while True:
        now = connect.now().timestamp()
        found = client.lines(f'{client.any_service()} |= "{nonce}"', began - 120, now + 120, limit=5)
        waited = round(now - began, 2)
        if found or waited > target.limits.logs_round_trip_s or connect.remaining() < 20:
            return bool(found), waited
        connect.sleep(0.3)


def _known(target: Target, connect: Connections) -> Iterator[tuple[str, str]]:
    """Yield (name, value) of every secret that the target file or the service's own .env names."""
    section = target.logs
    assert section is not None
    for name, reference in references(target).items():
        try:
            yield name, connect.secret(reference)
        except CannotLook:
            continue
    if section.env_file:
        path = target.file(section.env_file)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise CannotLook(Reason.NO_ACCESS, f"logs.env_file {path.name}: {error.strerror}") from None
        for line in text.splitlines():
            name, found, value = line.partition("=")
            value = value.strip().strip("\"'")
            if found and _SECRET_KEY.search(name) and not _PUBLIC_KEY.search(name) and _has_secret(value):
                connect.learn_secret(value)
                yield name.strip(), value


def _has_secret(value: str) -> bool:
    """Whether a value is a secret itself: an address without credentials is not."""
    return "://" not in value or "@" in value


def _stranger(target: Target, connect: Connections) -> int | None:
    section = target.logs
    if section is None or not section.public_ui_url:
        return None
    try:
        answer: Response = connect.http("logs", base=section.public_ui_url).get("/")
    except (Dead, CannotLook):
        return 0
    return answer.status
