"""References to container images: their parts, and whether they can name another image tomorrow.

The grammar is that of the OCI distribution specification as Docker reads it: `nginx` is docker.io/library/nginx.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOVING = frozenset(
    "latest stable edge main master trunk head dev devel develop development nightly canary next current release "
    "prod production live staging stage test testing qa".split()
)
"""Tags that are pushed again with every build, by their words."""


@dataclass(frozen=True)
class Reference:
    """A reference taken apart: repository with its registry, tag and digest; empty where it has none."""

    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """The last part of the repository: what people call the image."""
        return self.repository.rpartition("/")[2]

    @property
    def moves(self) -> str:
        """Why it may name another image tomorrow; empty when it has a digest or a tag of one version."""
        if self.digest:
            return ""
        if not self.tag:
            return "it has neither tag nor digest, which means latest"
        words = set(re.split(r"[^a-z0-9]+", self.tag.lower()))
        if self.tag.lower() in MOVING or (words & MOVING and not re.search(r"\d", self.tag)):
            return f"the tag {self.tag} is pushed again with every build"
        return ""


def parse(text: str) -> Reference:
    """Take a reference apart; a bare id (sha256:…) is a digest without a repository."""
    if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", text):
        return Reference("", "", text if text.startswith("sha256:") else f"sha256:{text}")
    rest, _, digest = text.partition("@")
    repository, found, tag = rest.rpartition(":")
    if not found or "/" in tag:
        repository, tag = rest, ""
    return Reference(full(repository), tag, digest)


def full(repository: str) -> str:
    """Return a repository with the registry and folder that Docker adds in silence."""
    first, slash, _ = repository.partition("/")
    if not slash:
        return f"docker.io/library/{repository}"
    if "." in first or ":" in first or first == "localhost":
        return repository.replace("index.docker.io/", "docker.io/", 1)
    return f"docker.io/{repository}"
