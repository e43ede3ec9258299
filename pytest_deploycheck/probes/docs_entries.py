"""Runbooks of operations, entries of a troubleshooting guide, and topics of an update procedure, found in pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pytest_deploycheck.probes.docs_facts import Entry, Runbook
from pytest_deploycheck.rules.markdown_docs import Heading, Page, says

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

SECTIONS = (
    "trigger|when|symptom|alert",
    "impact|effect|severity",
    "step|procedure|action|what to do|mitigation",
    "verification|verif|check that|confirm",
    "rollback|roll back|undo|back out|revert",
    "escalation|escalat",
    "owner|maintain|responsib",
)
"""What a runbook must have; alternatives are separated by `|`."""
ENTRY = (
    "symptom|problem|error",
    "check|diagnos|confirm",
    "cause|reason|why",
    "fix|solution|remedy|resolution|action",
)
"""What an entry of a troubleshooting guide must have."""
OPERATIONS: Mapping[str, tuple[str, str]] = {
    "restart or scale": ("restart|scale|scaling", ""),
    "deploy": ("deploy|ship release|roll out", ""),
    "roll back": ("rollback|roll back|rolling back", ""),
    "restore the database": ("restor database|restor db|database failover|restor postgres", "db"),
    "lose the cache": ("redis|valkey|cache", "redis"),
    "change the chain's node": ("rpc|node provider|node failover", "rpc"),
    "free a stuck transaction": ("stuck transaction|stuck tx|nonce|transaction stuck", "rpc"),
    "pause the contract": ("pause contract|pausing contract|unpause", "rpc"),
    "rotate keys": ("rotat key|rotat secret|rotation|key rotat", ""),
    "renew the certificate": ("certificate|cert renew|tls renew", ""),
    "free a full disk": ("disk full|full disk|disk space|disk", ""),
    "lead an incident": ("incident", ""),
    "hand over on-call duty": ("on call|oncall|handover|hand over", ""),
}
"""Operation -> (words of its heading, section of the target file without which nobody needs it); own."""
CRITICAL = ("roll back", "restore the database", "lead an incident")
"""Operations that somebody must have gone through before they are needed."""
TOPICS: Mapping[str, tuple[str, str]] = {
    "the operating system": (
        r"operating system|\bapt\b|\bdnf\b|debian|ubuntu|unattended|\bAMI\b|base image",
        "host",
    ),
    "the container engine": (r"docker|podman|containerd|kubernetes", "docker"),
    "the database, minor and major": (r"(?s)(?=.*postgres)(?=.*\bminor\b)(?=.*\bmajor\b)", "db"),
    "the cache": (r"redis|valkey|keydb", "redis"),
    "the edge": (r"nginx|caddy|traefik|haproxy|load balancer|\bedge\b", ""),
    "dependencies of the code": (r"dependenc|lock ?file|packages of the application|requirements", ""),
    "the contract": (r"contract|proxy upgrade", "rpc"),
    "keys and certificates": (r"(?s)(?=.*\b(?:keys?|secrets?)\b)(?=.*certificate)", ""),
    "the order": (r"\border\b|first|sequence", ""),
    "a backup before": (r"back ?up", ""),
    "the way back": (r"roll ?back|revert|go back|way back|downgrade|previous", ""),
    "notice to users": (r"notice|announce|status page|maintenance window|tell users", ""),
}
"""What an update procedure must speak of -> (a pattern, section of the target file that makes it matter); own."""
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)+\|?\s*$")


def required(target: Target) -> dict[str, str]:
    """Return operation -> words of its heading, of what this target needs."""
    asked = target.docs.required_runbooks or {
        name: words for name, (words, section) in OPERATIONS.items() if _matters(target, section)
    }
    return {name: words for name, words in asked.items() if name not in target.docs.runbooks_not_needed}


def _matters(target: Target, section: str) -> bool:
    if section == "docker":
        return bool(target.docker.project or target.docker.compose_files)
    return not section or getattr(target, section) is not None


def runbook(operation: str, words: str, pages: Iterable[tuple[str, str, Page]]) -> Runbook:
    """Return the best runbook of an operation among (path, digest, page): the one that lacks least."""
    found = [
        _of(operation, path, digest, page, heading)
        for path, digest, page in pages
        for heading in page.headings
        if heading.level <= 2 and says(heading.title, words)
    ]
    return min(
        found,
        key=lambda one: (len(one.lacks), len(one.undone)),
        default=Runbook(operation, "", "", "", (), 0, ()),
    )


def _of(operation: str, path: str, digest: str, page: Page, heading: Heading) -> Runbook:
    part = page if heading is page.headings[0] else page.part(heading)
    lacks = [words.partition("|")[0] for words in part.lacking(SECTIONS)]
    # A page's front matter and its owner hold for each of its parts.
    if any(says(key, "owner|maintainer") and value for key, value in page.front):
        lacks = [word for word in lacks if word != "owner"]
    return Runbook(
        operation, path, heading.title[:120], digest, tuple(lacks), len(part.commands), part.undone[:5]
    )


def entries(page: Page) -> tuple[Entry, ...]:
    """Return the entries of a guide: headings with labelled parts below, or rows of a table with such columns."""
    return (*_headed(page), *_rows(page))


def _headed(page: Page) -> list[Entry]:
    found = []
    for heading in page.headings:
        part = page.part(heading)
        lacks = part.lacking(ENTRY)
        own = any(says(one.title, words) for one in part.headings for words in ENTRY)
        deeper = (
            [one for one in part.headings if len(part.part(one).lacking(ENTRY)) < len(ENTRY)]
            if not own
            else []
        )
        if len(lacks) < len(ENTRY) and not deeper and not any(says(heading.title, words) for words in ENTRY):
            about = f"{heading.title}\n{part.section(ENTRY[0]) or ''}"
            found.append(
                Entry(heading.title[:120], about[:1000], tuple(one.partition("|")[0] for one in lacks))
            )
    return found


def _rows(page: Page) -> list[Entry]:
    found = []
    for number, line in enumerate(page.prose):
        if not _TABLE_RULE.match(line) or number == 0:
            continue
        columns = _cells(page.prose[number - 1])
        places = [next((at for at, name in enumerate(columns) if says(name, words)), None) for words in ENTRY]
        if sum(place is not None for place in places) < 2:
            continue
        for row in page.prose[number + 1 :]:
            if "|" not in row:
                break
            cells = _cells(row)
            lacks = tuple(
                words.partition("|")[0]
                for words, place in zip(ENTRY, places, strict=True)
                if place is None or place >= len(cells) or not cells[place]
            )
            symptom = cells[places[0]] if places[0] is not None and places[0] < len(cells) else ""
            found.append(Entry(cells[0][:120], f"{cells[0]}\n{symptom}"[:1000], lacks))
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def topics(target: Target, text: str) -> tuple[tuple[str, bool], ...]:
    """Return of each topic that matters here whether an update procedure speaks of it."""
    return tuple(
        (name, re.search(pattern, text, re.IGNORECASE) is not None)
        for name, (pattern, section) in TOPICS.items()
        if _matters(target, section)
    )
