"""Endpoints: the systems of a target by the names that probes and the plan use for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target


@dataclass(frozen=True)
class Endpoint:
    """One system: an http(s) URL, or a secret reference that holds the URL or DSN."""

    name: str
    gate: str
    section: str
    url: str = ""
    reference: SecretRef | None = None


def endpoint(target: Target, name: str) -> Endpoint:
    """Return an endpoint of the target, or say which section of the target file is missing."""
    if name in ("api", "login", "edge"):
        return Endpoint(name, "net", "target", url=target.target.base_url)
    if name == "ci":
        return Endpoint(name, "ci", "ci", url=target.ci.address or target.ci.file)
    if name == "image_token":
        return Endpoint(name, "", "build", url=target.build.token_url or target.build.registry_url)
    if name == "image_blobs":
        return Endpoint(name, "", "build", url=target.build.registry_url)
    if name == "rpc_application":
        return Endpoint(name, "", "rpc", reference=target.rpc.application if target.rpc else None)
    if name == "docs":
        bases = dict.fromkeys([*target.comms.docs_base, *target.docs.link_bases])
        return Endpoint(name, "", "comms", url=", ".join(bases))
    if name == "app_links":
        urls = [*(target.mobile.association_urls or [target.target.base_url]), target.mobile.apple_cdn]
        return Endpoint(name, "", "mobile", url=", ".join(filter(None, urls)))
    if name == "app_store":
        return Endpoint(name, "", "mobile", url=target.mobile.store_url)
    if name == "load":
        return Endpoint(name, "", "load", url=target.load.host or target.target.base_url)
    if name == "api_keys":
        known = dict.fromkeys(str(one.url) for one in target.api_keys.keys if one.url)
        return Endpoint(name, "", "api_keys", url=", ".join(known) or "each service's own address")
    if name == "bundles":
        return Endpoint(name, "", "contract", url=", ".join(target.contract.bundle_urls))
    if name == "dns":
        return Endpoint(name, "", "dns", url=", ".join(target.dns.resolvers))
    if name == "rdap":
        return Endpoint(name, "", "dns", url=target.dns.rdap or "(not asked: dns.rdap is empty)")
    section, gate, key = {
        "prometheus": ("prometheus", "prom", "url"),
        "alertmanager": ("alertmanager", "am", "url"),
        "grafana": ("grafana", "grafana", "url"),
        "logs": ("logs", "logs", "url"),
        "errors": ("errors", "", "api_base"),
        "errors_ingest": ("errors", "", "dsn"),
        "uptime": ("uptime", "", "url"),
        "blackbox": ("uptime", "", "exporter"),
        "runbooks": ("alerts", "", "runbook_base"),
        "deadman": ("alertmanager", "", "deadman_url"),
        "db": ("db", "db", "dsn"),
        "db_admin": ("db", "db", "admin_dsn"),
        "redis": ("redis", "redis", "url"),
        "rpc": ("rpc", "rpc", "url"),
        "rpc_fallback": ("rpc", "", "fallback"),
        "testnet": ("testnet", "", "rpc_url"),
        "etherscan": ("explorer", "", "etherscan_url"),
        "sourcify": ("explorer", "", "sourcify_url"),
        "host": ("host", "ssh", "uri"),
        "repo": ("repo", "", "remote"),
        "disclosures": ("triggers", "", "security_url"),
        "blockers": ("triggers", "", "blockers_url"),
        "registry": ("build", "", "registry_url"),
    }[name]
    found = getattr(target, section)
    if found is None:
        raise CannotLook(Reason.NO_CONFIG, f"no [{section}] in {target.path.name}; add {key}")
    value = getattr(found, key)
    if not value:
        raise CannotLook(Reason.NO_CONFIG, f"no {section}.{key} in {target.path.name}; add it")
    if isinstance(value, SecretRef):
        return Endpoint(name, gate, section, reference=value)
    return Endpoint(name, gate, section, url=value)


def where(target: Target, name: str) -> str:
    """Return how a plan shows an endpoint: its URL, or where its secret address is kept."""
    if name == "files":
        return str(target.path.parent)
    try:
        found = endpoint(target, name)
    except CannotLook as why:
        return f"({why.message})"
    if name == "rpc_application" and found.reference is None:
        return f"{target.env.rpc_url_key} of the application's environment"
    return found.url or repr(found.reference)
