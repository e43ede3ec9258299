"""CAA (RFC 8659): who may issue certificates for a name, and by which names the authorities go."""

from __future__ import annotations

from collections.abc import Collection, Sequence

KNOWN_TAGS = frozenset(
    {"issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"}
)
"""Property tags of IANA's registry of certification authority restriction properties."""
_NAMES: dict[str, tuple[str, ...]] = {
    "let's encrypt": ("letsencrypt.org",),
    "isrg": ("letsencrypt.org",),
    "google trust services": ("pki.goog",),
    "zerossl": ("sectigo.com", "comodoca.com"),
    "sectigo": ("sectigo.com", "comodoca.com", "comodo.com", "usertrust.com", "trust-provider.com"),
    "digicert": (
        "digicert.com",
        "www.digicert.com",
        "geotrust.com",
        "rapidssl.com",
        "thawte.com",
        "symantec.com",
    ),
    "amazon": ("amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"),
    "globalsign": ("globalsign.com",),
    "buypass": ("buypass.com", "buypass.no"),
    "ssl.com": ("ssl.com",),
    "godaddy": ("godaddy.com", "starfieldtech.com"),
    "entrust": ("entrust.net", "entrust.com"),
    "certum": ("certum.pl", "certum.eu", "assecods.com"),
    "actalis": ("actalis.it",),
    "harica": ("harica.gr",),
    "microsoft": ("microsoft.com",),
    "swisssign": ("swisssign.com",),
    "telesec": ("telesec.de",),
}
"""The CAA names that authorities publish in their certification practice statements, by a part of their own."""
Property = tuple[int, str, str]
"""Flags, tag, value."""


def names_of(issuers: Collection[str]) -> tuple[str, ...]:
    """Return the CAA names of authorities called by their own names; those that are not known give none."""
    return tuple(
        dict.fromkeys(
            caa
            for issuer in issuers
            for part, names in _NAMES.items()
            if part in issuer.lower()
            for caa in names
        )
    )


def refusal(properties: Sequence[Property], issuers: Collection[str]) -> str:
    """Return why none of the issuers (CAA names) may issue for the name itself, or an empty string."""
    for flags, tag, _ in properties:
        if flags & 0x80 and tag.lower() not in KNOWN_TAGS:
            return f"the critical property {tag!r} forbids every authority that does not know it"
    permitted = [
        value.partition(";")[0].strip().lower() for _, tag, value in properties if tag.lower() == "issue"
    ]
    if not permitted or {one.lower() for one in issuers} & set(permitted):
        return ""
    named = ", ".join(filter(None, permitted)) or "nobody"
    return f"only {named} may issue" if named != "nobody" else "nobody may issue"
