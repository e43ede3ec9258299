"""The scan probe: what each TLS listener would agree to, and which client platforms trust it (sslyze).

sslyze runs as a subprocess, since it is AGPL and pins an old cryptography; it ends with status 0 on an
unreachable host, so only its JSON is believed. What is allowed is our table's business, not its own.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.rules import mozilla
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.handshake import Served
    from pytest_deploycheck.probes.tls import TlsFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

SUPPLIED = "Supplied CA file"
"""sslyze's name for the store made of our own CA file."""

_VERSIONS = {
    "ssl_2_0": "SSL 2.0",
    "ssl_3_0": "SSL 3.0",
    "tls_1_0": "TLS 1.0",
    "tls_1_1": "TLS 1.1",
    "tls_1_2": "TLS 1.2",
    "tls_1_3": "TLS 1.3",
}
# Left out: resumption, which no item judges, and the fallback SCSV, since below TLS 1.2 nothing may be offered.
_COMMANDS = (
    "--certinfo --sslv2 --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --elliptic_curves "
    "--compression --openssl_ccs --heartbleed --robot --reneg --ems --early_data"
).split()
_NEEDED = (
    "certificate_info",
    *(f"{version}_cipher_suites" for version in _VERSIONS),
    "elliptic_curves",
    "tls_compression",
    "openssl_ccs_injection",
    "heartbleed",
    "robot",
    "session_renegotiation",
    "tls_1_3_early_data",
)


@dataclass(frozen=True)
class StoreResult:
    """Whether one client platform's trust store leads to a root; error as the validator words it."""

    name: str
    version: str
    trusted: bool
    error: str


@dataclass(frozen=True)
class Listener:
    """One scanned endpoint.

    incomplete: the parts of the scan that came to no result, with why; empty for a whole scan.  stores: the
    verdict of each trust store.  versions, ciphers (IANA names), curves: what it accepts.  weaknesses: known
    attacks it is open to.  sha1_chain: a signature in the verified chain is by SHA-1.
    """

    endpoint: str
    address: str
    incomplete: tuple[str, ...]
    stores: tuple[StoreResult, ...]
    versions: tuple[str, ...]
    ciphers: tuple[str, ...]
    curves: tuple[str, ...]
    weaknesses: tuple[str, ...]
    sha1_chain: bool

    @property
    def where(self) -> str:
        """Endpoint and address."""
        return f"{self.endpoint} ({self.address})"

    def problems(self, allowed: Collection[str]) -> tuple[str, ...]:
        """Return what it offers beyond the profile, and known attacks it is open to, but for what is allowed.

        What a scan that is not whole did not see is no problem here; see `incomplete`.
        """
        open_to = [name for name in self.weaknesses if name not in allowed]
        beyond = mozilla.deviations(
            self.versions, self.ciphers, self.curves, allowed, whole=not self.incomplete
        )
        return (
            *([f"open to {', '.join(open_to)}"] if open_to else []),
            *([f"beyond Mozilla intermediate 6.0: {', '.join(beyond)}"] if beyond else []),
        )


@dataclass(frozen=True)
class TlsScanFacts:
    """Every scanned listener: each endpoint at each of its addresses.

    required_stores: those that must trust each endpoint.  allowed: what the target file accepts beyond the
    profile.  unserved: endpoints at addresses where there was no handshake, so that nothing could be scanned.
    """

    scanner: str
    required_stores: tuple[str, ...]
    allowed: tuple[str, ...]
    unserved: tuple[str, ...]
    listeners: tuple[Listener, ...]


@probe(facts=TlsScanFacts, deadline=120, safety="S2", uses={"edge": "scan"})
def tls_scan(target: Target, connect: Connections, tls_facts: TlsFacts) -> TlsScanFacts:
    """Scan every TLS endpoint with sslyze for protocols, suites, curves, known attacks and trust stores."""
    if importlib.util.find_spec("sslyze") is None:
        raise CannotLook(
            Reason.NO_ACCESS, "sslyze is not installed here; pip install 'pytest-deploycheck[tls]'"
        )
    places = [_place(one) for one in tls_facts.served if not one.error]
    unserved = tuple(f"{one.endpoint} ({one.address}): {one.error}" for one in tls_facts.served if one.error)
    with tempfile.TemporaryDirectory(prefix="deploycheck-") as folder:
        output = Path(folder) / "sslyze.json"
        own = ["--certinfo_ca_file", str(target.file(target.target.ca_file))] if tls_facts.private else []
        argv = [sys.executable, "-W", "ignore", "-m", "sslyze", "--quiet", "--mozilla_config=disable"]
        argv += [*_COMMANDS, *own, f"--json_out={output}", *places]
        done = connect.tool("edge", "scan", argv, cwd=Path(folder))
        text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    if not text:
        raise CannotLook(
            Reason.UNPARSEABLE, f"sslyze wrote no result: {(done.stderr or done.stdout).strip()[-200:]}"
        )
    return parse(
        text,
        required=(SUPPLIED,) if tls_facts.private else tuple(target.tls.required_stores),
        allowed=tuple(target.tls.allow),
        unserved=unserved,
    )


def _place(served: Served) -> str:
    """Return an endpoint at one address as sslyze takes it."""
    host = f"[{served.host}]" if ":" in served.host else served.host
    return f"{host}:{served.port}{{{served.address}}}"


def parse(
    text: str, *, required: tuple[str, ...], allowed: tuple[str, ...], unserved: tuple[str, ...] = ()
) -> TlsScanFacts:
    """Return the facts of sslyze's JSON; CannotLook(unparseable) when it has another shape."""
    try:
        document = safe_json.loads(text)
        listeners = tuple(_listener(one) for one in document["server_scan_results"])
        refused = [one["server_string"] for one in document.get("invalid_server_strings", ())]
        version = str(document.get("sslyze_version", ""))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotLook(
            Reason.UNPARSEABLE, f"sslyze's JSON has another shape: {type(error).__name__} {error}"
        ) from None
    if refused:
        raise CannotLook(Reason.NO_CONFIG, f"sslyze does not understand {refused[:5]}; see tls.endpoints")
    return TlsScanFacts(f"sslyze {version}", required, allowed, unserved, listeners)


def _listener(one: dict[str, Any]) -> Listener:
    place = one["server_location"]
    scan = one["scan_result"] or {}
    certinfo = _result(scan, "certificate_info") or {}
    deployments = certinfo.get("certificate_deployments", [])
    offered = {
        name: _result(scan, f"{key}_cipher_suites") or {"accepted_cipher_suites": []}
        for key, name in _VERSIONS.items()
    }
    curves = (_result(scan, "elliptic_curves") or {}).get("supported_curves") or []
    return Listener(
        endpoint=f"{place['hostname']}:{place['port']}",
        address=str(place.get("ip_address") or ""),
        incomplete=_incomplete(one, scan),
        stores=_stores(deployments),
        versions=tuple(name for name, result in offered.items() if result["accepted_cipher_suites"]),
        ciphers=tuple(
            dict.fromkeys(
                str(suite["cipher_suite"]["name"])
                for result in offered.values()
                for suite in result["accepted_cipher_suites"]
            )
        ),
        curves=tuple(str(curve["name"]) for curve in curves),
        weaknesses=_weaknesses(scan),
        sha1_chain=any(deployment.get("verified_chain_has_sha1_signature") for deployment in deployments),
    )


def _result(scan: dict[str, Any], command: str) -> dict[str, Any] | None:
    attempt = scan.get(command) or {}
    result: dict[str, Any] | None = attempt.get("result") if attempt.get("status") == "COMPLETED" else None
    return result


def _incomplete(one: dict[str, Any], scan: dict[str, Any]) -> tuple[str, ...]:
    if one.get("connectivity_status") != "COMPLETED":
        trace = str(one.get("connectivity_error_trace") or "").strip().splitlines()
        return (f"connection: {trace[-1][:160] if trace else one.get('connectivity_status')}",)
    found = []
    for command in _NEEDED:
        if _result(scan, command) is None:
            attempt = scan.get(command) or {}
            found.append(f"{command}: {attempt.get('error_reason') or attempt.get('status') or 'absent'}")
    return tuple(found)


def _stores(deployments: list[dict[str, Any]]) -> tuple[StoreResult, ...]:
    """Return each store's verdict; a server with two certificates is trusted where both are."""
    found: dict[str, StoreResult] = {}
    for deployment in deployments:
        for path in deployment["path_validation_results"]:
            store = path["trust_store"]
            name = str(store["name"])
            error = str(path.get("validation_error") or "")[:160]
            one = StoreResult(
                name, str(store["version"]), path.get("verified_certificate_chain") is not None, error
            )
            if name not in found or found[name].trusted:
                found[name] = one
    return tuple(found.values())


def _weaknesses(scan: dict[str, Any]) -> tuple[str, ...]:
    def says(command: str, key: str) -> Any:
        return (_result(scan, command) or {}).get(key)

    found = {
        "compression (CRIME)": says("tls_compression", "supports_compression"),
        "CCS injection": says("openssl_ccs_injection", "is_vulnerable_to_ccs_injection"),
        "Heartbleed": says("heartbleed", "is_vulnerable_to_heartbleed"),
        "ROBOT": str(says("robot", "robot_result") or "").startswith("VULNERABLE"),
        "client renegotiation": says("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos"),
        "insecure renegotiation": says("session_renegotiation", "supports_secure_renegotiation") is False,
        "no extended master secret": says("tls_extended_master_secret", "supports_ems_extension") is False,
        "early data": says("tls_1_3_early_data", "supports_early_data"),
    }
    return tuple(name for name, bad in found.items() if bad)
