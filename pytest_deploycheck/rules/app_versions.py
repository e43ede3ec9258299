"""Versions of apps beside each other: numbers with dots, as stores compare them."""

from __future__ import annotations

import re


def key(version: str) -> tuple[tuple[int, ...], bool]:
    """Return what a version is compared by: its numbers, and whether it is no preview of them (`1.2.0-rc1`)."""
    plain = version.strip().lower().removeprefix("v").partition("+")[0]
    found = re.match(r"\d{1,12}(?:\.\d{1,12}){0,7}", plain)
    if not found:
        raise ValueError(f"{version[:40]!r} is no version")
    numbers = tuple(int(one) for one in found[0].split("."))
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers, not re.match(r"[-.]?(?:alpha|beta|rc|preview|dev|snapshot|pre)", plain[found.end() :])


def older(one: str, other: str) -> bool:
    """Whether a version is older than another; ValueError for what is no version."""
    return key(one) < key(other)
