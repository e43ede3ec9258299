"""The mobile app that belongs to the service."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pytest_deploycheck.target.base import HttpUrl, Section


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return value


def _digest(value: str) -> str:
    """Accept a SHA-256 digest, with colons or without; in lower case and without them from then on."""
    plain = value.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise ValueError("must be a SHA-256 digest: 64 hexadecimal digits, with colons or without")
    return plain


Pattern = Annotated[str, AfterValidator(_pattern)]
Digest = Annotated[str, AfterValidator(_digest)]


class MobileSection(Section):
    """`[mobile]`: the released apps, what they may name, and where their users get them.

    `enabled = false` where there is no app; its items are then declared out of scope by a signed file.
    `distribution`: "internal" where no store has it.
    `artifacts`: APK, AAB and IPA files as released, beside the target file; `sha256`: their digests, if the release
    names them.  `package`: Android's application id; `bundle_id` Apple's; `team_app_id`: TEAMID.bundle.id.
    `signing_certificates`: SHA-256 digests of the certificates that users' devices see; for an app bundle those
    of Play's app signing, for an APK by default its own.
    `api_hosts`: of the production API, by default the deployment's names; `allowed_hosts`: others that the app may
    name (`*.cdn.example`), where given no host beside them may be there.  `cleartext_hosts`: those that it may
    speak plain HTTP to.  `forbidden_patterns`: regular expressions of what must not be in it.
    `names_contract`: the app holds the contract's address itself, rather than asking the API for it.
    `association_urls`: sites whose links the app opens, by default the base URL.  `apple_cdn`: Apple's copy of the
    association file is compared (https://app-site-association.cdn-apple.com), empty where the sites are not public.
    `min_version_path`: where the API tells which version it still serves; `min_version_field`: the key there, dots
    for keys within keys, found by its usual names when empty.
    `e2e_report`: a glob of JUnit files of the tests on devices.  `user_agent_pattern`: what the app calls itself in
    access logs, with `{version}` where the version stands.  `required_flows`: what must have been tried;
    `flow_routes`: flow -> `METHOD /path` that must then be in the access log, `{id}` for any part of a path.
    `os_majors`: platform -> major versions that are supported.  `expected_version`: what stores must offer at least.
    `store_url`: where Apple's lookup is; `countries`: in whose stores the app is.
    """

    enabled: bool = True
    distribution: Literal["store", "internal"] = "store"
    artifacts: list[str] = []
    sha256: list[Digest] = []
    package: str = ""
    bundle_id: str = ""
    team_app_id: str = ""
    signing_certificates: list[Digest] = []
    api_hosts: list[str] = []
    allowed_hosts: list[str] = []
    cleartext_hosts: list[str] = []
    forbidden_patterns: list[Pattern] = []
    names_contract: bool = True
    association_urls: list[HttpUrl] = []
    apple_cdn: HttpUrl | Literal[""] = ""
    min_version_path: str = ""
    min_version_field: str = ""
    e2e_report: str = ""
    user_agent_pattern: str = ""
    required_flows: list[str] = ["login", "wallet", "purchase", "redeem", "push", "deep link", "offline"]
    flow_routes: dict[str, list[str]] = {
        "login": ["POST /auth/login"],
        "wallet": ["GET /wallet"],
        "purchase": ["POST /token/purchase"],
        "redeem": ["POST /token/redeem"],
    }
    os_majors: dict[str, list[int]] = {}
    expected_version: str = ""
    store_url: HttpUrl = "https://itunes.apple.com"
    countries: list[Annotated[str, Field(pattern=r"^[a-z]{2}$")]] = ["us"]
