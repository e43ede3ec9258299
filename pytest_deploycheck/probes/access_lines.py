"""Lines of access logs as the usual servers write them: the combined format, and JSON with each server's own names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pytest_deploycheck import safe_json

_COMBINED = re.compile(
    r'"(?P<method>[A-Z]{3,8}) (?P<path>\S{1,2048})(?: HTTP/[\d.]+)?" (?P<status>\d{3})(?: \S+)?'
    r'(?:.*"(?P<agent>(?:[^"\\]|\\.)*)")?'
)
_NAMES = {
    "method": ("method", "request_method", "requestmethod", "http_method", "verb"),
    "path": (
        "route",
        "path",
        "uri",
        "request_uri",
        "requesturi",
        "requestpath",
        "url",
        "target",
        "http_path",
    ),
    "status": ("status", "status_code", "downstreamstatus", "response_status", "code", "http_status"),
    "agent": ("user_agent", "useragent", "http_user_agent", "user-agent", "request_user-agent", "agent"),
}


@dataclass(frozen=True)
class Access:
    """One request: its path without the query."""

    method: str
    path: str
    status: int
    user_agent: str


def parse(line: str) -> Access | None:
    """Return the request of a line; None where it tells of none."""
    text = line.strip()[:16_384]
    if text.startswith("{"):
        try:
            found = _json(safe_json.loads(text))
        except (ValueError, RecursionError):
            return None
        return found
    match = _COMBINED.search(text)
    if not match:
        return None
    return Access(match["method"], urlsplit(match["path"]).path, int(match["status"]), match["agent"] or "")


def _json(body: Any) -> Access | None:
    fields: dict[str, Any] = {}
    _collect(body, fields, 0)
    words = {name: next((fields[key] for key in keys if key in fields), "") for name, keys in _NAMES.items()}
    line = str(fields.get("request", ""))
    if (not words["method"] or not words["path"]) and (match := re.match(r"([A-Z]{3,8}) (\S+)", line)):
        words["method"], words["path"] = match[1], match[2]
    status = str(words["status"])
    if not words["path"] or not re.fullmatch(r"[1-5]\d\d", status):
        return None
    path = urlsplit(str(words["path"])[:2048]).path
    return Access(str(words["method"]).upper(), path, int(status), str(words["agent"]))


def _collect(body: Any, fields: dict[str, Any], depth: int) -> None:
    """Gather values by their names in lower case, the outermost first; of a list its first value."""
    inner = []
    for key, value in body.items() if isinstance(body, dict) and depth < 4 else ():
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, dict):
            inner.append(value)
        else:
            fields.setdefault(str(key).lower(), value)
    for one in inner:
        _collect(one, fields, depth + 1)


def is_route(request: Access, route: str) -> bool:
    """Whether a request is to a route, written `METHOD /path` with `{name}` for any part of the path."""
    method, _, path = route.partition(" ")
    pattern = "".join(
        "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", path)
    )
    return request.method == method and re.fullmatch(f"{pattern}/?", request.path) is not None
