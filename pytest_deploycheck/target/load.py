"""Reading a target file: TOML in, `Target` out, every mistake named with its place and the next step."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.model import Target


class TargetError(Exception):
    """A target file cannot be used; the message names the file, the key and what to write instead."""


def find(name: str, root: Path) -> Path:
    """Return the file of a target given by name (`targets/NAME.toml` below `root`) or by path."""
    if name.endswith(".toml") or "/" in name:
        path = Path(name).expanduser()
        if not path.is_file():
            raise TargetError(f"target file {path} does not exist; give a name or a .toml file")
        return path.resolve()
    path = root / "targets" / f"{name}.toml"
    if path.is_file():
        return path
    known = sorted(found.stem for found in path.parent.glob("*.toml"))
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known are: {', '.join(known) or 'none'}"
    raise TargetError(f"no target {name!r}: {path} does not exist{hint}")


def load(path: Path) -> Target:
    """Read and check a target file; secrets stay references until they are resolved."""
    try:
        values = tomllib.loads(path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"target file {path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise TargetError(f"{path}: not valid TOML: {error}") from None
    try:
        target = Target.model_validate({**_with_release(values, path), "path": path.resolve()})
    except ValidationError as error:
        raise TargetError("\n".join(_explain(path, entry) for entry in error.errors())) from None
    for reference in secrets(target).values():
        reference.base = path.resolve().parent
    return target


def _with_release(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """Put environment variables into `[release]`, where `${NAME}` stands: a CI knows what it has released."""
    release = values.get("release")
    if not isinstance(release, dict):
        return values
    filled = dict(release)
    for key, value in release.items():
        match = re.fullmatch(r"\$\{(\w+)\}", value) if isinstance(value, str) else None
        if match:
            if match[1] not in os.environ:
                raise TargetError(f"{path}: release.{key} is {value}, but {match[1]} is not set; export it")
            filled[key] = os.environ[match[1]]
    return {**values, "release": filled}


def secrets(target: Target) -> dict[str, SecretRef]:
    """Return every secret reference of a target by its dotted key."""
    return dict(_references(target, ""))


def _references(value: Any, where: str) -> Iterator[tuple[str, SecretRef]]:
    if isinstance(value, SecretRef):
        yield where.lstrip("."), value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _references(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _references(entry, f"{where}.{name}")
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _references(entry, f"{where}.{number}")


def _explain(path: Path, entry: Mapping[str, Any]) -> str:
    """Turn one pydantic error into a line a person can act on, never showing a secret."""
    place = [str(part) for part in entry["loc"]]
    key = ".".join(place) or "file"
    if entry["type"] == "extra_forbidden":
        siblings = _siblings(place[:-1])
        near = get_close_matches(place[-1], siblings, n=1, cutoff=0.5)
        section = f"[{'.'.join(place[:-1])}]" if place[:-1] else "the top level"
        hint = f"did you mean {near[0]!r}?" if near else f"known there: {', '.join(sorted(siblings))}"
        return f"{path}: unknown key {place[-1]!r} in {section}; {hint}"
    if entry["type"] == "missing":
        return f"{path}: {key} is missing; add it"
    message = str(entry["msg"]).removeprefix("Value error, ")
    shown = entry.get("input")
    value = f" = {shown!r}" if isinstance(shown, (int, float, bool)) else ""
    return f"{path}: {key}{value}: {message}"


def _siblings(place: list[str]) -> list[str]:
    """Return the keys known in a section given by its path."""
    model: Any = Target
    for part in place:
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or part not in model.model_fields:
            return []
        model = _model_of(model.model_fields[part].annotation)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [name for name in model.model_fields if name != "path"]
    return []


def _model_of(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        return next((part for part in get_args(annotation) if part is not type(None)), annotation)
    return annotation
