"""Reports that scanners would leave for this release: stand-ins in the shape of Trivy's and ZAP's JSON.

There is no scanner in the package registries that the demo is built from. What the files claim about packages
is true of this installation; that nothing bad was found in them is made up, which their version says. The
folder of the load report stays empty: only a real run fills it.
"""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any

from pytest_deploycheck.demo import images as registry_images
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

LABEL = "stand-in"
TRIVY_VERSION = "0.68.1-stand-in"
ZAP_VERSION = "2.16.1-stand-in"
IMAGES = tuple(recipe.name for recipe in registry_images.RECIPES)
_DATABASE_AGE = timedelta(hours=3)


def available() -> str | None:
    """Return None: this needs nothing but Python."""
    return None


def daemons(world: World) -> list[Daemon]:
    """Write the reports afresh; there is no server behind them."""
    write(world)
    return []


def images(world: World) -> dict[str, str]:
    """Return the digests of the release's images, by their names."""
    return registry_images.digests(world)


def report_section() -> dict[str, Any]:
    """Return `[reports]` of the target file."""
    return {"image_scans": "reports/images/*.json", "web_scan": "reports/web/*.json"}


def load_section(world: World) -> dict[str, Any]:
    """Return `[load]` of the target file: a folder for the evidence, and how to make it."""
    edge = world.url("edge", "https")
    return {
        "report_dir": "reports/load",
        "host": edge,
        "allowed_hosts": [edge],
        # A demonstration's load: over in a few seconds, and yet enough requests to judge each route by.
        "users": 10,
        "rps": 30.0,
        "spawn_rate": 20.0,
        "duration_s": 2.0,
        "endpoints": ["/health", "/token", "/chain", "/me", "/wallet"],
        "critical": ["/token", "/chain", "/wallet"],
    }


def write(world: World) -> None:
    """Write DIR/reports/images/*.json, DIR/reports/trivy-version.json and DIR/reports/web/zap.json."""
    now = datetime.now(UTC)
    for name, built in registry_images.ensure(world).items():
        _write(world, image_scan(built, now), "images", f"{name}.json")
    _write(world, trivy_version(now), "trivy-version.json")
    _write(world, web_scan(world, now), "web", "zap.json")
    world.path("reports", "load", "any")  # makes the folder


@functools.cache
def _installed() -> tuple[tuple[str, str], ...]:
    """Return name and version of every package here; once, since parsing their metadata takes a while."""
    found = ((one.name, one.version) for one in metadata.distributions())
    return tuple(sorted({(name, version) for name, version in found if name}))


def image_scan(built: registry_images.Built, at: datetime) -> dict[str, Any]:
    """Return what `trivy image --format json --list-all-pkgs` would have written about an image."""
    packages = _installed()
    return {
        "SchemaVersion": 2,
        "Trivy": {"Version": TRIVY_VERSION},
        "CreatedAt": _stamp(at),
        "ArtifactName": f"{built.repository}:{built.tag}",
        "ArtifactType": "container_image",
        "Metadata": {
            "OS": {"Family": "debian", "Name": "12.8"},
            "ImageID": built.id,
            "RepoTags": [f"{built.repository}:{built.tag}"],
            "RepoDigests": [f"{built.repository}@{built.digest}"],
            "ImageConfig": {"architecture": "amd64", "os": "linux", "created": _stamp(at)},
        },
        "Results": [
            {
                "Target": f"{built.repository}:{built.tag} (debian 12.8)",
                "Class": "os-pkgs",
                "Type": "debian",
                "Packages": [{"ID": "libc6@2.36", "Name": "libc6", "Version": "2.36"}],
                "Vulnerabilities": [
                    {
                        "VulnerabilityID": "STAND-IN-0001",
                        "PkgName": "libc6",
                        "InstalledVersion": "2.36",
                        "Status": "affected",
                        "Severity": "LOW",
                        "Title": "made up: low, and without a fixed version",
                    }
                ],
            },
            {
                "Target": "Python",
                "Class": "lang-pkgs",
                "Type": "python-pkg",
                "Packages": [{"Name": name, "Version": version} for name, version in packages],
            },
        ],
    }


def trivy_version(at: datetime) -> dict[str, Any]:
    """Return what `trivy version --format json` would have said at the time of the scan."""
    updated = at - _DATABASE_AGE
    return {
        "Version": TRIVY_VERSION,
        "VulnerabilityDB": {
            "Version": 2,
            "UpdatedAt": _stamp(updated),
            "NextUpdate": _stamp(updated + timedelta(days=1)),
            "DownloadedAt": _stamp(at),
        },
    }


def web_scan(world: World, at: datetime) -> dict[str, Any]:
    """Return ZAP's traditional JSON report about the edge."""
    edge = world.url("edge", "https")
    return {
        "@programName": "ZAP",
        "@version": ZAP_VERSION,
        "@generated": at.strftime("%a, %-d %b %Y %H:%M:%S"),
        "created": _stamp(at),
        "insights": [
            _insight(edge, "insight.endpoint.total", "Count of total endpoints", 14),
            _insight(edge, "insight.code.2xx", "Percentage of responses with status code 2xx", 71),
        ],
        "site": [
            {
                "@name": edge,
                "@host": "localhost",
                "@port": str(world.port("edge")),
                "@ssl": "true",
                "alerts": [
                    {
                        "pluginid": "10049",
                        "alertRef": "10049-1",
                        "alert": "Non-Storable Content",
                        "name": "Non-Storable Content",
                        "riskcode": "0",
                        "confidence": "2",
                        "riskdesc": "Informational (Medium)",
                        "instances": [
                            {"uri": f"{edge}{path}", "method": "GET"}
                            for path in ("/health", "/token", "/chain")
                        ],
                        "count": "3",
                    }
                ],
            }
        ],
    }


def _insight(site: str, key: str, description: str, statistic: int) -> dict[str, str]:
    return {
        "level": "Info",
        "reason": "Informational",
        "site": site,
        "key": key,
        "description": description,
        "statistic": str(statistic),
    }


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _write(world: World, report: dict[str, Any], *parts: str) -> None:
    world.path("reports", *parts).write_text(json.dumps(report, indent=1) + "\n")
