"""The reference: `python -m tests.docs.reference` writes docs/reference.md from the code itself."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pytest_deploycheck.gates import GATES
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.every import PROBES
from pytest_deploycheck.target import Target

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
_HEAD = """# Reference

This page is generated from the code: `python -m tests.docs.reference`.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_target(), *_limits(), *_probes(), *_gates()]) + "\n"


def _target() -> Iterator[str]:
    yield "## The target file\n"
    yield "TOML; relative paths start at the file; secrets are references. Unknown keys are refused.\n"
    for name, field in Target.model_fields.items():
        model = _model(field.annotation)
        if model is None or model is Limits:
            continue
        yield f"### `[{name}]`\n"
        yield " ".join((inspect.getdoc(model) or "").split()) + "\n"
        yield "| key | type | default |\n|---|---|---|"
        for key, entry in model.model_fields.items():
            yield f"| `{key}` | {_type(entry.annotation)} | {_default(entry)} |"
        yield ""
    yield "### `[not_applicable]` and `[standins]`\n"
    yield "Item ids with the reason, and stand-ins with what they stand in for; for the demo environment only.\n"


def _limits() -> Iterator[str]:
    yield "## Limits\n"
    yield 'Set under `[limits]` of the target file by these names. "own" is our own judgement.\n'
    yield "| limit | default | unit | source |\n|---|---|---|---|"
    for name, field in Limits.model_fields.items():
        extra: Any = field.json_schema_extra
        yield f"| `{name}` | {field.default} | {extra['unit']} | {field.description} |"
    yield ""


def _probes() -> Iterator[str]:
    yield "## Probes\n"
    yield "Each is the fixture `<name>_facts`.\n"
    yield "| probe | safety | deadline | uses | does |\n|---|---|---|---|---|"
    for probe in PROBES:
        uses = "; ".join(f"{place}: {actions}" for place, actions in probe.uses.items())
        flag = f", `--allow {probe.allow}`" if probe.allow else ""
        yield f"| `{probe.name}` | {probe.safety}{flag} | {probe.deadline:g} s | {uses} | {probe.summary} |"
    yield ""


def _gates() -> Iterator[str]:
    yield "## Gates\n"
    yield "| gate | alive when | owner |\n|---|---|---|"
    for gate in GATES.values():
        yield f"| {gate.name} | {gate.means} | `{gate.owner}` |"


def _model(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{value or '(empty)'}`" for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(_type(part) for part in get_args(annotation) if part is not type(None))
    if origin in (list, dict):
        inner = [_type(part) for part in get_args(annotation)]
        return f"list of {inner[0]}" if origin is list else f"table of {inner[-1]}"
    if hasattr(annotation, "__metadata__"):
        return _type(get_args(annotation)[0])
    names = {"SecretRef": "secret", "str": "text", "datetime": "time", "int": "integer", "float": "number"}
    name = getattr(annotation, "__name__", str(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table: " + ", ".join(f"`{key}`" for key in annotation.model_fields)
    return names.get(name, name)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.default_factory is None else ""
    if field.default in (None, "", [], {}):
        return ""
    text = str(field.default).replace("|", "\\|")
    return f"`{text}`"


if __name__ == "__main__":
    PAGE.write_text(page())
