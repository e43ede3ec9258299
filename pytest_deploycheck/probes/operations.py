"""The operations probe: everything that the API says it can do, and everything that we were told it can."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.rules import openapi
from pytest_deploycheck.transports.http import SAFE_METHODS, Response

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
NIL_UUID = "00000000-0000-0000-0000-000000000000"
_SLOT = re.compile(r"\{[^{}/]+\}")


@dataclass(frozen=True)
class Operation:
    """One operation.

    name: as in `GET /wallets/{id}`.  path: the same with nil ids and required query parameters filled in.
    documented: in the OpenAPI document.  public, admin, own_object: named so in `[auth]`.
    """

    name: str
    method: str
    template: str
    path: str
    documented: bool
    public: bool
    admin: bool
    own_object: bool

    @property
    def safe(self) -> bool:
        """Whether asking changes nothing, by the method's definition."""
        return self.method in SAFE_METHODS


@dataclass(frozen=True)
class OperationsFacts:
    """The union of documented and declared operations.

    problem: why there is no OpenAPI document, empty when there is one.  documented: how many it has.
    """

    openapi_path: str
    problem: str
    documented: int
    operations: tuple[Operation, ...]


@probe(facts=OperationsFacts, deadline=20, needs=("api",), uses={"api": "GET", "login": "POST"})
def operations(target: Target, connect: Connections) -> OperationsFacts:
    """Read the OpenAPI document, with the test account's token where it is not public."""
    path = target.api.openapi_path
    document, problem = _document(connect, path) if path else ({}, "api.openapi_path is empty")
    documented = dict(_documented(document))
    auth = target.auth
    declared = (*auth.public_ops, *auth.admin_ops, *auth.object_ops, *auth.declared_ops)
    known = {plain(name) for name in documented}
    templates = {
        **documented,
        **{name: _filled(name, {}, []) for name in declared if plain(name) not in known},
    }
    return OperationsFacts(
        openapi_path=path,
        problem=problem,
        documented=len(documented),
        operations=tuple(
            Operation(
                name=name,
                method=name.partition(" ")[0],
                template=name.partition(" ")[2],
                path=asked,
                documented=name in documented,
                public=_listed(name, auth.public_ops),
                admin=_listed(name, auth.admin_ops),
                own_object=_listed(name, auth.object_ops),
            )
            for name, asked in templates.items()
        ),
    )


def plain(name: str) -> str:
    """Return an operation's name with every parameter nameless and the method in capitals."""
    method, _, path = name.strip().partition(" ")
    return f"{method.upper()} {_SLOT.sub('{}', path.strip().rstrip('/') or '/')}"


def _listed(name: str, listed: list[str]) -> bool:
    return plain(name) in {plain(entry) for entry in listed}


def with_id(template: str, identifier: str) -> str:
    """Return a path with an object's id in every slot."""
    return _SLOT.sub(lambda _: quote(identifier, safe=""), template)


def _document(connect: Connections, path: str) -> tuple[Mapping[str, Any], str]:
    answer = connect.http("api").get(path)
    if answer.status in (401, 403) and connect.has_account("test_account"):
        try:
            answer = connect.api().get(path)
        except (Dead, CannotLook) as why:
            return {}, f"{path} answers {answer.status}, and the test account cannot log in: {why.message}"
    return _parsed(answer, path)


def _parsed(answer: Response, path: str) -> tuple[Mapping[str, Any], str]:
    if answer.status != 200:
        return {}, f"{path} answers {answer.status}"
    document: Any = openapi.document(answer.text)  # written as JSON or as YAML
    if not document:
        try:
            document = answer.json()
        except CannotLook as why:
            return {}, why.message
    if not isinstance(document, Mapping) or not isinstance(document.get("paths"), Mapping):
        return {}, f"{path} is no OpenAPI document"
    return document, ""


def _documented(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the filled-in path of each documented operation."""
    prefix = _prefix(document)
    for path, item in document.get("paths", {}).items():
        if not isinstance(item, Mapping):
            continue
        for method, operation in item.items():
            if str(method).upper() in METHODS and isinstance(operation, Mapping):
                parameters = [*_list(item.get("parameters")), *_list(operation.get("parameters"))]
                resolved = [_resolved(document, entry) for entry in parameters]
                name = f"{str(method).upper()} {prefix}{path}"
                yield name, _filled(name, document, resolved)


def _prefix(document: Mapping[str, Any]) -> str:
    """Return the path that all operations stand below (OpenAPI 3 servers, Swagger 2 basePath)."""
    servers = _list(document.get("servers"))
    url = str(servers[0].get("url", "")) if servers and isinstance(servers[0], Mapping) else ""
    try:
        path = urlsplit(url).path if "{" not in url else ""
    except ValueError:
        path = ""
    return (path or str(document.get("basePath") or "")).rstrip("/")


def _filled(name: str, document: Mapping[str, Any], parameters: list[Mapping[str, Any]]) -> str:
    by_name = {str(entry.get("name")): entry for entry in parameters if entry.get("in") == "path"}
    path = _SLOT.sub(
        lambda slot: quote(_nil(by_name.get(slot[0][1:-1], {})), safe=""), name.partition(" ")[2]
    )
    asked = [
        (str(entry["name"]), _nil(entry))
        for entry in parameters
        if entry.get("in") == "query" and entry.get("required") and entry.get("name")
    ]
    return f"{path}?{urlencode(asked)}" if asked else path


def _nil(parameter: Mapping[str, Any]) -> str:
    """Return a value that fits a parameter and names nothing that exists."""
    schema = parameter.get("schema", parameter)
    schema = schema if isinstance(schema, Mapping) else {}
    for given in (
        parameter.get("example"),
        schema.get("example"),
        schema.get("default"),
        *_list(schema.get("enum")),
    ):
        if given is not None and parameter.get("in") == "query":
            return str(given)
    if schema.get("type") in ("integer", "number"):
        return str(max(0, int(schema.get("minimum") or 0)))
    return NIL_UUID if schema.get("format") in (None, "uuid") else "deploycheck"


def _resolved(document: Mapping[str, Any], entry: Any) -> Mapping[str, Any]:
    """Follow one reference within the document."""
    reference = entry.get("$ref") if isinstance(entry, Mapping) else None
    if isinstance(reference, str) and reference.startswith("#/"):
        found: Any = document
        for part in reference[2:].split("/"):
            found = found.get(part) if isinstance(found, Mapping) else None
        entry = found
    return entry if isinstance(entry, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
