"""The association probe: what the sites say of the app that opens their links, and which versions the API serves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Dead, probe

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Response

ANDROID = "/.well-known/assetlinks.json"
APPLE = "/.well-known/apple-app-site-association"
APPS_MAX = 40
VERSION_PATHS = ("/config", "/version", "/health")
VERSION_KEYS = frozenset(
    "minappversion minimumappversion minmobileversion minimummobileversion minsupportedversion "
    "minimumsupportedversion minclientversion minimumclientversion mobileminversion appminversion minversion".split()
)


@dataclass(frozen=True)
class Document:
    """An association file as a site serves it.

    status: 0 where there was no answer, `why` says why not.  json: it is a JSON document.  content_type: without its
    parameters.  apps: (package, digest of a certificate) for Android, (application id, "") for Apple.
    """

    site: str
    path: str
    status: int
    location: str
    content_type: str
    json: bool
    apps: tuple[tuple[str, str], ...]
    why: str


@dataclass(frozen=True)
class MobileLinksFacts:
    """The files of each site.

    apple_copies: (host, what Apple's copy says of the same apps: "same", "differs" or why it could not be had).
    min_version: of the app that the API still serves, empty where it tells none; min_version_at: path and key.
    """

    enabled: bool
    sites: tuple[str, ...]
    android: tuple[Document, ...]
    apple: tuple[Document, ...]
    apple_copies: tuple[tuple[str, str], ...]
    min_version: str
    min_version_at: str


@probe(facts=MobileLinksFacts, deadline=40, needs=("api",), uses={"app_links": "GET", "api": "GET"})
def mobile_links(target: Target, connect: Connections) -> MobileLinksFacts:
    """Ask each site for its association files, Apple for its copies, and the API for the oldest version it serves."""
    section = target.mobile
    sites = tuple(section.association_urls) or (target.target.base_url,)
    apple = tuple(_document(connect, site, APPLE) for site in sites)
    copies = tuple(_copy(connect, section.apple_cdn, one) for one in apple if section.apple_cdn and one.apps)
    told, where = _min_version(target, connect)
    return MobileLinksFacts(
        enabled=section.enabled,
        sites=sites,
        android=tuple(_document(connect, site, ANDROID) for site in sites),
        apple=apple,
        apple_copies=copies,
        min_version=told,
        min_version_at=where,
    )


def _document(connect: Connections, site: str, path: str) -> Document:
    try:
        answer = connect.http("app_links", base=site).get(path, body_max=2**20)
    except (Dead, CannotLook) as why:
        return Document(site, path, 0, "", "", False, (), why.message)
    kind = (answer.header("content-type") or "").partition(";")[0].strip().lower()
    body = _json(answer)
    read = _android if path == ANDROID else _apple
    apps = tuple(dict.fromkeys(read(body)))[:APPS_MAX] if answer.status == 200 else ()
    where = (answer.header("location") or "")[:200]
    return Document(site, path, answer.status, where, kind[:80], body is not None, apps, "")


def _json(answer: Response) -> Any:
    try:
        return safe_json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _android(body: Any) -> Iterator[tuple[str, str]]:
    """Yield packages and certificates that may open all of the site's links."""
    for statement in body if isinstance(body, list) else ():
        relation, app = (
            (statement.get("relation"), statement.get("target")) if isinstance(statement, dict) else ((), {})
        )
        if "delegate_permission/common.handle_all_urls" not in (relation or ()) or not isinstance(app, dict):
            continue
        if app.get("namespace") == "android_app":
            prints = app.get("sha256_cert_fingerprints")
            for one in prints if isinstance(prints, list) else ():
                yield str(app.get("package_name", ""))[:200], str(one).replace(":", "").lower()[:64]


def _apple(body: Any) -> Iterator[tuple[str, str]]:
    links = body.get("applinks") if isinstance(body, dict) else None
    details = links.get("details") if isinstance(links, dict) else None
    if isinstance(details, dict):  # as files before iOS 13 may have it
        details = [{"appID": one} for one in details]
    for entry in details if isinstance(details, list) else ():
        if isinstance(entry, dict):
            several = entry.get("appIDs")
            for one in several if isinstance(several, list) else [entry.get("appID")]:
                if isinstance(one, str):
                    yield one[:200], ""


def _copy(connect: Connections, cdn: str, own: Document) -> tuple[str, str]:
    """Return what Apple's copy, which is what devices get, says beside the site's own file."""
    host = str(urlsplit(own.site).hostname)
    try:
        answer = connect.http("app_links", base=cdn).get(f"/a/v1/{host}", body_max=2**20)
    except (Dead, CannotLook) as why:
        return host, why.message
    if answer.status != 200:
        return host, f"{cdn} answers {answer.status}"
    return host, "same" if set(_apple(_json(answer))) == set(own.apps) else "differs"


def _min_version(target: Target, connect: Connections) -> tuple[str, str]:
    section = target.mobile
    http = connect.http("api")
    for path in (section.min_version_path,) if section.min_version_path else VERSION_PATHS:
        body = _json(http.get(path, body_max=2**20))
        if section.min_version_field:
            value = body
            for key in section.min_version_field.split("."):
                value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, str | int):
                return str(value)[:40], f"{path}: {section.min_version_field}"
            continue
        for key, word in _pairs(body, 0):
            if re.sub(r"[^a-z]", "", key.lower()) in VERSION_KEYS:
                return word[:40], f"{path}: {key}"
    return "", ""


def _pairs(body: Any, depth: int) -> Iterator[tuple[str, str]]:
    for key, value in body.items() if isinstance(body, dict) and depth < 4 else ():
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(key), str(value)
        else:
            yield from _pairs(value, depth + 1)
