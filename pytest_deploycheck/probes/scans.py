"""The scans probe: reports of vulnerability scanners, held against what is running."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import ignore_lists, image_scans
from pytest_deploycheck.probes.image_scans import ImageScan, stamp
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

FILE_MAX_BYTES = 64 * 2**20
_ZAP_HIGH = 3


@dataclass(frozen=True)
class WebScan:
    """One report about the public door.

    sites: the addresses that it is about.  addresses: how many of their pages and operations were seen.
    high: names of the alerts of high risk.
    """

    file: str
    sites: tuple[str, ...]
    scanned_at: str
    addresses: int
    high: tuple[str, ...]


@dataclass(frozen=True)
class ScansFacts:
    """All reports, and what they must cover: `running` are (service, digest), `site` the public address."""

    running: tuple[tuple[str, str], ...]
    site: str
    images: tuple[ImageScan, ...]
    web: tuple[WebScan, ...]


@probe(facts=ScansFacts, deadline=15, safety="S0", uses={"files": "read"})
def scans(target: Target, connect: Connections) -> ScansFacts:
    """Read the image and web scan reports that the target file names."""
    section = target.reports
    if not section.image_scans or not target.release.images:
        missing = "reports.image_scans" if not section.image_scans else "release.images"
        raise CannotLook(Reason.NO_CONFIG, f"no {missing} in {target.path.name}; add it")
    ends = _ends(target)
    read = (
        image_scans.read(path.name, report, _database(path), ends)
        for path, report in _reports(target, section.image_scans)
    )
    images = tuple(one for one in read if one is not None)
    if not images:
        raise CannotLook(Reason.NO_EVIDENCE, f"no image scan matches {section.image_scans!r}")
    web = (_web(path.name, report) for path, report in _reports(target, section.web_scan))
    return ScansFacts(
        running=tuple(target.release.images.items()),
        site=target.target.base_url,
        images=images,
        web=tuple(one for one in web if one is not None),
    )


def _reports(target: Target, pattern: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the files of a glob that starts at the target file, with the JSON objects in them."""
    for path in _matching(target, pattern):
        try:
            if path.stat().st_size > FILE_MAX_BYTES:
                raise CannotLook(
                    Reason.UNPARSEABLE, f"{path.name} is larger than {FILE_MAX_BYTES // 2**20} MiB"
                )
            report = safe_json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: {str(error)[:160]}") from None
        if isinstance(report, dict):
            yield path, report


def _matching(target: Target, pattern: str) -> list[Path]:
    if not pattern:
        return []
    if Path(pattern).is_absolute():
        raise CannotLook(Reason.NO_CONFIG, f"{pattern!r} in [reports] must be relative to {target.path.name}")
    return sorted(path for path in target.path.parent.glob(pattern) if path.is_file())


def _database(report: Path) -> str:
    """Return what `trivy version --format json` said of its database, kept beside the report or above it."""
    for path in (*report.parent.glob("*version*.json"), *report.parent.parent.glob("*version*.json")):
        try:
            return stamp(safe_json.loads(path.read_text(encoding="utf-8"))["VulnerabilityDB"]["UpdatedAt"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ""


def _ends(target: Target) -> dict[str, str]:
    """Return until when findings are ignored, by the ignore list that the scanner was given."""
    if not target.reports.ignore_file:
        return {}
    path = target.file(target.reports.ignore_file)
    try:
        return ignore_lists.ends(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise CannotLook(Reason.NO_ACCESS, f"reports.ignore_file {path.name}: {error.strerror}") from None


def _web(name: str, report: Mapping[str, Any]) -> WebScan | None:
    """Read ZAP's traditional JSON report; None for a report of something else."""
    listed = report.get("site")
    sites = [site for site in listed if isinstance(site, Mapping)] if isinstance(listed, list) else []
    if not sites:
        return None
    alerts = [alert for site in sites for alert in site.get("alerts") or () if isinstance(alert, Mapping)]
    counted = [
        int(note["statistic"])
        for note in report.get("insights") or ()
        if note.get("key") == "insight.endpoint.total" and str(note.get("statistic", "")).isdigit()
    ]
    seen = {str(place.get("uri")) for alert in alerts for place in alert.get("instances") or ()}
    return WebScan(
        file=name,
        sites=tuple(str(site.get("@name", "")).rstrip("/") for site in sites),
        scanned_at=stamp(report.get("created")) or stamp(report.get("@generated")),
        addresses=max(counted, default=len(seen)),
        high=tuple(
            str(alert.get("name") or alert.get("alert"))
            for alert in alerts
            if str(alert.get("riskcode", "")).isdigit() and int(alert["riskcode"]) >= _ZAP_HIGH
        ),
    )
