"""The secrets that no log may hold: those of the target file, and those in the service's own .env."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.redact import url_parts
from pytest_deploycheck.target.load import secrets as references
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_SECRET_KEY = re.compile(r"(?i)secret|password|passwd|private|token|api_?key|_key$|_url$|mnemonic|credential")
_NO_SECRET = re.compile(r"(?i)origins|public|host$|port$|address|expir|_ttl|lifetime|sentry|errors\.dsn|alg")
"""Names of what is public by its nature; the key in a Sentry DSN is handed to every browser."""


def known(target: Target, connect: Connections) -> Iterator[tuple[str, str]]:
    """Yield (name, value) of every secret; of an address, the secret parts of it."""
    section = target.logs
    for name, reference in references(target).items():
        if _NO_SECRET.search(name):
            continue
        try:
            value = connect.secret(reference)
        except CannotLook:
            continue  # the probe that needs it says so
        yield from ((name, part) for part in parts(value))
    if section is None or not section.env_file:
        return
    path = target.file(section.env_file)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CannotLook(Reason.NO_ACCESS, f"logs.env_file {path.name}: {error.strerror}") from None
    for name, value in entries(text):
        if _SECRET_KEY.search(name) and not _NO_SECRET.search(name):
            for part in parts(value):
                connect.learn_secret(part)
                yield name, part


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a .env file: comments, `export` and quotes are not part of them."""
    for line in text.splitlines():
        name, found, value = line.strip().removeprefix("export ").partition("=")
        if found and not name.startswith("#"):
            value = value.strip()
            if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
                value = value[1:-1]
            else:
                value = value.partition(" #")[0].rstrip()
            yield name.strip(), value


def parts(value: str) -> set[str]:
    """Return what is secret in a value: of a URL its password and keys, of key=value pairs the password."""
    if "://" in value:
        return url_parts(value) | ({value} if re.search(r"://[^/\s]*:[^/\s]*@", value) else set())
    pairs = re.findall(r"(?:^|\s)password=('[^']*'|\S+)", value)
    if pairs:
        return {pair.strip("'") for pair in pairs}
    return {value} if value else set()
