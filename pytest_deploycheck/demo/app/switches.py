"""Deliberate bugs, switched on and off in the running service by a JSON file.

Every switch is off when it is absent. The file is read again when it changed, at the next request.
"""

from __future__ import annotations

import difflib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Each switch, what its value is, and what it breaks. A route is written as in the OpenAPI document.
KNOWN: Mapping[str, str] = {
    "accept_alg_none": "true: unsigned tokens (alg none in any spelling) are accepted",
    "ignore_exp": "true: expired tokens are accepted",
    "ignore_signature": "true: a token's signature is not looked at",
    "bad_token_500": "true: an unacceptable token ends in status 500",
    "jwt_alg": '"RS256": tokens are signed with an RSA key, published at /.well-known/jwks.json',
    "hs_rs_confusion": "true: with RS256, a token signed by HMAC with the public key's PEM is accepted",
    "login_enumeration": "true: a login answers differently for a user who does not exist",
    "no_rotation": "true: a refresh hands the same refresh token back and keeps it alive",
    "logout_forgets": "true: a logout revokes nothing",
    "refuse_all": "true: every login and every protected route answers 401",
    "unguarded": "list of routes that need no token",
    "idor": "true: any user may read any wallet",
    "admin_for_all": "true: admin routes accept every user",
    "stale_balance": "true: balances are those of 200 blocks ago, labelled with the newest block",
    "shared_address": "true: every user is shown the first user's wallet address",
    "accept_bad_address": "true: a withdrawal quote checks neither address nor balance",
    "rpc_url": "address of another node to use",
    "chain_cached": "true: chain facts are served from the last good answer, however old",
    "indexer_paused": "true: the indexer stands still",
    "queue_stuck": "true: the indexer matches no purchases and redemptions, so that they stay pending",
    "conflict_500": "true: a reused idempotency key ends in status 500",
    "slow_routes": "object of route: seconds to wait before answering",
    "fast_404": "list of routes that answer 404 at once",
    "slow_query": "true: the query behind every protected request takes 0.3 s",
    "limiter_off": "list of routes without a rate limit",
    "limiter_xff": "true: the rate limit believes X-Forwarded-For and X-Original-Forwarded-For",
    "limiter_per_worker": "true: each instance counts for itself",
    "lockout_off": "true: failed logins of an account are not counted",
    "cors": "a wrong cross-origin policy, by its name in cors.BUGS",
    "debug_pages": "true: refusals show a stack trace, as debug modes do",
    "log_bodies": "true: request bodies are logged",
    "log_tokens": "true: Authorization headers are logged",
    "log_key_at_start": "true: the signer's key is logged, once each time this is switched on",
    "freeze_metrics": "true: /metrics repeats its last answer",
    "health_degraded_200": "true: health says degraded with status 200",
    "health_stale": "true: health is five minutes old and may be cached",
    "health_leaks": "true: health shows addresses and a stack trace",
    "health_shallow": "true: health looks at no component",
    "busy_loop": "true: one thread burns CPU",
    "leak_mb": "number of megabytes to hold",
    "errors_off": "true: errors are not reported to the tracker",
}


class Switches:
    """The switches of one service, shared by its threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._values: dict[str, Any] = {}

    def refresh(self) -> None:
        """Read the file again if it changed; a half-written file leaves the switches as they were."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._values = None, {}
            return
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        with self._lock:
            if seen == self._seen:
                return
            try:
                values = json.loads(self._path.read_text() or "{}")
            except ValueError:
                return
            if isinstance(values, dict):
                self._seen, self._values = seen, values

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return bool(self._values.get(name))

    def value(self, name: str) -> Any:
        """Return the value of a switch, None when it is absent."""
        return self._values.get(name)

    def lists(self, name: str, route: str) -> bool:
        """Whether a switch that is a list of routes has this one."""
        return route in (self._values.get(name) or ())


def flip(path: Path, **values: Any) -> None:
    """Set switches in a file, atomically; None removes one.

    ValueError for a switch that does not exist, and for a file that is not JSON.
    """
    for name in values:
        if name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"no switch is called {name!r}{hint}")
    try:
        kept = json.loads(path.read_text() or "{}") if path.exists() else {}
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error}): mend or delete it") from None
    kept = {name: value for name, value in {**kept, **values}.items() if value is not None}
    scratch = path.with_suffix(".json.new")
    scratch.write_text(json.dumps(kept, indent=2) + "\n")
    scratch.replace(path)
