"""References to images: their parts as Docker reads them, and which of them move."""

from __future__ import annotations

import pytest

from pytest_deploycheck.rules.image_refs import Reference, parse

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx", Reference("docker.io/library/nginx", "", "")),
        ("nginx:1.29", Reference("docker.io/library/nginx", "1.29", "")),
        ("docker.io/library/nginx:1.29", Reference("docker.io/library/nginx", "1.29", "")),
        ("index.docker.io/library/nginx", Reference("docker.io/library/nginx", "", "")),
        ("valkey/valkey:8.1", Reference("docker.io/valkey/valkey", "8.1", "")),
        ("registry:5000/shop/api:1.4.2", Reference("registry:5000/shop/api", "1.4.2", "")),
        ("registry:5000/shop/api", Reference("registry:5000/shop/api", "", "")),
        ("localhost/api:1", Reference("localhost/api", "1", "")),
        (f"ghcr.io/shop/api@{DIGEST}", Reference("ghcr.io/shop/api", "", DIGEST)),
        (f"ghcr.io/shop/api:1.4.2@{DIGEST}", Reference("ghcr.io/shop/api", "1.4.2", DIGEST)),
        (DIGEST, Reference("", "", DIGEST)),
        ("ab" * 32, Reference("", "", DIGEST)),
    ],
)
def test_parts(text: str, parts: Reference) -> None:
    """Registry and folder that are left out are added; a port is no tag."""
    assert parse(text) == parts


@pytest.mark.parametrize(
    "text", ["api", "api:latest", "api:main", "api:prod", "api:stable-alpine", "ghcr.io/a/b:edge"]
)
def test_moving(text: str) -> None:
    """What is pushed again with every build moves."""
    assert parse(text).moves


@pytest.mark.parametrize(
    "text",
    [
        "api:1.4.2",
        "api:v2",
        "postgres:17-alpine",
        "api:sha-84b7be6",
        f"api:latest@{DIGEST}",
        DIGEST,
        "api:release-2024.11",
    ],
)
def test_fixed(text: str) -> None:
    """What names one version, or has a digest, does not."""
    assert not parse(text).moves


def test_the_name_is_the_last_part() -> None:
    """People call an image by the last part of its repository."""
    assert parse("registry:5000/shop/token-api:1").name == "token-api"
