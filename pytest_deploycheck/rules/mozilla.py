"""Mozilla Server Side TLS 6.0, "intermediate": what a public server may offer, as our own table.

Source: https://ssl-config.mozilla.org/guidelines/6.0.json. A server that offers less (TLS 1.3 alone, fewer
suites) is within it; one that offers anything else is not.
"""

from __future__ import annotations

from collections.abc import Collection

VERSIONS = frozenset({"TLS 1.2", "TLS 1.3"})
NEWEST = "TLS 1.3"
CIPHERS = frozenset(
    {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        *(
            f"TLS_ECDHE_{key}_WITH_{cipher}"
            for key in ("ECDSA", "RSA")
            for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
        ),
    }
)
CURVES = frozenset({"X25519MLKEM768", "X25519", "prime256v1", "secp384r1"})
SYNONYMS = {"secp256r1": "prime256v1", "P-256": "prime256v1", "P-384": "secp384r1"}
"""Other names of the same curves."""
SIGNATURE_HASHES = frozenset({"sha256", "sha384", "sha512"})


def deviations(
    versions: Collection[str],
    ciphers: Collection[str],
    curves: Collection[str],
    allowed: Collection[str],
    *,
    whole: bool = True,
) -> tuple[str, ...]:
    """Return a phrase for everything offered that the profile does not have, and for a missing TLS 1.3.

    `allowed` names versions, suites and curves that are accepted all the same; in what is not the `whole` of what
    is offered, nothing is missing.
    """
    found = [f"protocol {name}" for name in versions if name not in VERSIONS]
    if whole and NEWEST not in versions:
        found.append(f"no {NEWEST}")
    found += [f"cipher suite {name}" for name in ciphers if name not in CIPHERS]
    found += [f"curve {name}" for name in curves if SYNONYMS.get(name, name) not in CURVES]
    return tuple(phrase for phrase in found if phrase.rpartition(" ")[2] not in allowed)
