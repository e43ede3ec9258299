"""Plain HTTP for the tests of the demo's servers."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

Seen = TypeVar("Seen")


def fetch(
    url: str, body: Any = None, headers: dict[str, str] | None = None, **query: str
) -> tuple[int, dict[str, str], str]:
    """Return status, headers with lower-case names, and text; a body other than text is sent as JSON."""
    if query:
        url += "?" + urllib.parse.urlencode(query)
    data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            answer = reply.status, reply.headers, reply.read().decode()
    except urllib.error.HTTPError as error:
        answer = error.code, error.headers, error.read().decode()
    return answer[0], {name.lower(): value for name, value in answer[1].items()}, answer[2]


def get_json(url: str, headers: dict[str, str] | None = None, **query: str) -> Any:
    """Return the JSON of a 200; anything else is an AssertionError that shows the answer."""
    status, _, text = fetch(url, headers=headers, **query)
    assert status == 200, f"{url} answered {status}: {text[:500]}"
    return json.loads(text)


def eventually(look: Callable[[], Seen], within_s: float = 30.0) -> Seen:
    """Look again and again until something true is seen, and return it; the last sight when time is over."""
    deadline = time.monotonic() + within_s
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return seen
