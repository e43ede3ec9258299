"""What an Apple app's archive says of itself: property lists, the profile, and the rights in the program."""

from __future__ import annotations

import plistlib
from collections.abc import Iterator
from typing import Any

from pytest_deploycheck.probes.mobile_archive import AppError, Archive
from pytest_deploycheck.probes.mobile_found import App

_PLIST_MAX = 4 * 2**20
RIGHTS_TRIES, RIGHTS_MAX_BYTES = 200, 2**16


def read(name: str, archive: Archive) -> App:
    """Return what an archive says whose property list has this name; AppError where that is none."""
    info = plist(archive.read(name, _PLIST_MAX), name)
    folder = name.removesuffix("Info.plist")
    security = info.get("NSAppTransportSecurity")
    security = security if isinstance(security, dict) else {}
    app = App(
        kind="ipa",
        id=str(info.get("CFBundleIdentifier", "")),
        version=str(info.get("CFBundleShortVersionString", "")),
        build=str(info.get("CFBundleVersion", "")),
        min_os=str(info.get("MinimumOSVersion", "")),
        cleartext=security.get("NSAllowsArbitraryLoads") is True,
    )
    domains = security.get("NSExceptionDomains")
    for host, rules in domains.items() if isinstance(domains, dict) else ():
        keys = ("NSExceptionAllowsInsecureHTTPLoads", "NSThirdPartyExceptionAllowsInsecureHTTPLoads")
        if isinstance(rules, dict) and any(rules.get(key) is True for key in keys):
            app.cleartext_hosts.append(str(host).lower())
    pinned = security.get("NSPinnedDomains")
    for host, rules in pinned.items() if isinstance(pinned, dict) else ():
        rules = rules if isinstance(rules, dict) else {}
        digests = []
        for kind in ("NSPinnedCAIdentities", "NSPinnedLeafIdentities"):
            entries = rules.get(kind)
            for one in entries if isinstance(entries, list) else ():
                digests.append(str(one.get("SPKI-SHA256-BASE64", "")) if isinstance(one, dict) else "")
        app.pins.append((str(host).lower()[:253], tuple(digests), ""))
    profile = f"{folder}embedded.mobileprovision"
    rights: dict[str, Any] = {}
    if archive.has(profile):
        data = archive.read(profile, _PLIST_MAX)
        begin, end = data.find(b"<?xml"), data.find(b"</plist>")
        rights = plist(data[begin : end + 8], profile).get("Entitlements", {}) if 0 <= begin < end else {}
        _profile(app, rights if isinstance(rights, dict) else {})
        app.signed.schemes.append("profile")
    program = folder + str(info.get("CFBundleExecutable", ""))
    if archive.has(program):
        _entitlements(app, archive.read(program))
    return app


def _profile(app: App, rights: dict[str, Any]) -> None:
    app.team_app_id = app.team_app_id or str(rights.get("application-identifier", ""))
    app.debuggable |= rights.get("get-task-allow") is True


def _entitlements(app: App, program: bytes) -> None:
    """Read the rights that are signed into the program: a property list within its code signature."""
    end = 0
    for _ in range(RIGHTS_TRIES):
        start = program.find(b"<?xml", end)
        if start < 0:
            return
        end = program.find(b"</plist>", start, start + RIGHTS_MAX_BYTES) + 8
        if end < 8:
            end = start + 5
            continue
        try:
            rights = plist(program[start:end], "the program's entitlements")
        except AppError:
            continue
        if "application-identifier" not in rights and "com.apple.developer.team-identifier" not in rights:
            continue
        _profile(app, rights)
        domains = rights.get("com.apple.developer.associated-domains")
        for one in domains if isinstance(domains, list) else ():
            kind, _, host = str(one).partition(":")
            if kind == "applinks":
                app.links.add(host.partition("?")[0].lower())
        return


def plist(data: bytes, name: str) -> dict[str, Any]:
    """Return a property list, binary or XML; anything but a dictionary is damaged."""
    if data[:6] != b"bplist" and (b"<!ENTITY" in data or b"<!ATTLIST" in data):
        raise AppError(f"{name[:120]} declares entities, which no property list does")
    try:
        found = plistlib.loads(data)
    except Exception as error:  # it raises what its readers stumble over, by the dozen
        raise AppError(f"{name[:120]} is no property list: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise AppError(f"{name[:120]} is no dictionary")
    return found


def words(document: Any) -> Iterator[str]:
    """Yield the strings of a property list, each container once: a binary one may hold itself."""
    todo, seen = [document], set[int]()
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list) and id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, dict):
                yield from map(str, value)
            todo += value.values() if isinstance(value, dict) else value
