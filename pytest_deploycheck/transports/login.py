"""Where services put the token that a login returns: no two agree, so the usual places are searched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook

if TYPE_CHECKING:
    from pytest_deploycheck.transports.http import Response

ACCESS = ("access_token", "accessToken", "access", "token", "jwt", "id_token", "idToken")
REFRESH = ("refresh_token", "refreshToken", "refresh")


def find_token(answer: Response, names: tuple[str, ...] = ACCESS) -> str | None:
    """Return the token under any of `names` in the JSON body (two levels deep), a cookie, or a header."""
    try:
        found = _in_body(answer.json(), names)
    except CannotLook:
        found = None
    if found:
        return found
    for cookie in answer.all("set-cookie"):
        name, _, rest = cookie.partition("=")
        if any(known.lower() in name.strip().lower() for known in names) and rest.split(";")[0]:
            return rest.split(";")[0]
    if names is ACCESS and (header := answer.header("authorization")):
        return re.sub(r"(?i)^bearer ", "", header) or None
    return None


def _in_body(body: Any, names: tuple[str, ...]) -> str | None:
    if not isinstance(body, dict):
        return None
    for name in names:
        if isinstance(body.get(name), str) and body[name]:
            return str(body[name])
    for nested in body.values():
        if isinstance(nested, dict) and (found := _in_body(nested, names)):
            return found
    return None
