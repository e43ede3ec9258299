"""The API's own documentation: whether the OpenAPI document is served, valid, and true of what answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.rules import openapi
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.operations import OperationsFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

SAMPLE_PAUSE_S = 0.02
_PRIVATE = re.compile(r"^/(?:internal|private|debug|actuator|_[\w-]+)(?:/|$)")


@dataclass(frozen=True)
class Asked:
    """A documented operation that was asked: wrong says where its answer does not match its schema.

    gone: nothing is there (405, 501, or 404 where no object was asked for).  checked: there was a schema to match.
    """

    name: str
    status: int
    gone: bool
    checked: bool
    wrong: str


@dataclass(frozen=True)
class ApiDocsFacts:
    """The document and the page for people.

    anonymous: the status that anybody gets; status: the one that we got, logged in where needed..  openapi: the version of the format, empty where the answer is no such document.  problems: what a
    validator finds, at most ten; None where it could not be validated (why).  told_commit: x-commit of its info.
    servers: URLs, relative ones made absolute.  private, admin: documented operations that are not for the public (admin: empty where they are meant to be there).  failures: documented statuses from 400 on.
    """

    path: str
    visibility: str
    anonymous: int
    status: int
    openapi: str
    why: str
    problems: tuple[str, ...] | None
    version: str
    told_commit: str
    released: str
    commit: str
    base_url: str
    servers: tuple[str, ...]
    schemes: tuple[str, ...]
    operations: tuple[str, ...]
    private: tuple[str, ...]
    admin: tuple[str, ...]
    failures: tuple[str, ...]
    asked: tuple[Asked, ...]
    page: str
    page_anonymous: int | None
    page_status: int | None
    page_html: bool


@probe(facts=ApiDocsFacts, deadline=45, needs=("api",), uses={"api": "GET", "login": "POST"})
def api_docs(
    target: Target, connect: Connections, limits: Limits, operations_facts: OperationsFacts
) -> ApiDocsFacts:
    """Fetch the OpenAPI document and the page for people, validate the one, and ask what it promises."""
    section = target.api
    if not section.openapi_path:
        raise CannotLook(Reason.NO_CONFIG, f"api.openapi_path in {target.path.name} is empty; set it")
    look = _Look(target, connect)
    anonymous, answer = look.both(section.openapi_path)
    document = openapi.document(answer.text) if answer.status == 200 else {}
    problems, why = openapi.problems(document) if document else (None, f"it answers {answer.status}")
    names = tuple(openapi.operations(document))
    page_anonymous, page = look.both(section.docs_path) if section.docs_path else (None, None)
    info = document.get("info")
    said = info if isinstance(info, Mapping) else {}
    admin = set() if section.admin_documented else {openapi.plain(name) for name in target.auth.admin_ops}
    return ApiDocsFacts(
        path=section.openapi_path,
        visibility=section.docs_visibility,
        anonymous=anonymous,
        status=answer.status,
        openapi=str(document.get("openapi") or document.get("swagger") or ""),
        why=why,
        problems=problems,
        version=str(said.get("version", ""))[:80],
        told_commit=str(said.get("x-commit", ""))[:80],
        released=target.release.version,
        commit=target.release.commit,
        base_url=target.target.base_url,
        servers=tuple(openapi.servers(document, f"{target.target.base_url}{section.openapi_path}")),
        schemes=tuple(openapi.schemes(document)),
        operations=names,
        private=tuple(name for name in names if _PRIVATE.match(name.partition(" ")[2])),
        admin=tuple(name for name in names if openapi.plain(name) in admin),
        failures=tuple(openapi.failures(document)),
        asked=tuple(look.asked(document, operations_facts, limits.api_sample_max)),
        page=section.docs_path,
        page_anonymous=page_anonymous,
        page_status=page.status if page is not None else None,
        page_html=page is not None and _is_page(page),
    )


class _Look:
    """Asks as anybody, and as the test account where there is one."""

    def __init__(self, target: Target, connect: Connections) -> None:
        self._connect = connect
        self._anybody = connect.http("api")
        self._known = self._login() if connect.has_account("test_account") else None

    def _login(self) -> Http | None:
        try:
            return self._connect.api()
        except (Dead, CannotLook):
            return None

    def both(self, path: str) -> tuple[int, Response]:
        """Return the status for anybody, and the answer that we get, logged in where that is needed."""
        first = self._patient(self._anybody, path)
        if first.status in (401, 403, 404) and self._known is not None:
            return first.status, self._patient(self._known, path)
        return first.status, first

    def _patient(self, http: Http, path: str) -> Response:
        answer = http.get(path)
        if answer.status == 429:
            wait = answer.header("retry-after") or "1"
            self._connect.sleep(min(float(wait) if wait.isdigit() else 1.0, 5.0) + 0.1)
            answer = http.get(path)
        return answer

    def asked(self, document: Mapping[str, Any], known: OperationsFacts, most: int) -> Iterator[Asked]:
        """Ask the documented GETs, as a user, and hold their answers against their schemas."""
        safe = [one for one in known.operations if one.documented and one.method == "GET"]
        for operation in safe[:most]:
            self._connect.sleep(SAMPLE_PAUSE_S)
            http = self._anybody if operation.public or self._known is None else self._known
            answer = self._patient(http, operation.path)
            schema = openapi.response_schema(document, operation.name, answer.status)
            wrong = openapi.mismatch(document, schema, answer.text) if schema is not None else ""
            gone = answer.status in (405, 501) or (answer.status == 404 and "{" not in operation.template)
            yield Asked(operation.name, answer.status, gone, schema is not None, wrong)


def _is_page(answer: Response) -> bool:
    kind = (answer.header("content-type") or "").lower()
    return answer.status == 200 and "html" in kind and len(answer.body) > 100
