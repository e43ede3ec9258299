"""The code, and the reports that tools made of it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import HttpUrl, Section

_SCP = re.compile(r"[A-Za-z0-9][\w.-]*@[A-Za-z0-9][\w.-]*:[^\s:][^\s]*")
_URL = re.compile(r"(https|http|ssh|file)://[^\s]+")


def _remote(value: str) -> str:
    """Accept what Git takes as the address of a repository elsewhere, without a password in it."""
    if value and not (_URL.fullmatch(value) or _SCP.fullmatch(value)):
        raise ValueError("must be https://…, ssh://… or user@host:path")
    if re.match(r"https?://[^/]*@", value):
        raise ValueError("must not hold a user name or password; give a token as repo.token")
    return value


class ReportsSection(Section):
    """`[reports]`: files made by scanners, as globs relative to the target file.

    `ignore_file`: the .trivyignore that the image scans were made with, which says until when each ends.
    `junit`, `sarif`, `pip_audit`, `npm_audit`, `osv`, `pip_outdated`, `npm_outdated`, `sbom`, `build`: made of the
    released commit; which commit and when stands in the file or in an envelope beside it (see docs).
    """

    image_scans: str = ""
    ignore_file: str = ""
    web_scan: str = ""
    junit: str = ""
    sarif: str = ""
    pip_audit: str = ""
    npm_audit: str = ""
    osv: str = ""
    pip_outdated: str = ""
    npm_outdated: str = ""
    sbom: str = ""
    build: str = ""


class RepoSection(Section):
    """`[repo]`: where the code lives (`remote`), the runner's clone of it, and its checkout on the server (`path`).

    `clone` is relative to the target file; by default the repository that the target file lies in.
    `image_only`: the server holds images and no checkout.  `allow_tagged_ancestor`: a release may be a tag that the
    branch has left behind.  `allowed_signers`: file of SSH keys that may sign tags; without it the runner's keyring.
    `allow_untracked`: globs of files that may lie in the checkout without being part of the code.
    """

    remote: Annotated[str, AfterValidator(_remote)] = ""
    branch: str = "main"
    token: SecretRef | None = None
    clone: str = ""
    path: str = ""
    image_only: bool = False
    allow_tagged_ancestor: bool = False
    require_signed_tag: bool = False
    allowed_signers: str = ""
    allow_untracked: list[str] = []


class CiSection(Section):
    """`[ci]`: what must have passed for the released commit.

    `project`: owner/name at GitHub, group/name or number at GitLab.  `url`: the API's address where it is not
    the public one.  `file`: glob of results as files, for any other CI.  `required_checks`: names, globs allowed;
    without them all that ran must have passed.  `min_tests`: tests that the suite has at least.
    """

    provider: Literal["github", "gitlab", "file"] = "file"
    url: HttpUrl | Literal[""] = ""
    project: str = ""
    token: SecretRef | None = None
    file: str = ""
    required_checks: list[str] = []
    min_tests: int = 0

    @property
    def address(self) -> str:
        """The API's address."""
        public = {"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4"}
        return self.url or public.get(self.provider, "")


class ScanSection(Section):
    """`[scan]`: the scanners that must have looked at the code, by their names in SARIF.

    `secret_tools`: those that look for secrets, of which one is too many.  `exclude`: globs of code that need not
    be scanned.
    """

    required_tools: list[str] = []
    secret_tools: list[str] = ["gitleaks", "trufflehog", "detect-secrets", "ggshield", "noseyparker"]
    exclude: list[str] = ["test/*", "tests/*", "docs/*", "examples/*"]


class DepsSection(Section):
    """`[deps]`: the dependencies of the released commit.

    `ignore`: globs of lock files of things that are not shipped.  `allow_skipped`: packages that an audit may leave
    out, such as the project's own.  `runtimes`: name -> version where no file of the repository tells it.
    """

    block_level: Literal["low", "moderate", "high", "critical"] = "high"
    ignore: list[str] = [
        *("test/*", "tests/*", "docs/*", "examples/*", "*/test/*", "*/tests/*", "*/fixtures/*"),
        *("*requirements-dev*", "*requirements-test*", "*requirements_dev*", "*dev-requirements*"),
    ]
    allow_skipped: list[str] = []
    runtimes: dict[str, str] = {}


class BuildSection(Section):
    """`[build]`: the images, and the registry that they come from.

    `third_party`: services whose images others build.  `images`: service -> repository:tag where build records do not
    tell it.  `token_url`: where the registry's tokens come from when that is another host.  `blob_hosts`: globs of
    hosts to which the registry may send us for an image's configuration.  `provenance_key`: public key (PEM) of those
    who sign provenance.
    """

    registry_url: HttpUrl | Literal[""] = ""
    registry_user: str = ""
    registry_password: SecretRef | None = None
    token_url: HttpUrl | Literal[""] = ""
    blob_hosts: list[str] = [
        "pkg-containers.githubusercontent.com",
        "production.cloudflare.docker.com",
        "*.r2.cloudflarestorage.com",
        "storage.googleapis.com",
        "*.amazonaws.com",
        "*.blob.core.windows.net",
    ]
    images: dict[str, str] = {}
    third_party: list[str] = []
    require_nonroot: bool = True
    require_provenance: bool = False
    provenance_key: str = ""
    architecture: str = "amd64"
