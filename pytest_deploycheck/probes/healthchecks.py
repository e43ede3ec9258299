"""Health checks of containers: what their command is worth. Parsing only; the command's text is never kept.

A health check says something when it can fail because the service does not serve. These cannot: `true`,
`exit 0`, anything that ends in `|| true`, a connection that is opened and says nothing (the kernel accepts
it for a process that hangs), and curl without --fail, for which a 500 is a success.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_IDLE = frozenset("true : echo printf sleep exit date pwd whoami hostname id env uname".split())
_SHELLS = frozenset("sh bash ash dash zsh busybox".split())
_PREFIXES = frozenset("exec command nice time env".split())
_REFUSALS = frozenset("false exit return kill pkill".split())
_CONNECTORS = frozenset("nc ncat netcat nc.openbsd nc.traditional".split())
_KEYWORDS = frozenset("if for while until case { ( ! function [[".split())
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_Command = list[str]
_Part = tuple[str, list[_Command]]


@dataclass(frozen=True)
class HealthCheck:
    """A declared health check.

    program: what it runs, by name.  trivial: why its success says nothing of the service; empty when it does.
    interval_s, timeout_s, start_period_s: seconds, Docker's defaults where nothing is said.
    """

    program: str
    trivial: str
    interval_s: float
    timeout_s: float
    start_period_s: float
    retries: int


def from_inspect(found: Mapping[str, Any]) -> HealthCheck | None:
    """Return the health check of `docker inspect`, whose times are nanoseconds; None without one."""
    times = {
        key: float(found.get(key) or 0) / 1e9
        for key in ("Interval", "Timeout", "StartPeriod")
        if key in found
    }
    return _made(
        found.get("Test"),
        times.get("Interval"),
        times.get("Timeout"),
        times.get("StartPeriod"),
        found.get("Retries"),
    )


def from_compose(found: Mapping[str, Any]) -> HealthCheck | None:
    """Return the health check of a service in a Compose file; None without one, or when it is switched off."""
    if found.get("disable"):
        return None
    return _made(
        found.get("test"),
        seconds(found.get("interval")),
        seconds(found.get("timeout")),
        seconds(found.get("start_period")),
        found.get("retries"),
    )


def seconds(value: Any) -> float | None:
    """Return a duration as Compose writes it (1m30s, 500ms), in seconds; None for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)", str(value or ""))
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None


def _made(
    test: Any, interval: float | None, timeout: float | None, start: float | None, retries: Any
) -> HealthCheck | None:
    words = ["CMD-SHELL", test] if isinstance(test, str) else [str(word) for word in test or ()]
    if not words or words[0] == "NONE":
        return None
    program, trivial = judge(words)
    return HealthCheck(
        program=program,
        trivial=trivial,
        interval_s=interval or 30.0,
        timeout_s=timeout or 30.0,
        start_period_s=start or 0.0,
        retries=int(retries or 3),
    )


def judge(test: Sequence[str]) -> tuple[str, str]:
    """Return the program that a test runs, and why its success says nothing; empty when it says something."""
    kind, *words = test
    if kind == "CMD-SHELL":
        return _shell(" ".join(words))
    words = _bare(words if kind == "CMD" else list(test))
    inner = _inner(words)
    if inner is not None:
        return _shell(inner)
    return _name(words[0]) if words else "", _weak(words, "")


def _shell(text: str) -> tuple[str, str]:
    """Judge a shell command by its last list: that decides its exit status."""
    lists = _lists(text)
    if lists is None:
        return "sh", ""
    if not lists:
        return "sh", "it only opens a connection" if "/dev/tcp/" in text else "it runs nothing"
    commands = [command for entry in lists for _, pipe in entry for command in pipe if command]
    if any(command[0] in _KEYWORDS for command in commands) or "set -e" in text:
        return "sh", ""
    parts = lists[-1]
    program = next((_name(words[0]) for _, pipe in parts if (words := _bare(pipe[0]))), "sh")
    while len(parts) > 1 and parts[-1][0] == "||":
        last = parts[-1][1][-1]
        if last and _name(last[0]) in _REFUSALS and last[:2] != ["exit", "0"] and last[:2] != ["return", "0"]:
            parts = parts[:-1]
            continue
        weak = _weak(last, text)
        return program, f"it ends in `|| {_shown(last)}`" if weak else ""
    reasons = [_weak(pipe[-1], text) for _, pipe in parts]
    return program, "" if "" in reasons else reasons[-1]


def _lists(text: str) -> list[list[_Part]] | None:
    """Take a command apart: lists (;) of parts (&& ||), each a pipeline of commands; None if that fails."""
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    current: _Command = []
    lists: list[list[_Part]] = [[("", [current])]]
    skip = False
    try:
        for word in lexer:
            if skip:
                skip = False
            elif re.fullmatch(r"[<>&]*[<>][<>&]*", word):
                skip = True
                if current and current[-1].isdigit():
                    current.pop()  # the descriptor's number
            elif word in (";", "&", "&&", "||", "|"):
                current = []
                if word == "|":
                    lists[-1][-1][1].append(current)
                elif word in (";", "&"):
                    lists.append([("", [current])])
                else:
                    lists[-1].append((word, [current]))
            else:
                current.append(word)
    except ValueError:
        return None
    return [entry for entry in lists if any(command for _, pipe in entry for command in pipe)]


def _weak(words: Sequence[str], text: str) -> str:
    """Return why a single command's success says nothing; empty when it does."""
    words = _bare(words)
    inner = _inner(words)
    if inner is not None:
        return _shell(inner)[1]
    if not words:
        return "it only opens a connection" if "/dev/tcp/" in text else "it runs nothing"
    name, options = _name(words[0]), [word for word in words[1:] if word.startswith("-")]
    if name == "exit" and words[1:2] not in ([], ["0"]):
        return ""
    if name in _IDLE:
        opens = "/dev/tcp/" in text
        return "it only opens a connection" if opens else f"`{_shown(words)}` always succeeds"
    if name in _CONNECTORS and any(re.fullmatch(r"-[a-y]*z\w*", option) for option in options):
        return f"`{name} -z` only opens a connection"
    if name == "curl" and not _fails(options):
        return "curl without --fail takes a 500 for a success"
    return ""


def _fails(options: Sequence[str]) -> bool:
    """Whether curl's options make it fail on errors, or print the status for somebody who looks at it."""
    return any(
        option.startswith(("--fail", "--write-out", "-w")) or re.fullmatch(r"-[a-zA-Z]*f[a-zA-Z]*", option)
        for option in options
    )


def _bare(words: Sequence[str]) -> list[str]:
    """Return a command without assignments and without the programs that only run another one."""
    left = list(words)
    while left and (re.fullmatch(r"\w+=.*", left[0]) or _name(left[0]) in _PREFIXES or left[0] == "timeout"):
        taken = left.pop(0)
        while taken == "timeout" and left and re.fullmatch(r"-.*|[\d.]+[smh]?", left[0]):
            left.pop(0)
    return left


def _inner(words: Sequence[str]) -> str | None:
    """Return the command text of `sh -c TEXT`; None for anything else."""
    if len(words) >= 3 and _name(words[0]) in _SHELLS and re.fullmatch(r"-\w*c", words[1]):
        return words[2]
    return None


def _name(word: str) -> str:
    return word.rpartition("/")[2]


def _shown(words: Sequence[str]) -> str:
    """Return how a message names a command: by its program alone, since its words may hold a password."""
    name = _name(words[0]) if words else ""
    return "exit 0" if name == "exit" else name
