"""The page errors probe: lines of the database's log that speak of broken pages, files or indexes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import loki
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

PATTERNS = (
    "invalid page in block",
    "could not read block",
    "page verification failed",
    "invalid page header",
    "could not read blocks",
    "missing chunk number",
    "unexpected chunk number",
    "unexpected data beyond EOF",
    "could not access status of transaction",
    "right sibling's left-link doesn't match",
    "contains unexpected zero page",
    "invalid memory alloc request size",
    "failed to find parent tuple",
    "is not a valid b-tree",
)
"""PostgreSQL's own words for data that cannot be what was written (English; see lc_messages)."""
LEVELS = ("LOG:", "ERROR:", "WARNING:", "FATAL:", '"LOG"', '"ERROR"', '"WARNING"', '"FATAL"')
"""Levels as PostgreSQL writes them in English, in lines and in its JSON."""
LINES_MAX = 200
DAY_S = 86_400.0
_WORDS = 8


@dataclass(frozen=True)
class PageError:
    """One kind of message, how often it stood there, and 8 hexadecimal digits of the newest line's sha256."""

    pattern: str
    count: int
    line_sha256: str


@dataclass(frozen=True)
class PageErrorsFacts:
    """The database's log.

    lines: that were there in the window, whatever they say.  window_s: so far back.  english: some line has one
    of PostgreSQL's English levels, so that its words can be known.
    """

    service: str
    lines: int
    window_s: float
    english: bool
    found: tuple[PageError, ...]


@probe(facts=PageErrorsFacts, deadline=30, needs=("logs_gate",), uses={"logs": "GET"})
def page_errors(target: Target, connect: Connections) -> PageErrorsFacts:
    """Search the database's log for PostgreSQL's words of corruption."""
    section = target.logs
    assert section is not None  # its gate is open
    service = _service(target)
    if not service:
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no db.log_service in {target.path.name}; name the database's log in logs.services",
        )
    client = loki.client(target, connect)
    window = target.limits.page_errors_window_d * DAY_S
    now = connect.now().timestamp()
    selector = client.selector(service)
    newest = client.lines(selector, now - window, now + 60, limit=LINES_MAX)
    query = f"{selector} |~ `(?i){'|'.join(PATTERNS)}`"
    bad = client.lines(query, now - window, now + 60, limit=LINES_MAX)
    found = []
    for pattern in PATTERNS:
        # A statement that is logged may hold these words as well; PostgreSQL's own message says its level before.
        texts = [line.text for line in bad if pattern.lower() in line.text.lower() and _message(line.text)]
        if texts:
            digest = hashlib.sha256(texts[0].encode("utf-8", "replace")).hexdigest()[:8]
            found.append(PageError(pattern, len(texts), digest))
    return PageErrorsFacts(
        service=service,
        lines=len(newest),
        window_s=window,
        english=any(level in line.text for line in newest for level in LEVELS),
        found=tuple(found),
    )


def _message(text: str) -> bool:
    """Whether a line is a message of the server, and no statement that it logged."""
    upper = text.upper()
    return not any(mark in upper for mark in ("STATEMENT:", "EXECUTE ", "DETAIL:  PARAMETERS"))


def _service(target: Target) -> str:
    """Return the database's log: the named one, or the one that is called like a PostgreSQL."""
    if target.db is not None and target.db.log_service:
        return target.db.log_service
    listed = target.logs.services if target.logs else []
    return next((name for name in listed if any(one in name.lower() for one in ("postgres", "pgsql"))), "")
