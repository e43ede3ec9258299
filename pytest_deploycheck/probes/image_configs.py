"""The configuration of an image, as OCI describes it: who runs it, what labels it has, which secrets lie in it. Parsing only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.probes.image_scans import stamp
from pytest_deploycheck.rules.placeholders import placeholder

REVISION, CREATED = "org.opencontainers.image.revision", "org.opencontainers.image.created"
SHORTEST = 8
"""Characters of a value below which it is a switch rather than a secret (own)."""
_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|JWT|MNEMONIC|"
    r"(?:API|ACCESS|PRIVATE|SECRET|SIGNING|ENCRYPTION|AUTH|SSH|SIGNER)_?KEY|SECRET_KEY_BASE)(?:_\d+)?$",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    r"(?<![\w$-])(?:--build-arg[ =])?([A-Za-z_][A-Za-z0-9_]{2,60})=(\"[^\"]*\"|'[^']*'|[^\s;&|]+)"
)
_SHAPES: Mapping[str, re.Pattern[str]] = {
    "a URL with a password": re.compile(r"\b\w+://[^\s/:@\"']+:(?P<value>[^\s/@\"'$]{3,})@"),
    "a private key": re.compile(r"(?P<value>-----BEGIN [A-Z ]*PRIVATE KEY-----)"),
    "a GitHub token": re.compile(r"\b(?P<value>(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{20,})"),
    "a GitLab token": re.compile(r"\b(?P<value>glpat-[\w-]{16,})"),
    "an npm token": re.compile(r"\b(?P<value>npm_[A-Za-z0-9]{30,})"),
    "an AWS access key": re.compile(r"\b(?P<value>(?:AKIA|ASIA)[A-Z0-9]{16})\b"),
    "a JSON Web Token": re.compile(r"\b(?P<value>eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+)"),
}
_NO_SECRET = re.compile(r"^(?:true|false|yes|no|on|off|\d+|/[\w./-]*|\$.*|\*+|file:.*)$", re.IGNORECASE)


@dataclass(frozen=True)
class ImageConfig:
    """What an image is like.

    user: as configured, "" means root.  created_at: UTC ISO 8601, "" unknown.  revision: commit of its label.
    created_label: it has the label of its creation.  secrets: (where, name) of secrets in environment and history; their
    values are nowhere.  steps: entries of its history.
    """

    architecture: str
    user: str
    created_at: str
    revision: str
    created_label: bool
    secrets: tuple[tuple[str, str], ...]
    steps: int

    @property
    def root(self) -> bool:
        """Whether it runs as root: nobody else is named, or user 0."""
        return self.user.partition(":")[0].strip() in ("", "0", "root")


def read(config: Mapping[str, Any], learn: Callable[[str], None]) -> ImageConfig:
    """Return the facts of a configuration; `learn` hears of every secret found, so that none is ever shown."""
    own = _map(config.get("config"))
    labels = _map(own.get("Labels"))
    history = config.get("history")
    steps = [one for one in history if isinstance(one, Mapping)] if isinstance(history, list) else []
    found = []
    for entry in own.get("Env") or ():
        name, _, value = str(entry).partition("=")
        found += [("environment", what) for what in _secrets(name, value, learn)]
    for label, value in labels.items():
        found += [("labels", what) for what in _secrets(str(label), str(value), learn)]
    for step in steps:
        text = f"{step.get('created_by') or ''} {step.get('comment') or ''}"
        for match in _ASSIGNED.finditer(text):
            found += [("history", what) for what in _named(match[1], match[2].strip("\"'"), learn)]
        found += [("history", what) for what in _shaped(text, learn)]
    return ImageConfig(
        architecture=str(config.get("architecture") or ""),
        user=str(own.get("User") or ""),
        created_at=stamp(config.get("created")),
        revision=str(labels.get(REVISION) or "").strip().lower(),
        created_label=bool(labels.get(CREATED)),
        secrets=tuple(dict.fromkeys(found)),
        steps=len(steps),
    )


def _secrets(name: str, value: str, learn: Callable[[str], None]) -> Iterator[str]:
    yield from _named(name, value, learn)
    yield from _shaped(value, learn)


def _named(name: str, value: str, learn: Callable[[str], None]) -> Iterator[str]:
    """Yield a name that promises a secret, when its value may be one."""
    if (
        _NAME.search(name)
        and len(value) >= SHORTEST
        and not _NO_SECRET.match(value)
        and not placeholder(value)
    ):
        learn(value)
        yield name


def _shaped(text: str, learn: Callable[[str], None]) -> Iterator[str]:
    for what, pattern in _SHAPES.items():
        for match in pattern.finditer(text):
            if not placeholder(match["value"]):
                learn(match["value"])
                yield what


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
