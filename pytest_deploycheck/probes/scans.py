"""The scans probe: reports of vulnerability scanners, held against what is running."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.target import Target
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.verdict import Reason

SEVERE = ("CRITICAL", "HIGH")
_FILE_MAX = 64 * 2**20
_ZAP_HIGH = 3


@dataclass(frozen=True)
class ImageScan:
    """One report about one image.

    digests: those that the report is about, image id included.  scanned_at, database_at: UTC ISO 8601, empty
    where the report does not say.  classes: kinds of packages that were looked at, packages: how many.
    end_of_life: the image's system gets no more updates.  fixable: (id, package, fixed in) of severe findings
    that an update would mend.  ignored: severe findings that somebody hid without a reason or an end.
    """

    file: str
    digests: tuple[str, ...]
    scanned_at: str
    database_at: str
    classes: tuple[str, ...]
    packages: int
    end_of_life: bool
    fixable: tuple[tuple[str, str, str], ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class WebScan:
    """One report about the public door: addresses seen, and names of its high-risk alerts."""

    file: str
    site: str
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
    images = [
        _image(name, report, list(folder)) for name, report, folder in _reports(target, section.image_scans)
    ]
    found = [one for one in images if one is not None]
    if not found:
        raise CannotLook(Reason.NO_EVIDENCE, f"no image scan matches {section.image_scans!r}")
    web = (
        [_web(name, report) for name, report, _ in _reports(target, section.web_scan)]
        if section.web_scan
        else []
    )
    return ScansFacts(
        running=tuple(target.release.images.items()),
        site=target.target.base_url,
        images=tuple(found),
        web=tuple(one for one in web if one is not None),
    )


def _reports(target: Target, pattern: str) -> Iterator[tuple[str, Mapping[str, Any], Iterable[Path]]]:
    """Yield (file name, JSON, files in the folder above) of a glob that starts at the target file."""
    base = target.path.parent
    for path in sorted(base.glob(pattern)):
        try:
            if path.stat().st_size > _FILE_MAX:
                raise CannotLook(Reason.UNPARSEABLE, f"{path.name} is larger than {_FILE_MAX // 2**20} MiB")
            report = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: {str(error)[:160]}") from None
        if isinstance(report, dict):
            yield path.name, report, (path.parent.parent.glob("*version*.json"))


def _image(name: str, report: Mapping[str, Any], beside: list[Path]) -> ImageScan | None:
    """Read a Trivy report (schema 2) or one of Grype; None for a report of something else."""
    if "matches" in report and "descriptor" in report:
        return _grype(name, report)
    if report.get("SchemaVersion") != 2 or report.get("ArtifactType") != "container_image":
        return None
    about = report.get("Metadata", {})
    results = report.get("Results") or []
    digests = [text.rpartition("@")[2] for text in about.get("RepoDigests") or ()]
    hidden = [
        found.get("Finding", {}).get("VulnerabilityID", "?")
        for result in results
        for found in result.get("ExperimentalModifiedFindings") or ()
        if found.get("Finding", {}).get("Severity") in SEVERE and not found.get("Statement")
    ]
    return ImageScan(
        file=name,
        digests=(*digests, str(about.get("ImageID", ""))),
        scanned_at=_stamp(report.get("CreatedAt")),
        database_at=_database(report, beside),
        classes=tuple(sorted({str(result.get("Class", "")) for result in results})),
        packages=sum(len(result.get("Packages") or ()) for result in results),
        end_of_life=bool(about.get("OS", {}).get("EOSL")),
        fixable=tuple(
            (str(v.get("VulnerabilityID")), str(v.get("PkgName")), str(v.get("FixedVersion")))
            for result in results
            for v in result.get("Vulnerabilities") or ()
            if v.get("Severity") in SEVERE and v.get("FixedVersion")
        ),
        ignored=tuple(hidden),
    )


def _grype(name: str, report: Mapping[str, Any]) -> ImageScan:
    source = report.get("source", {}).get("target", {})
    digests = [text.rpartition("@")[2] for text in source.get("repoDigests") or ()]
    matches = report.get("matches") or []
    kinds = {str(match.get("artifact", {}).get("type", "")) for match in matches}
    system = {"deb", "rpm", "apk"}
    database = report.get("descriptor", {}).get("db", {})
    return ImageScan(
        file=name,
        digests=(*digests, str(source.get("imageID", "")), str(source.get("manifestDigest", ""))),
        scanned_at=_stamp(report.get("descriptor", {}).get("timestamp")),
        database_at=_stamp(database.get("built") or database.get("status", {}).get("built")),
        # Grype always catalogs both, and names a kind only where something was found in it.
        classes=tuple(
            sorted({"os-pkgs", "lang-pkgs"} | {"os-pkgs" if k in system else "lang-pkgs" for k in kinds})
        ),
        packages=len(matches),
        end_of_life=False,
        fixable=tuple(
            (
                str(match["vulnerability"].get("id")),
                str(match.get("artifact", {}).get("name")),
                ", ".join(match["vulnerability"]["fix"].get("versions") or ()),
            )
            for match in matches
            if str(match["vulnerability"].get("severity", "")).upper() in SEVERE
            and match["vulnerability"].get("fix", {}).get("state") == "fixed"
        ),
        ignored=tuple(
            str(match["vulnerability"].get("id"))
            for match in report.get("ignoredMatches") or ()
            if str(match["vulnerability"].get("severity", "")).upper() in SEVERE
            and not any(rule.get("reason") for rule in match.get("appliedIgnoreRules") or ())
        ),
    )


def _database(report: Mapping[str, Any], beside: list[Path]) -> str:
    """Return when the vulnerability database was made: by the report, or by `trivy version -f json`."""
    own = report.get("Trivy", {}).get("VulnerabilityDB", {}).get("UpdatedAt")
    for path in [] if own else beside:
        try:
            own = json.loads(path.read_text(encoding="utf-8"))["VulnerabilityDB"]["UpdatedAt"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return _stamp(own)


def _web(name: str, report: Mapping[str, Any]) -> WebScan | None:
    """Read ZAP's traditional JSON report; None for a report of something else."""
    sites = report.get("site")
    if not isinstance(sites, list) or not sites:
        return None
    alerts = [alert for site in sites for alert in site.get("alerts") or ()]
    counted = [
        int(note["statistic"])
        for note in report.get("insights") or ()
        if note.get("key") == "insight.endpoint.total" and str(note.get("statistic", "")).isdigit()
    ]
    seen = {str(place.get("uri")) for alert in alerts for place in alert.get("instances") or ()}
    return WebScan(
        file=name,
        site=str(sites[0].get("@name", "")),
        scanned_at=_stamp(report.get("created") or report.get("@generated")),
        addresses=max(counted, default=len(seen)),
        high=tuple(
            str(alert.get("name") or alert.get("alert"))
            for alert in alerts
            if str(alert.get("riskcode", "")).isdigit() and int(alert["riskcode"]) >= _ZAP_HIGH
        ),
    )


def _stamp(text: Any) -> str:
    """Return a report's time as UTC ISO 8601; empty for none."""
    seconds = promql.moment(text)
    if not seconds and isinstance(text, str):
        try:
            seconds = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""
