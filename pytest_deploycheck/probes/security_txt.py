"""The file by which the product tells finders of weaknesses whom to write to (RFC 9116)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_FIELD = re.compile(r"^([A-Za-z][A-Za-z-]*):\s*(.*?)\s*$")
_REACHABLE = re.compile(r"(?:https://|tel:\+?[\d-]{5,}|mailto:[^\s@]+@[^\s@]+\.[^\s@]+)", re.IGNORECASE)


@dataclass(frozen=True)
class SecurityTxtFacts:
    """The file as the public door serves it.

    wanted: False where the target file says that the product is not public.  contacts, canonical, expires: of the
    fields of these names, as written.  unreachable: contacts that are neither https, mail nor telephone.
    """

    wanted: bool
    url: str
    status: int
    media_type: str
    contacts: tuple[str, ...]
    unreachable: tuple[str, ...]
    expires: tuple[str, ...]
    canonical: tuple[str, ...]


@probe(facts=SecurityTxtFacts, deadline=15, needs=("net_gate",), uses={"api": "GET"})
def security_txt(target: Target, connect: Connections) -> SecurityTxtFacts:
    """Ask for security.txt."""
    path = target.contacts.security_txt
    url = f"{target.target.base_url}{path}"
    if not path:
        return SecurityTxtFacts(False, url, 0, "", (), (), (), ())
    answer = connect.http("api").get(path)
    if 300 <= answer.status < 400:
        raise CannotLook(
            Reason.NOT_ALLOWED,
            f"{url} leads elsewhere ({answer.status}); set contacts.security_txt to where it is",
        )
    found = fields(answer.text) if answer.status == 200 else ()
    people = values(found, "contact")
    return SecurityTxtFacts(
        wanted=True,
        url=url,
        status=answer.status,
        media_type=(answer.header("content-type") or "").partition(";")[0].strip().lower(),
        contacts=people,
        unreachable=tuple(one for one in people if not _REACHABLE.match(one)),
        expires=values(found, "expires"),
        canonical=values(found, "canonical"),
    )


def fields(text: str) -> tuple[tuple[str, str], ...]:
    """Return the fields, names in lower case; the armor of a signature and comments are none."""
    lines = text[:65536].splitlines()
    if any(line.startswith("-----BEGIN PGP SIGNED MESSAGE") for line in lines):
        start = next((number for number, line in enumerate(lines) if not line.strip()), 0)
        end = next(
            (n for n, line in enumerate(lines) if line.startswith("-----BEGIN PGP SIGNATURE")), len(lines)
        )
        lines = [line.removeprefix("- ") for line in lines[start:end]]
    found = (_FIELD.match(line) for line in lines if not line.startswith("#"))
    return tuple((match[1].lower(), match[2][:300]) for match in found if match is not None)


def values(found: tuple[tuple[str, str], ...], name: str) -> tuple[str, ...]:
    """Return the values of a field."""
    return tuple(value for field, value in found if field == name)
