"""The handshake probe: which certificate each address of each endpoint serves, trusted or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.plots import Span
from pytest_deploycheck.probes.handshake import UNKNOWN_NAME, Served, Stranger, look, stranger
from pytest_deploycheck.transports.names import addresses_of
from pytest_deploycheck.transports.parallel import each
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

__all__ = ["Served", "Stranger", "TlsFacts", "endpoints", "tls"]


@dataclass(frozen=True)
class TlsFacts:
    """Every handshake.

    private: the certificates are of a private authority (`target.ca_file`).  store: what `trusted` was
    judged by.  strangers: what each listener shows to who asks for no name of its own.  clock_skew_s: the
    server's clock minus ours, None when the server does not tell.  own: the names of the endpoints.  alike: every
    address of a name should serve the same certificate.  lifetime: of the first leaf, for the reports.
    """

    private: bool
    store: str
    served: tuple[Served, ...]
    strangers: tuple[Stranger, ...]
    clock_skew_s: float | None
    own: tuple[str, ...]
    alike: bool
    lifetime: Span | None


def endpoints(target: Target) -> list[tuple[str, int]]:
    """Return host and port of every TLS endpoint of the target: those named, and each domain at the base URL."""
    pairs = [entry.rpartition(":") for entry in target.tls.endpoints]
    found = [(host.strip("[]"), int(port)) for host, _, port in pairs]
    url = urlsplit(target.target.base_url)
    if url.scheme == "https":
        port = url.port or 443
        domains = [name for name in target.target.domains if not name.startswith("*")]
        found = [*([] if found else [(str(url.hostname), port)]), *found, *((name, port) for name in domains)]
    if not found:
        raise CannotLook(
            Reason.NO_CONFIG,
            f"target.base_url in {target.path.name} is not https; name the TLS listeners in tls.endpoints",
        )
    return list(dict.fromkeys(found))


@probe(
    facts=TlsFacts,
    deadline=20,
    needs=("tls_gate",),
    uses={"edge": "handshake", "api": "GET", "dns": "query"},
)
def tls(target: Target, connect: Connections) -> TlsFacts:
    """Shake hands with every address of every TLS endpoint, once trusting anything, once as a client does."""
    ca_file = target.target.ca_file
    store = str(target.file(ca_file)) if ca_file else _public_store()
    found = endpoints(target)
    places = [
        (host, port, address) for host, port in found for address in addresses_of(target, connect, host)
    ]
    served = each(lambda place: look(connect, *place, store), places)
    served += [
        one
        for one in each(lambda place: look(connect, *place, store), _more(target, places))
        if not one.error
    ]
    alive = [one for one in served if not one.error]
    if not alive:
        gate = "tls" if any(one.connected for one in served) else "net"
        raise Dead(gate, "; ".join(f"{one.endpoint} ({one.address}): {one.error}" for one in served)[:400])
    listeners = dict.fromkeys((one.address, one.port) for one in alive)
    asked = [(*listener, name) for listener in listeners for name in (UNKNOWN_NAME, "")]
    leaf = alive[0].chain[0] if alive[0].chain else None
    span = (
        Span("Certificate lifetime", leaf.not_before, leaf.not_after, _iso(connect.now())) if leaf else None
    )
    return TlsFacts(
        private=bool(ca_file),
        store=ca_file or "Mozilla (certifi)",
        served=tuple(served),
        strangers=tuple(one for one in each(lambda place: stranger(connect, *place), asked) if one),
        clock_skew_s=_skew(target, connect),
        own=tuple(dict.fromkeys(host for host, _ in found)),
        alike=target.tls.same_certificate and not target.dns.proxied,
        lifetime=span,
    )


def _more(target: Target, places: Sequence[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """Return where else the public may come in: other ports that are allowed, if TLS is spoken there."""
    asked = {port for _, port, _ in places}
    others = [one for one in target.net.allowed_tcp if one not in (22, target.tls.http_port, *asked)]
    first = places[0][0] if places else ""
    return [(host, port, address) for host, _, address in places if host == first for port in others]


def _public_store() -> str:
    import certifi

    return certifi.where()


def _skew(target: Target, connect: Connections) -> float | None:
    """Return the server's clock minus ours, by the Date of its health answer; None when it does not say."""
    try:
        answer = connect.http("api").get(target.health.path, timeout=3)
        return round((parsedate_to_datetime(answer.header("date") or "") - connect.now()).total_seconds(), 1)
    except (Dead, CannotLook, ValueError, TypeError):
        return None


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
