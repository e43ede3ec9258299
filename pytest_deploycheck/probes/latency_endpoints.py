"""Which endpoints the latency probe times: the target file's, or those that the API documents itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports.http import Http

DISCOVERED_MAX = 15
"""So many documented endpoints are timed when the target file names none."""


def endpoints_of(target: Target, http: Http, logged_in: bool) -> tuple[str, ...]:
    """Return the paths to time; CannotLook(no_config) when neither the file nor the API names one."""
    if target.perf.endpoints:
        return tuple(dict.fromkeys(target.perf.endpoints))
    found = tuple(_documented(target, http, logged_in))[:DISCOVERED_MAX]
    if not found:
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no perf.endpoints in {target.path.name}, and {target.api.openapi_path} documents no plain GET; "
            "add the paths that users wait for",
        )
    return found


def _documented(target: Target, http: Http, logged_in: bool) -> Iterator[str]:
    """Yield the documented paths that a plain GET can ask: nothing to fill in, no logout, no admin route."""
    answer = http.get(target.api.openapi_path)
    try:
        document = answer.json() if answer.status == 200 else {}
    except CannotLook:
        document = {}
    paths = document.get("paths") if isinstance(document, Mapping) else None
    barred = {*target.auth.admin_ops, f"GET {target.auth.logout_path}"}
    for path, item in (paths if isinstance(paths, Mapping) else {}).items():
        operation = item.get("get") if isinstance(item, Mapping) else None
        if not isinstance(operation, Mapping) or "{" in str(path) or f"GET {path}" in barred:
            continue
        open_to_all = f"GET {path}" in target.auth.public_ops or operation.get("security") == []
        if _needs_nothing(item, operation) and (logged_in or open_to_all):
            yield str(path)


def _needs_nothing(item: Mapping[str, Any], operation: Mapping[str, Any]) -> bool:
    parameters = [*item.get("parameters", ()), *operation.get("parameters", ())]
    # A reference may stand for a required parameter; a path with one is left out rather than asked wrongly.
    return not any(
        not isinstance(entry, Mapping)
        or "$ref" in entry
        or (entry.get("required") and str(entry.get("name", "")).lower() != "authorization")
        for entry in parameters
    )
