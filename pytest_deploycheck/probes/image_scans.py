"""Reports about images, as Trivy and Grype write them, brought to one shape. Parsing only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SEVERE = ("CRITICAL", "HIGH")
_SYSTEM_PACKAGES = frozenset({"deb", "rpm", "apk", "alpm", "portage"})


@dataclass(frozen=True)
class Ignored:
    """A severe finding that somebody hid: why, and until when (UTC ISO 8601); empty where that is not said."""

    id: str
    reason: str
    until: str


@dataclass(frozen=True)
class ImageScan:
    """One report about one image.

    digests: those that the report is about, image id included.  scanned_at, database_at: UTC ISO 8601, empty
    where the report does not say.  system: the distribution that was recognized, empty for none.  classes:
    kinds of packages that were looked at.  packages: how many were listed, None where the report lists none
    but findings.  end_of_life: the image's system gets no more updates.  fixable: (id, package, fixed in) of
    severe findings that an update would mend, critical: those of them that are critical.  exploited: findings known
    to be exploited, fixable or not.
    """

    file: str
    digests: tuple[str, ...]
    scanned_at: str
    database_at: str
    system: str
    classes: tuple[str, ...]
    packages: int | None
    end_of_life: bool
    fixable: tuple[tuple[str, str, str], ...]
    exploited: tuple[str, ...]
    ignored: tuple[Ignored, ...]
    critical: tuple[tuple[str, str, str], ...] = ()


def read(name: str, report: Mapping[str, Any], database_at: str, ends: Mapping[str, str]) -> ImageScan | None:
    """Return the facts of a report, or None for a report of something else.

    database_at: what `trivy version` said beside the report.  ends: id -> until when it is ignored.
    """
    if "matches" in report and "descriptor" in report:
        return _grype(name, report, ends)
    if report.get("SchemaVersion") == 2 and report.get("ArtifactType") == "container_image":
        return _trivy(name, report, database_at, ends)
    return None


def _trivy(name: str, report: Mapping[str, Any], database_at: str, ends: Mapping[str, str]) -> ImageScan:
    about, results = _map(report, "Metadata"), _maps(report, "Results")
    system = _map(about, "OS")
    listed = [result for result in results if isinstance(result.get("Packages"), list)]
    return ImageScan(
        file=name,
        digests=tuple(filter(None, (*_digests(about.get("RepoDigests")), str(about.get("ImageID") or "")))),
        scanned_at=stamp(report.get("CreatedAt")),
        database_at=stamp(_map(_map(report, "Trivy"), "VulnerabilityDB").get("UpdatedAt")) or database_at,
        system=" ".join(str(system[key]) for key in ("Family", "Name") if system.get(key)),
        classes=tuple(sorted({str(result.get("Class") or "") for result in results} - {""})),
        packages=sum(len(result["Packages"]) for result in listed) if listed else None,
        end_of_life=bool(system.get("EOSL")),
        fixable=tuple(
            (str(one.get("VulnerabilityID")), str(one.get("PkgName")), str(one.get("FixedVersion")))
            for result in results
            for one in _maps(result, "Vulnerabilities")
            if one.get("Severity") in SEVERE and one.get("FixedVersion")
        ),
        exploited=(),
        ignored=tuple(
            _ignored(
                str(_map(hidden, "Finding").get("VulnerabilityID") or "?"), hidden.get("Statement"), ends
            )
            for result in results
            for hidden in _maps(result, "ExperimentalModifiedFindings")
            if _map(hidden, "Finding").get("Severity") in SEVERE
        ),
        critical=tuple(
            (str(one.get("VulnerabilityID")), str(one.get("PkgName")), str(one.get("FixedVersion")))
            for result in results
            for one in _maps(result, "Vulnerabilities")
            if one.get("Severity") == "CRITICAL" and one.get("FixedVersion")
        ),
    )


def _grype(name: str, report: Mapping[str, Any], ends: Mapping[str, str]) -> ImageScan:
    source, about = _map(_map(report, "source"), "target"), _map(report, "descriptor")
    matches, database = _maps(report, "matches"), _map(about, "db")
    distro = _map(report, "distro")
    system = " ".join(str(distro[key]) for key in ("name", "version") if distro.get(key))
    kinds = {str(_map(match, "artifact").get("type") or "") for match in matches}
    # Grype catalogs both always; it lists nothing but findings, so an unknown system is what can be seen.
    classes = {"lang-pkgs", *(["os-pkgs"] if system or kinds & _SYSTEM_PACKAGES else [])}
    return ImageScan(
        file=name,
        digests=tuple(
            filter(
                None,
                (
                    *_digests(source.get("repoDigests")),
                    str(source.get("imageID") or ""),
                    str(source.get("manifestDigest") or ""),
                ),
            )
        ),
        scanned_at=stamp(about.get("timestamp")),
        database_at=stamp(database.get("built") or _map(database, "status").get("built")),
        system=system,
        classes=tuple(sorted(classes)),
        packages=None,
        end_of_life=bool(distro.get("eol")),
        fixable=tuple(
            (_id(match), str(_map(match, "artifact").get("name")), ", ".join(_fixes(match)))
            for match in matches
            if _severe(match) and _map(_vulnerability(match), "fix").get("state") == "fixed"
        ),
        exploited=tuple(_id(match) for match in matches if _vulnerability(match).get("knownExploited")),
        ignored=tuple(
            _ignored(_id(match), _reason(match), ends)
            for match in _maps(report, "ignoredMatches")
            if _severe(match)
        ),
        critical=tuple(
            (_id(match), str(_map(match, "artifact").get("name")), ", ".join(_fixes(match)))
            for match in matches
            if str(_vulnerability(match).get("severity") or "").upper() == "CRITICAL"
            and _map(_vulnerability(match), "fix").get("state") == "fixed"
        ),
    )


def _ignored(identifier: str, reason: Any, ends: Mapping[str, str]) -> Ignored:
    return Ignored(identifier, str(reason or "")[:200], ends.get(identifier, ""))


def _vulnerability(match: Mapping[str, Any]) -> Mapping[str, Any]:
    return _map(match, "vulnerability")


def _id(match: Mapping[str, Any]) -> str:
    return str(_vulnerability(match).get("id") or "?")


def _severe(match: Mapping[str, Any]) -> bool:
    return str(_vulnerability(match).get("severity") or "").upper() in SEVERE


def _fixes(match: Mapping[str, Any]) -> Iterator[str]:
    versions = _map(_vulnerability(match), "fix").get("versions")
    yield from map(str, versions if isinstance(versions, list) else ())


def _reason(match: Mapping[str, Any]) -> str:
    return next(
        (str(rule["reason"]) for rule in _maps(match, "appliedIgnoreRules") if rule.get("reason")), ""
    )


def _digests(listed: Any) -> list[str]:
    return [str(entry).rpartition("@")[2] for entry in listed] if isinstance(listed, list) else []


def _map(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, Mapping) else {}


def _maps(parent: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = parent.get(key)
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def stamp(text: Any) -> str:
    """Return a report's time as UTC ISO 8601, also in ZAP's own form; empty for none."""
    if not isinstance(text, str):
        return ""
    try:
        # Go writes nanoseconds; six digits are what Python reads.
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S")
        except ValueError:
            return ""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # Go's zero time means: not set.
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment.year > 1970 else ""
