"""Bills of materials, CycloneDX and SPDX as JSON: of which image, with how many parts, on which runtimes. Parsing only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from pytest_deploycheck.probes.image_scans import stamp

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_RUNTIME = re.compile(
    r"pkg:(?:generic|docker|bitnami|github/[\w.-]+)/(python|node|nodejs|php|ruby)@v?(\d[\w.]*)"
)


class SbomError(ValueError):
    """A document is no bill of materials; the message says what is missing."""


@dataclass(frozen=True)
class Sbom:
    """digests: of the image that it is about.  parts: components, without that image.  runtimes: (name, version)."""

    format: str
    digests: tuple[str, ...]
    parts: int
    made_at: str
    runtimes: tuple[tuple[str, str], ...]


def read(document: Any) -> Sbom:
    """Read a bill of materials of either format."""
    if isinstance(document, Mapping) and document.get("bomFormat") == "CycloneDX":
        return _cyclonedx(document)
    if isinstance(document, Mapping) and str(document.get("spdxVersion", "")).startswith("SPDX-"):
        return _spdx(document)
    raise SbomError("it is neither CycloneDX nor SPDX in JSON")


def _cyclonedx(document: Mapping[str, Any]) -> Sbom:
    about = document.get("metadata")
    meta = about if isinstance(about, Mapping) else {}
    parts = _maps(document.get("components"))
    return Sbom(
        format=f"CycloneDX {document.get('specVersion') or ''}".strip(),
        digests=digests(meta.get("component")),
        parts=len(parts),
        made_at=stamp(meta.get("timestamp")),
        runtimes=_runtimes(str(part.get("purl") or "") for part in parts),
    )


def _spdx(document: Mapping[str, Any]) -> Sbom:
    packages = _maps(document.get("packages"))
    described = {
        str(one.get("relatedSpdxElement"))
        for one in _maps(document.get("relationships"))
        if one.get("relationshipType") == "DESCRIBES"
    } | set(map(str, document.get("documentDescribes") or ()))
    about = [one for one in packages if str(one.get("SPDXID")) in described]
    creation = document.get("creationInfo")
    purls = (
        str(reference.get("referenceLocator") or "")
        for one in packages
        for reference in _maps(one.get("externalRefs"))
    )
    return Sbom(
        format=str(document["spdxVersion"])[:20],
        digests=digests(about),
        parts=len(packages) - len(about),
        made_at=stamp(creation.get("created")) if isinstance(creation, Mapping) else "",
        runtimes=_runtimes(purls),
    )


def digests(about: Any) -> tuple[str, ...]:
    """Return every sha256 digest that a description of an image names: as version, purl, property or checksum."""
    text = unquote(json.dumps(about))
    found = [match[0] for match in _DIGEST.finditer(text)]
    for one in about if isinstance(about, list) else [about]:
        hashes = [*_maps(one.get("hashes")), *_maps(one.get("checksums"))] if isinstance(one, Mapping) else []
        found += [
            f"sha256:{str(entry.get('content') or entry.get('checksumValue') or '').lower()}"
            for entry in hashes
            if str(entry.get("alg") or entry.get("algorithm") or "").replace("-", "").upper() == "SHA256"
        ]
    return tuple(dict.fromkeys(found))


def _runtimes(purls: Any) -> tuple[tuple[str, str], ...]:
    found = [
        (match[1].replace("nodejs", "node"), match[2]) for purl in purls if (match := _RUNTIME.match(purl))
    ]
    return tuple(dict.fromkeys(found))


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
