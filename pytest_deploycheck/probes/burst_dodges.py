"""Ways around a rate limit, tried while it refuses: what only looks like one is told from what is one.

A limit recovers while it is tried: a request that passes may have taken a place that had just become free, and on a
slow service one becomes free with every pair of requests. So a way that seems to work is held against plain requests
in the same rhythm: it counts only where those are refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_deploycheck.probes.volley import Shot
    from pytest_deploycheck.transports.http import Response

TRIES = 3
"""So often a way around must work, with a plain request refused right after it, before it counts as one."""

ROUNDS = 2
"""So often it is held against plain requests before it stays undecided."""

_FORGED = (
    "X-Forwarded-For",
    "X-Real-IP",
    "X-Original-Forwarded-For",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Originating-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
)
Kind = tuple[int, str]


class Dodges:
    """The ways around one policy's limit.

    usual: status and media type of a served request.  login: requests are wrong logins, unless `right`.  send(path,
    forged, right): sends one.  refuses: whether an answer is the limit's refusal.  fill: sends until it refuses
    again; empty when there are no requests left to do so.
    """

    def __init__(
        self,
        route: str,
        usual: Kind,
        login: bool,
        *,
        send: Callable[[str, bool, bool], Response],
        refuses: Callable[[Response], bool],
        fill: Callable[[], Sequence[Shot]],
    ) -> None:
        self._route, self._usual, self._login = route, usual, login
        self._send, self._refuses, self._fill = send, refuses, fill

    def all(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the ways that work, and those that could not be told from the limit's recovery."""
        dodged, undecided = [], []
        for name, path, forged in self._ways():
            works = self._works(path, forged)
            if works is None:
                undecided.append(name)
            elif works:
                dodged.append(name)
        return tuple(dodged), tuple(undecided)

    def _ways(self) -> Iterator[tuple[str, str, bool]]:
        route, mark, query = self._route.partition("?")
        yield "a forged sender address", self._route, True
        yield "a trailing slash", f"{route.rstrip('/')}/{mark}{query}", False
        yield "a doubled slash", f"/{route}{mark}{query}", False
        yield "capitals in the path", f"{route.upper()}{mark}{query}", False

    def _works(self, path: str, forged: bool) -> bool | None:
        """Whether requests pass this way again and again where plain ones, in the same rhythm, are refused."""
        for _ in range(ROUNDS):
            passes = self._passes(path, forged)
            if passes is not True:
                return passes
            if not any(self._plain_passes() for _ in range(TRIES)):
                return True
        return None

    def _passes(self, path: str, forged: bool) -> bool | None:
        """Whether a request passes this way each time, while a plain one is refused right after; one refusal settles it."""
        for _ in range(TRIES):
            if kind(self._send(path, forged, False)) != self._usual:
                return False
            if self._login and not forged and not 200 <= self._send(path, False, True).status < 300:
                return False  # another thing that refuses, not the login by another name
            if not self._refuses(self._send(self._route, False, False)):
                shots = self._fill()
                if not any(self._refuses(shot.answer) for shot in shots):
                    return None
        return True

    def _plain_passes(self) -> bool:
        """Whether the first of two plain requests passes: a place has become free in that time."""
        first = self._send(self._route, False, False)
        self._send(self._route, False, False)
        return not self._refuses(first)


def kind(answer: Response) -> Kind:
    """Return what tells a served request from a page that answers every path."""
    return answer.status, (answer.header("content-type") or "").partition(";")[0].lower()


def forged_headers() -> dict[str, str]:
    """Return the headers by which a client could pretend to be another one (addresses of RFC 5737)."""
    address = f"198.51.100.{secrets.randbelow(254) + 1}"
    return {**dict.fromkeys(_FORGED, address), "Forwarded": f"for={address}"}
