"""The known holes probe: critical findings about the running images, and open issues that call for a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe

if TYPE_CHECKING:
    from pytest_deploycheck.probes.scans import ScansFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

COUNTS = ("total_count", "total", "count", "totalCount", "size")
"""Where searches of trackers tell how many they found: GitHub, Jira, and others."""
LISTS = ("items", "issues", "results", "values", "data")


@dataclass(frozen=True)
class Hole:
    """The newest scan of one running image.

    file: its report, empty where none is about that image.  critical: (id, package, fixed in) of critical
    findings that an update would mend.  exploited: findings known to be exploited.
    """

    service: str
    digest: str
    file: str
    scanned_at: str
    critical: tuple[tuple[str, str, str], ...]
    exploited: tuple[str, ...]


@dataclass(frozen=True)
class KnownHolesFacts:
    """What scanners say of each running image, and open critical security issues; None where nobody is asked."""

    images: tuple[Hole, ...]
    security_issues: int | None
    security_problem: str


@probe(facts=KnownHolesFacts, deadline=20, uses={"disclosures": "GET"})
def known_holes(target: Target, connect: Connections, scans_facts: ScansFacts) -> KnownHolesFacts:
    """Take the newest scan of each running image, and count the tracker's open critical security issues."""
    holes = []
    for service, digest in scans_facts.running:
        about = [scan for scan in scans_facts.images if digest in scan.digests]
        scan = max(about, key=lambda one: one.scanned_at, default=None)
        if scan is None:
            holes.append(Hole(service, digest, "", "", (), ()))
            continue
        holes.append(Hole(service, digest, scan.file, scan.scanned_at, scan.critical, scan.exploited))
    count, problem = open_issues(target, connect, "disclosures", target.triggers.security_url)
    return KnownHolesFacts(tuple(holes), count, problem)


def open_issues(
    target: Target, connect: Connections, endpoint: str, address: str | None
) -> tuple[int | None, str]:
    """Return how many issues a search of the tracker finds, or why nobody can tell."""
    if address is None:
        return None, "no search is configured"
    token = target.triggers.issues_token
    url = urlsplit(address)
    try:
        http = connect.http(
            endpoint, base=f"{url.scheme}://{url.netloc}", bearer=connect.secret(token) if token else ""
        )
        answer = http.get(url.path, params=parse_qsl(url.query, keep_blank_values=True))
        if answer.status != 200:
            return None, f"{http.shown}{url.path} answers {answer.status}; give triggers.issues_token"
        return counted(answer.json())
    except (Dead, CannotLook) as why:
        return None, why.message


def counted(body: Any) -> tuple[int | None, str]:
    """Return the number of issues in a search's answer."""
    if isinstance(body, list):
        return len(body), ""
    if isinstance(body, dict):
        if body.get("incomplete_results") is True:
            return None, "the tracker's search did not come to its end"
        for name in COUNTS:
            if isinstance(body.get(name), int) and not isinstance(body[name], bool):
                return int(body[name]), ""
        for name in LISTS:
            if isinstance(body.get(name), list):
                return len(body[name]), ""
    return None, "the search's answer is neither a list nor an object with a count"
