"""Scan reports as Trivy, Grype and ZAP write them, and the ignore list beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.ignore_lists import ends
from pytest_deploycheck.probes.image_scans import Ignored, read, stamp
from tests.probes.service import look

DIGEST = "sha256:" + "a" * 64
TRIVY: dict[str, Any] = {
    "SchemaVersion": 2,
    "CreatedAt": "2026-11-23T10:00:00.123456789Z",
    "ArtifactName": "shop/api:1.4.2",
    "ArtifactType": "container_image",
    "Metadata": {
        "OS": {"Family": "debian", "Name": "12.8"},
        "ImageID": "sha256:" + "b" * 64,
        "RepoDigests": [f"registry.example/shop/api@{DIGEST}"],
    },
    "Results": [
        {
            "Target": "shop/api (debian 12.8)",
            "Class": "os-pkgs",
            "Vulnerabilities": [
                {"VulnerabilityID": "CVE-1", "PkgName": "zlib", "Severity": "CRITICAL"},
                {
                    "VulnerabilityID": "CVE-2",
                    "PkgName": "libc6",
                    "Severity": "HIGH",
                    "FixedVersion": "2.36-9",
                },
                {"VulnerabilityID": "CVE-3", "PkgName": "libc6", "Severity": "LOW", "FixedVersion": "2.36-9"},
            ],
            "ExperimentalModifiedFindings": [
                {
                    "Type": "vulnerability",
                    "Status": "ignored",
                    "Statement": "not reachable",
                    "Source": ".trivyignore.yaml",
                    "Finding": {"VulnerabilityID": "CVE-4", "Severity": "HIGH"},
                }
            ],
        },
        {"Target": "app.jar", "Class": "lang-pkgs"},
    ],
}
GRYPE: dict[str, Any] = {
    "matches": [
        {
            "vulnerability": {
                "id": "GHSA-1",
                "severity": "High",
                "fix": {"state": "fixed", "versions": ["2.0"]},
                "knownExploited": [{"cve": "CVE-5"}],
            },
            "artifact": {"name": "requests", "type": "python"},
        }
    ],
    "ignoredMatches": [
        {
            "vulnerability": {"id": "CVE-6", "severity": "Critical"},
            "appliedIgnoreRules": [{"vulnerability": "CVE-6", "reason": "vendor disputes"}],
        }
    ],
    "source": {"type": "image", "target": {"imageID": "sha256:x", "repoDigests": [f"r/api@{DIGEST}"]}},
    "distro": {"name": "alpine", "version": "3.20"},
    "descriptor": {
        "name": "grype",
        "timestamp": "2026-11-23T11:00:00.5+01:00",
        "db": {"status": {"built": "2026-11-23T01:00:00Z"}},
    },
}


def test_a_trivy_report_is_read() -> None:
    """Digest and id, times, kinds of packages, what has a fix, and what was hidden, why and until when."""
    scan = read("t.json", TRIVY, "2026-11-23T08:00:00+00:00", {"CVE-4": "2026-12-31T00:00:00+00:00"})
    assert scan is not None
    assert scan.digests == (DIGEST, "sha256:" + "b" * 64)
    assert scan.scanned_at == "2026-11-23T10:00:00+00:00"
    assert scan.database_at == "2026-11-23T08:00:00+00:00"
    assert (scan.system, scan.classes, scan.packages) == ("debian 12.8", ("lang-pkgs", "os-pkgs"), None)
    assert scan.fixable == (("CVE-2", "libc6", "2.36-9"),)
    assert scan.ignored == (Ignored("CVE-4", "not reachable", "2026-12-31T00:00:00+00:00"),)


def test_a_grype_report_is_read() -> None:
    """The same facts from another scanner, with what is known to be exploited."""
    scan = read("g.json", GRYPE, "", {})
    assert scan is not None
    assert DIGEST in scan.digests and scan.scanned_at == "2026-11-23T10:00:00+00:00"
    assert (scan.database_at, scan.system) == ("2026-11-23T01:00:00+00:00", "alpine 3.20")
    assert scan.fixable == (("GHSA-1", "requests", "2.0"),) and scan.exploited == ("GHSA-1",)
    assert scan.ignored == (Ignored("CVE-6", "vendor disputes", ""),)


def test_an_older_grype_keeps_its_database_elsewhere() -> None:
    """The time it was built is found in either place."""
    older = {**GRYPE, "descriptor": {**GRYPE["descriptor"], "db": {"built": "2026-11-22T01:00:00Z"}}}
    scan = read("g.json", older, "", {})
    assert scan is not None and scan.database_at == "2026-11-22T01:00:00+00:00"


@pytest.mark.parametrize("report", [{}, {"SchemaVersion": 2, "ArtifactType": "filesystem"}, {"runs": []}])
def test_reports_of_something_else_are_left_out(report: dict[str, Any]) -> None:
    """A scan of a folder says nothing about an image."""
    assert read("x.json", report, "", {}) is None


@pytest.mark.parametrize("key", ["Metadata", "Results", "CreatedAt"])
@pytest.mark.parametrize("value", [None, [], {}, "x", 7])
def test_a_report_with_holes_breaks_nothing(key: str, value: Any) -> None:
    """What is missing or of another type is not there; nothing is made up for it."""
    scan = read("t.json", {**TRIVY, key: value}, "", {})
    assert scan is not None
    assert {"Metadata": scan.system, "Results": scan.classes, "CreatedAt": scan.scanned_at}[key] in ("", ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00+00:00"),
        ("Mon, 23 Nov 2026 10:00:00", "2026-11-23T10:00:00+00:00"),
        ("0001-01-01T00:00:00Z", ""),
        ("yesterday", ""),
        (None, ""),
    ],
)
def test_times_are_read_in_each_form(text: Any, expected: str) -> None:
    """RFC 3339 and ZAP's own form; Go's zero time is none."""
    assert stamp(text) == expected


def test_ignore_lists_say_until_when() -> None:
    """Plain lines with exp:, and the YAML form; entries without an end are left out."""
    plain = "# why\nCVE-1 exp:2026-12-31\nCVE-2\nCVE-3 exp:soon\n"
    assert ends(plain) == {"CVE-1": "2026-12-31T00:00:00+00:00"}
    listed = (
        "vulnerabilities:\n  - id: CVE-1\n    statement: not reachable\n    expired_at: 2026-12-31\n"
        '  - id: CVE-2\n    statement: no end\n  - expired_at: 2027-01-31\n    id: "CVE-3"\n'
    )
    assert ends(listed) == {"CVE-1": "2026-12-31T00:00:00+00:00", "CVE-3": "2027-01-31T00:00:00+00:00"}


def looked(tmp_path: Path, more: str) -> Observation:
    """Look with the scans probe; it speaks to no server."""
    release = f'[release]\nimages = {{ api = "{DIGEST}" }}\n'
    return look(tmp_path, "https://shop.example", "scans", release + more)


def test_reports_are_found_with_what_stands_beside_them(tmp_path: Path) -> None:
    """The database's age comes from the version file, the ends from the ignore list, the site from ZAP."""
    for name, report in {
        "scans/api.json": TRIVY,
        "scans/other.json": {"unrelated": True},
        "trivy-version.json": {"VulnerabilityDB": {"UpdatedAt": "2026-11-23T06:00:00Z"}},
        "zap.json": {
            "@generated": "Mon, 23 Nov 2026 10:00:00",
            "site": [
                {
                    "@name": "https://shop.example",
                    "alerts": [
                        {"name": "XSS", "riskcode": "3", "instances": [{"uri": "https://shop.example/a"}]}
                    ],
                }
            ],
        },
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(report))
    (tmp_path / ".trivyignore").write_text("CVE-4 exp:2026-12-31\n")
    section = (
        '[reports]\nimage_scans = "scans/*.json"\nweb_scan = "zap*.json"\nignore_file = ".trivyignore"\n'
    )
    facts = looked(tmp_path, section).facts
    assert [one.file for one in facts.images] == ["api.json"]
    assert facts.images[0].database_at == "2026-11-23T06:00:00+00:00"
    assert facts.images[0].ignored[0].until == "2026-12-31T00:00:00+00:00"
    assert (facts.web[0].sites, facts.web[0].addresses, facts.web[0].high) == (
        ("https://shop.example",),
        1,
        ("XSS",),
    )


@pytest.mark.parametrize(
    ("section", "content", "reason", "words"),
    [
        ("", "", "no_config", "no reports.image_scans"),
        ('[reports]\nimage_scans = "scans/*.json"\n', "", "no_evidence", "no image scan matches"),
        ('[reports]\nimage_scans = "scans/*.json"\n', "{not json", "unparseable", "api.json"),
        ('[reports]\nimage_scans = "/tmp/*.json"\n', "", "no_config", "must be relative"),
        ('[reports]\nimage_scans = "scans/*.json"\nignore_file = "none"\n', "{}", "no_access", "ignore_file"),
    ],
)
def test_what_cannot_be_read_is_said(
    section: str, content: str, reason: str, words: str, tmp_path: Path
) -> None:
    """No configuration, no file, no JSON: each has its reason and names the place."""
    (tmp_path / "scans").mkdir()
    if content:
        (tmp_path / "scans" / "api.json").write_text(content)
    seen = looked(tmp_path, section)
    assert (seen.state, seen.reason) == ("unseen", reason) and words in seen.detail
