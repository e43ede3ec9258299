"""Rules for certificates of public authorities: how long they may live, and which authorities are rehearsals."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_LONGEST = (
    (datetime(2029, 3, 15, tzinfo=UTC), 47),
    (datetime(2027, 3, 15, tzinfo=UTC), 100),
    (datetime(2026, 3, 15, tzinfo=UTC), 200),
)
_BEFORE_D = 398
_STAGING_ISSUER = re.compile(
    r"\(STAGING\)|Fake LE (Intermediate|Root)|happy hacker fake CA|Pebble (Intermediate|Root) CA|Buypass.*Test4|"
    r"Caddy Local Authority|minica root ca|mkcert|TRAEFIK DEFAULT CERT",
    re.IGNORECASE,
)
_STAGING_DIRECTORY = re.compile(r"staging|test-api|api\.test4\.|//(localhost|127\.|\[::1\])", re.IGNORECASE)


def lifetime_max_d(issued: datetime) -> int:
    """Return the days that a certificate issued then may live at most (CA/Browser Forum ballot SC-081v3)."""
    return next((days for since, days in _LONGEST if issued >= since), _BEFORE_D)


def is_staging(issuer: str, directory: str) -> bool:
    """Whether a certificate is a rehearsal's: of a test authority by its issuer, or from its ACME directory.

    Those of Let's Encrypt name themselves "(STAGING)"; clients trust none of them.
    """
    return bool(_STAGING_ISSUER.search(issuer) or _STAGING_DIRECTORY.search(directory))
