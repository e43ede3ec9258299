"""What documents say of a repository: variables, Compose services and paths that they name, and for which version."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable
from itertools import pairwise

from pytest_deploycheck.rules.markdown_docs import SHELLS, Page

_NAME = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"
_SET = re.compile(rf"^\s*(?:export\s+|#\s*)?({_NAME})\s*[=:]", re.MULTILINE)
_USED = re.compile(rf"\$\{{?({_NAME})\b")
_ALONE = re.compile(rf"\$?\{{?({_NAME})\}}?(?:=.*)?")
_ASSIGNED = re.compile(
    r"(?:^|[\s;(])(?:export\s+|read\s+(?:-\w+\s+)*)?([A-Z][A-Z0-9_]*)=|\bread\s+(?:-\w+\s+)*([A-Z_]+)"
)
_OF_TOOLS = re.compile(
    r"(?:DOCKER|COMPOSE|BUILDKIT|GIT|SSH|CI|GITHUB|GITLAB|LC|XDG|RESTIC|PGBACKREST|KUBE|HELM)_"
)
"""Variables that programs of operations take, and no service."""
_ELSEWHERE = frozenset("git kubectl oc helm ssh scp rsync gh glab aws gcloud az gsutil s3cmd".split())
"""Programs whose arguments with slashes are branches, objects or paths of other machines."""
_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?:\./)?[\w@.+-]+(?:/[\w@.+-]+)*/?")
_SCRIPTS = ("scripts", "script", "bin")
"""Folders that a repository usually keeps its tools in: a path into one that is gone is a path that is gone."""
_GLOBAL_VALUES = ("-f", "--file", "-p", "--project-name", "--env-file", "--profile", "--project-directory")
_VALUES = frozenset(
    "--scale -t --timeout --tail -n -e --env -u --user -w --workdir --index --since --until --signal -s --format "
    "--filter --status --name -v --volume --entrypoint --wait-timeout --pull --policy".split()
)
_MANY = frozenset(
    "up restart start stop logs ps pull push build create kill rm pause unpause top images".split()
)
_ONE = frozenset("exec run port".split())
_VERSION_KEYS = ("applies to", "applies_to", "applies-to", "version", "release", "valid for")


def variables(page: Page) -> tuple[str, ...]:
    """Return the environment variables of the service that a page names, without those that its own commands set.

    They are named by a code span of their own (`NAME`, `NAME=value`), by `$NAME` in commands, and by lines
    `NAME=value` of a block that is no shell's.
    """
    shell = [block.text for block in page.code if block.language in SHELLS]
    files = [
        block.text for block in page.code if block.language in ("env", "dotenv", "ini", "properties", "")
    ]
    spans = (span.strip() for line in page.prose for span in _SPAN.findall(line))
    found = [match[1] for span in spans if (match := _ALONE.fullmatch(span)) is not None]
    found += [name for text in shell for name in _USED.findall(text)]
    found += [name for text in files for name in _SET.findall(text)]
    own = {one for text in shell for pair in _ASSIGNED.findall(text) for one in pair if one}
    return tuple(dict.fromkeys(name for name in found if name not in own and not _OF_TOOLS.match(name)))


def services(commands: Iterable[str]) -> tuple[str, ...]:
    """Return the Compose services that commands name, `docker compose restart NAME` and its kin."""
    found: list[str] = []
    for command in commands:
        for part in re.split(r"&&|\|\||[;|]|\$\(|\)", command):
            found += _services(_words(part))
    return tuple(dict.fromkeys(name for name in found if re.fullmatch(r"[\w.-]+", name)))


def _services(words: list[str]) -> list[str]:
    while words and (words[0] == "sudo" or re.fullmatch(r"\w+=\S*", words[0])):
        words = words[1:]
    if words[:2] == ["docker", "compose"]:
        rest = words[2:]
    elif words[:1] == ["docker-compose"]:
        rest = words[1:]
    else:
        return []
    # Another project's files, which are not in this repository.
    if any(name in ("-f", "--file") and value.startswith(("/", "..", "~")) for name, value in pairwise(rest)):
        return []
    verb, rest = _bare(rest, _GLOBAL_VALUES)
    if verb in _MANY:
        names = []
        while rest:
            name, rest = _bare(rest, _VALUES)
            names.append(name)
        return [name for name in names if name]
    return [_bare(rest, _VALUES)[0]] if verb in _ONE else []


def _bare(words: list[str], values: Collection[str]) -> tuple[str, list[str]]:
    """Return the first word that is no option and no option's value, and what comes after it."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in values else 1
    return (words[at], words[at + 1 :]) if at < len(words) else ("", [])


def paths(page: Page, known: Collection[str]) -> tuple[str, ...]:
    """Return the paths of the repository that a page's commands name and that are not there."""
    folders = {path.split("/", 1)[0] for path in known if "/" in path}
    missing = []
    for word in (word for command in page.commands for word in _local(_words(command))):
        for text in (word, word.rpartition("=")[2]):
            if not _PATH.fullmatch(text) or text.startswith("../") or "/" not in text.strip("/"):
                continue
            plain = text.removeprefix("./").rstrip("/")
            first = plain.split("/", 1)[0]
            local = text.startswith("./") or ((first in folders or first in _SCRIPTS) and first != plain)
            if local and not exists(plain, known):
                missing.append(plain)
    return tuple(dict.fromkeys(missing))


def _local(words: list[str]) -> list[str]:
    """Return a command's words where they may be paths of the repository."""
    plain = words[1:] if words[:1] == ["sudo"] else words
    images = plain[:1] == ["docker"] and plain[1:2] != ["compose"]
    return [] if images or (plain and plain[0] in _ELSEWHERE) else plain


def exists(path: str, known: Collection[str]) -> bool:
    """Whether a repository has a file or folder."""
    return path in known or any(one.startswith(f"{path}/") for one in known)


def versions(page: Page) -> tuple[str, ...]:
    """Return what a page says of the versions that it is for: its front matter, or a label such as `**Version:**`."""
    said = [*page.front, *page.labels]
    return tuple(value for key, value in said if key.strip().lower() in _VERSION_KEYS and value)


def covers(said: str, version: str) -> bool:
    """Whether a page for `>= 1.4`, `1.4.x`, `1.4 and later` or `1.4.2` is for a version."""
    wanted = _numbers(version)
    found = re.search(r"\d+(?:\.(?:\d+|x|\*))*", said)
    if found is None:
        return said.strip() == version
    named = found.group()
    given = _numbers(named)
    open_end = re.search(r">=|≥|\+|later|newer|and up|from|since", said, re.IGNORECASE)
    if open_end:
        return wanted >= given
    if re.search(r"[x*]", named):
        return wanted[: len(given)] == given
    return given == wanted[: len(given)] if len(given) < len(wanted) else given == wanted


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", text.partition("-")[0]))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return command.split()
