"""The code, and the reports that tools made of it."""

from __future__ import annotations

from typing import Literal

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import HttpUrl, Section


class ReportsSection(Section):
    """`[reports]`: files made by scanners, as globs relative to the target file.

    `ignore_file`: the .trivyignore that the image scans were made with, which says until when each ends.
    """

    image_scans: str = ""
    ignore_file: str = ""
    web_scan: str = ""
    token_round_trip: str = ""
    junit: str = ""
    sarif: str = ""
    pip_audit: str = ""
    npm_audit: str = ""
    sbom: str = ""
    build: str = ""


class RepoSection(Section):
    """`[repo]`: where the code lives, and its checkout on the server (`path`)."""

    remote: str = ""
    branch: str = "main"
    path: str = ""
    tag: str = ""
    allow_tagged_ancestor: bool = False


class CiSection(Section):
    """`[ci]`: which checks must have passed for the released commit."""

    provider: Literal["github", "gitlab", "file"] = "file"
    url: HttpUrl | Literal[""] = ""
    project: str = ""
    token: SecretRef | None = None
    required_checks: list[str] = []


class ScanSection(Section):
    """`[scan]`: the scanners that must have looked at the code, by their names in SARIF."""

    required_tools: list[str] = []
    secret_tools: list[str] = ["gitleaks", "trufflehog", "detect-secrets"]


class BuildSection(Section):
    """`[build]`: what an image must be like."""

    registry_url: HttpUrl | Literal[""] = ""
    require_nonroot: bool = True
    architecture: str = "amd64"
