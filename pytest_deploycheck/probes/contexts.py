"""Words that an attacker tries first: the names of the product, its hosts, its database and its users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target


def words(target: Target, *more: str) -> tuple[str, ...]:
    """Return the words that no secret of this target may hold; `more` are a secret's own user and database."""
    return tuple(dict.fromkeys(word.lower() for word in _words(target, more) if word))


def _words(target: Target, more: tuple[str, ...]) -> Iterator[str]:
    yield from target.secrets.context_words
    yield target.name
    for domain in (urlsplit(target.target.base_url).hostname or "", *target.target.domains):
        if not domain.replace(".", "").isdigit():
            # Not the last label: nobody's name is in "com".
            yield from domain.split(".")[:-1] or [domain]
    if target.db is not None:
        yield target.db.app_role
    yield from more
