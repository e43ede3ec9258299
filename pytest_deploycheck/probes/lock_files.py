"""Lock files of a commit, and whether they are in step with what they lock. Pure functions over paths and bytes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.probes.audits import plain

PYTHON, NODE = "python", "node"
_LOCKS = {
    "poetry.lock": PYTHON,
    "uv.lock": PYTHON,
    "pdm.lock": PYTHON,
    "pipfile.lock": PYTHON,
    "package-lock.json": NODE,
    "npm-shrinkwrap.json": NODE,
    "yarn.lock": NODE,
    "pnpm-lock.yaml": NODE,
    "bun.lock": NODE,
    "bun.lockb": NODE,
    "go.sum": "go",
    "cargo.lock": "rust",
    "gemfile.lock": "ruby",
    "composer.lock": "php",
    "mix.lock": "elixir",
    "gradle.lockfile": "java",
    "packages.lock.json": "dotnet",
}
_REQUIREMENTS = re.compile(
    r"(?:.*[-_.])?(?:requirements|constraints)(?:[-_.].*)?\.(?:txt|lock)|requirements\.lock"
)
_PYLOCK = re.compile(r"pylock(?:\.[\w-]+)?\.toml")
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*==\s*([\w.!+-]+)\s*(?:\\\s*)?(?:;.*)?(?:#.*)?$")
_NAME = re.compile(r"^([A-Za-z0-9][\w.-]*)")

_NOT_SHIPPED = ("dev", "optional", "devOptional", "link", "peer")

Read = Callable[[str], bytes]


@dataclass(frozen=True)
class Locked:
    """A lock file. pins: (name, version) where each is for every platform, so that an audit must list it; else ().

    packages: how many it locks that ship, None where we do not read its format.  out_of_step: names that the manifest
    beside it asks for, and the lock does not have so.
    """

    path: str
    ecosystem: str
    pins: tuple[tuple[str, str], ...]
    packages: int | None
    out_of_step: tuple[str, ...]


def find(paths: Iterable[str]) -> dict[str, str]:
    """Return path -> ecosystem of every file that may be a lock file."""
    found = {}
    for path in paths:
        name = PurePosixPath(path).name.lower()
        kind = _LOCKS.get(name) or (
            PYTHON if _REQUIREMENTS.fullmatch(name) or _PYLOCK.fullmatch(name) else ""
        )
        if kind:
            found[path] = kind
    return found


def locked(path: str, ecosystem: str, read: Read, paths: frozenset[str]) -> Locked | None:
    """Return a lock file's facts; None for a list of requirements that pins nothing."""
    name, content = PurePosixPath(path).name.lower(), read(path)
    if _REQUIREMENTS.fullmatch(name):
        pins = requirements(content)
        if pins is None:
            return None
        missing = [one for one in _asked_of_python(path, read, paths) if one not in dict(pins)]
        return Locked(path, ecosystem, pins, len(pins), tuple(missing))
    if name in ("package-lock.json", "npm-shrinkwrap.json"):
        return _npm(path, content, read, paths)
    if name in ("poetry.lock", "uv.lock", "pdm.lock") or _PYLOCK.fullmatch(name):
        return _toml(path, content, read, paths)
    return Locked(path, ecosystem, (), None, ())


def requirements(content: bytes) -> tuple[tuple[str, str], ...] | None:
    """Return the pins of a requirements file, those with a marker left out; None when one is not pinned."""
    text = content.decode("utf-8", "replace").replace("\\\r\n", " ").replace("\\\n", " ")
    lines = [re.sub(r"\s--hash[= ]\S+", "", line).strip() for line in text.splitlines()]
    wanted = [line for line in lines if line and not line.startswith(("#", "-"))]
    matches = [_PIN.match(line) for line in wanted]
    if not wanted or not all(matches):
        return None
    return tuple(
        (plain(match[1]), match[2]) for match in matches if match and ";" not in match[0].split("#")[0]
    )


def manifests(paths: Iterable[str], read: Read) -> Iterator[tuple[str, str]]:
    """Yield (path, ecosystem) of the manifests that ask for packages."""
    for path in paths:
        name = PurePosixPath(path).name
        if name == "package.json":
            asked = _json(read(path))
            if any(_map(asked.get(key)) for key in ("dependencies", "optionalDependencies")):
                yield path, NODE
        elif name in ("Pipfile", "requirements.txt") or (
            name in ("pyproject.toml", "requirements.in") and _asked(path, read)
        ):
            yield path, PYTHON


def direct(paths: Iterable[str], read: Read) -> frozenset[str]:
    """Return the names of Python packages that the project itself asks for."""
    names: set[str] = set()
    for path in paths:
        if PurePosixPath(path).name == "pyproject.toml" or path.endswith("requirements.in"):
            names.update(_asked(path, read))
    return frozenset(names)


def _asked_of_python(path: str, read: Read, paths: frozenset[str]) -> list[str]:
    """Return what the manifest that a requirements lock is compiled from asks for."""
    source = str(PurePosixPath(path).with_suffix(".in"))
    return _asked(source, read) if source in paths else []


def _asked(path: str, read: Read) -> list[str]:
    text = read(path).decode("utf-8", "replace")
    if path.endswith(".in"):
        lines = [line.strip() for line in text.splitlines()]
        return [plain(match[1]) for line in lines if (match := _NAME.match(line)) and ";" not in line]
    try:
        project = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return []
    listed = _map(project.get("project")).get("dependencies")
    names = [str(one) for one in listed] if isinstance(listed, list) else []
    names += [
        name
        for name in _map(_map(_map(project.get("tool")).get("poetry")).get("dependencies"))
        if name != "python"
    ]
    return [plain(match[1]) for one in names if (match := _NAME.match(one)) and ";" not in one]


def _toml(path: str, content: bytes, read: Read, paths: frozenset[str]) -> Locked:
    try:
        document = tomllib.loads(content.decode("utf-8", "replace"))
    except tomllib.TOMLDecodeError:
        return Locked(path, PYTHON, (), None, ())
    listed = document.get("package", document.get("packages"))
    names = {plain(str(one["name"])) for one in listed or () if isinstance(one, Mapping) and one.get("name")}
    manifest = str(PurePosixPath(path).with_name("pyproject.toml"))
    asked = _asked(manifest, read) if manifest in paths else []
    return Locked(path, PYTHON, (), len(names), tuple(one for one in asked if one not in names))


def _npm(path: str, content: bytes, read: Read, paths: frozenset[str]) -> Locked:
    document = _json(content)
    packages = _map(document.get("packages"))
    ships = [
        name
        for name, one in packages.items()
        if "node_modules/" in name
        and isinstance(one, Mapping)
        and not any(one.get(key) for key in _NOT_SHIPPED)
    ]
    out = []
    manifest = str(PurePosixPath(path).with_name("package.json"))
    if manifest in paths and "" in packages:
        asked, root = _json(read(manifest)), _map(packages[""])
        for key in ("dependencies", "devDependencies", "optionalDependencies"):
            wanted, has = _map(asked.get(key)), _map(root.get(key))
            out += [name for name in {*wanted, *has} if wanted.get(name) != has.get(name)]
    return Locked(path, NODE, (), len(ships) if packages else None, tuple(sorted(out)))


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        return _map(safe_json.loads(content))
    except (ValueError, RecursionError):
        return {}


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
