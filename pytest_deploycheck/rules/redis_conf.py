"""Configuration and ACL files of Redis and Valkey: which passwords they give to whom."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from hashlib import sha256


def keeps(text: str, user: str, password: str) -> bool:
    """Whether a file gives this password to this user; the last `requirepass` of a file counts."""
    requirepass = ""
    kept = False
    digest = sha256(password.encode()).hexdigest()
    for name, *values in lines(text):
        if name == "requirepass" and values:
            requirepass = values[0]
        elif name == "user" and values[:1] == [user]:
            rules = values[1:]
            kept = f"#{digest}" in rules or f">{password}" in rules
    return kept or (user == "default" and bool(password) and requirepass == password)


def includes(text: str) -> bool:
    """Whether a file takes in others, which were not read."""
    return any(name == "include" for name, *_ in lines(text))


def lines(text: str) -> Iterator[list[str]]:
    """Yield the words of each directive, its name in lower case."""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            words = shlex.split(line)
        except ValueError:
            continue  # the server refuses such a line as well
        if words:
            yield [words[0].lower(), *words[1:]]
