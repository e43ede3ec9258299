"""OpenAPI documents: validity, operations, servers, and whether an answer is what a schema says. Nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from pytest_deploycheck import safe_json

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
PROBLEMS_MAX = 10
_SLOT = re.compile(r"\{[^{}/]+\}")


def document(text: str) -> dict[str, Any]:
    """Return the document, written as JSON or YAML; empty where it is none."""
    try:
        found = safe_json.loads(text)
    except (ValueError, RecursionError):
        import yaml

        try:
            found = yaml.safe_load(text[: 2**20])
        except (yaml.YAMLError, RecursionError):
            return {}
    if not isinstance(found, dict) or not isinstance(found.get("paths", {}), dict):
        return {}
    return found if isinstance(found.get("openapi") or found.get("swagger"), str) else {}


def problems(found: Mapping[str, Any]) -> tuple[tuple[str, ...] | None, str]:
    """Return what a validator finds wrong, or None and why it was not asked."""
    outside = sorted(set(_outside(found)))
    if outside:
        return None, f"it refers to other documents, which are not fetched: {', '.join(outside[:3])}"
    try:
        from openapi_spec_validator import (
            OpenAPIV2SpecValidator,
            OpenAPIV30SpecValidator,
            OpenAPIV31SpecValidator,
        )
    except ImportError:
        return (
            None,
            "openapi-spec-validator is not installed here; pip install 'pytest-deploycheck[operations]'",
        )
    told = str(found.get("openapi") or found.get("swagger"))
    kinds = {"2.0": OpenAPIV2SpecValidator, "3.0": OpenAPIV30SpecValidator, "3.1": OpenAPIV31SpecValidator}
    kind = kinds.get(".".join(told.split(".")[:2]))
    if kind is None:
        return None, f"version {told[:20]} of the format is not known"
    seen = []
    try:
        for error in kind(found).iter_errors():
            place = "/".join(str(part) for part in getattr(error, "absolute_path", ()) or ())
            seen.append(f"{place or 'document'}: {str(error.message)[:160]}")
            if len(seen) == PROBLEMS_MAX:
                break
    except Exception as error:
        # A reference within the document that leads nowhere ends the validator itself.
        seen.append(f"{type(error).__name__}: {str(error)[:160]}")
    return tuple(seen), ""


def _outside(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            to = one.get("$ref")
            if isinstance(to, str) and not to.startswith("#"):
                yield to[:120]
            stack += one.values()
        elif isinstance(one, list):
            stack += one


def operations(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield operations as `GET /wallets/{id}`, with the path that all stand below."""
    for path, method, _ in _operations(found):
        yield f"{method.upper()} {_prefix(found)}{path}"


def _operations(found: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in (found.get("paths") or {}).items():
        for method, operation in item.items() if isinstance(item, Mapping) else ():
            if str(method).lower() in METHODS and isinstance(operation, Mapping):
                yield str(path), str(method).lower(), operation


def _prefix(found: Mapping[str, Any]) -> str:
    servers_ = found.get("servers")
    url = (
        servers_[0].get("url")
        if isinstance(servers_, list) and servers_ and isinstance(servers_[0], dict)
        else ""
    )
    try:
        path = urlsplit(str(url or "")).path if "{" not in str(url) else ""
    except ValueError:
        path = ""
    return (path or str(found.get("basePath") or "")).rstrip("/")


def plain(name: str) -> str:
    """Return an operation's name with every parameter nameless and the method in capitals."""
    method, _, path = name.strip().partition(" ")
    return f"{method.upper()} {_SLOT.sub('{}', path.strip().rstrip('/') or '/')}"


def servers(found: Mapping[str, Any], own: str) -> Iterator[str]:
    """Yield the servers' URLs, relative ones as seen from the document's own; without any it is the document's."""
    listed = found.get("servers")
    if isinstance(listed, list) and listed:
        for one in listed:
            if isinstance(one, Mapping):
                yield urljoin(own, _with_defaults(one))[:300].rstrip("/")
        return
    if found.get("host"):
        scheme = next(iter(found.get("schemes") or ()), "https")
        yield f"{scheme}://{found['host']}{found.get('basePath') or ''}".rstrip("/")
    elif found:
        yield urljoin(own, "/").rstrip("/")


def _with_defaults(server: Mapping[str, Any]) -> str:
    """Return a server's URL with each variable's default in its place."""
    variables = server.get("variables")
    known = variables if isinstance(variables, Mapping) else {}

    def default(slot: re.Match[str]) -> str:
        entry = known.get(slot[0][1:-1])
        return str(entry.get("default", "")) if isinstance(entry, Mapping) else ""

    return re.sub(r"\{[^{}]+\}", default, str(server.get("url", "")))


def schemes(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the declared ways to log in."""
    components = found.get("components")
    listed = (
        components.get("securitySchemes")
        if isinstance(components, Mapping)
        else found.get("securityDefinitions")
    )
    yield from (str(name) for name in listed) if isinstance(listed, Mapping) else ()


def failures(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the statuses from 400 on that operations document, each once; ranges such as 4XX are none."""
    seen: set[str] = set()
    for _, _, operation in _operations(found):
        for status in operation.get("responses") or {}:
            if re.fullmatch(r"[45]\d\d", str(status)) and str(status) not in seen:
                seen.add(str(status))
                yield str(status)


def response_schema(found: Mapping[str, Any], name: str, status: int) -> Mapping[str, Any] | None:
    """Return the schema of an operation's JSON answer of a status; None where there is none."""
    for path, method, operation in _operations(found):
        if f"{method.upper()} {_prefix(found)}{path}" != name:
            continue
        responses = operation.get("responses") or {}
        for key in (str(status), f"{str(status)[0]}XX", f"{str(status)[0]}xx", "default"):
            answer = _followed(found, responses.get(key))
            for kind, body in (answer.get("content") or {}).items():
                if "json" in str(kind) and isinstance(body, Mapping) and body.get("schema"):
                    schema = body["schema"]
                    return schema if isinstance(schema, Mapping) else None
            if isinstance(answer.get("schema"), Mapping):  # Swagger 2
                return dict(answer["schema"])
            if answer:
                return None
    return None


def _followed(found: Mapping[str, Any], entry: Any) -> Mapping[str, Any]:
    to = entry.get("$ref") if isinstance(entry, Mapping) else None
    if isinstance(to, str) and to.startswith("#/"):
        entry = found
        for part in to[2:].split("/"):
            entry = entry.get(part) if isinstance(entry, Mapping) else None
    return entry if isinstance(entry, Mapping) else {}


def mismatch(found: Mapping[str, Any], schema: Mapping[str, Any], text: str) -> str:
    """Return where an answer is not what its schema says, empty where it is; no value of it is told."""
    try:
        from openapi_schema_validator import OAS30Validator, OAS31Validator
    except ImportError:
        return ""
    try:
        body = safe_json.loads(text)
    except (ValueError, RecursionError):
        return "it is no JSON"
    # References start at the root of what the validator is given.
    whole = {
        **schema,
        "components": found.get("components") or {},
        "definitions": found.get("definitions") or {},
    }
    kind = OAS30Validator if str(found.get("openapi", "")).startswith("3.0") else OAS31Validator
    try:
        error = next(iter(kind(whole).iter_errors(body)), None)
    except Exception as why:
        return f"its schema cannot be used: {type(why).__name__}"
    if error is None:
        return ""
    return f"{error.json_path}: not as {error.validator} says"
