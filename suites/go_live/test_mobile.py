"""Go-Live, Mobile App Integration (item 86): the released app speaks to production, and to nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.mobile_links import APPLE, MobileLinksFacts
from pytest_deploycheck.rules.app_versions import older
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.mobile import AppFacts, MobileFacts
    from pytest_deploycheck.probes.mobile_pins import MobilePinsFacts

ENDPOINTS = "go_live.mobile.endpoints"
TEXT = "Mobile app configured with production API endpoints"
DECLARE = "there is no app (mobile.enabled = false): declare it with deploycheck waive --not-applicable"


@pytest.mark.checklist(ENDPOINTS, text=TEXT)
def test_endpoints(mobile_facts: MobileFacts) -> None:
    """Every released file names the production API and the contract, and nothing of another stage."""
    for app in _apps(mobile_facts):
        assert app.released is not False, (
            f"{app.file} is not of the release: its digest {app.sha256} is not in it"
        )
        assert app.texts, f"no text could be read in {app.file}"
        found = ", ".join(f"{hit.what}: {hit.words} in {hit.where}" for hit in app.hits[:4])
        assert not app.hits, f"{app.file} holds {found}"
        missing = [host for host in mobile_facts.api_hosts if host not in app.api_hosts]
        assert len(missing) < len(mobile_facts.api_hosts), (
            f"{app.file} does not name the API ({', '.join(missing)})"
        )
        assert app.names_contract or not mobile_facts.contract, (
            f"{app.file} does not name the contract {mobile_facts.contract}; where it asks the API for it, "
            "set mobile.names_contract = false"
        )
        wrong = [one for one in app.chain_ids if one not in (0, mobile_facts.chain_id)]
        assert not wrong or not mobile_facts.chain_id, f"{app.file} is built for chain {wrong}"


@pytest.mark.checklist(ENDPOINTS, text=TEXT)
def test_endpoints_build(mobile_facts: MobileFacts) -> None:
    """Every released file is the app that it should be, built for release, signed, and speaks TLS only."""
    for app in _apps(mobile_facts):
        wanted = mobile_facts.bundle_id if app.kind == "ipa" else mobile_facts.package
        if not wanted:
            key = "mobile.bundle_id" if app.kind == "ipa" else "mobile.package"
            unproven(Reason.NO_CONFIG, f"{app.file} calls itself {app.id}; say with {key} what it should be")
        assert app.id == wanted, f"{app.file} is {app.id or 'nameless'}, not {wanted}"
        assert not app.oddities, f"{app.file}: {'; '.join(app.oddities)}"
        assert not app.debuggable, f"{app.file} can be debugged by everybody"
        assert not app.test_only, f"{app.file} is a build for tests only"
        assert not app.cleartext, f"{app.file} may speak HTTP without TLS to every host"
        open_to = [one for one in app.cleartext_hosts if one not in mobile_facts.cleartext_hosts]
        assert not open_to, f"{app.file} may speak HTTP without TLS to {', '.join(open_to)}"
        assert not app.own_certificates, f"{app.file} trusts certificates that a user installed"
        _signed(app, mobile_facts)


def _signed(app: AppFacts, facts: MobileFacts) -> None:
    assert app.schemes, f"{app.file} is not signed"
    assert app.verified is not False, f"{app.file}: {app.signature_problem}"
    assert not app.test_key, f"{app.file} is signed with a key for tests: {', '.join(app.subjects)}"
    if app.kind == "apk":
        # https://developer.android.com/about/versions/11/behavior-changes-11#minimum-signature-scheme
        newer = any(one != "v1" for one in app.schemes)
        assert newer or (app.target_sdk or 0) < 30, (
            f"{app.file} has no signature of scheme v2: nobody can install it"
        )
        if facts.signing_certificates:
            other = [one for one in app.certificates if one not in facts.signing_certificates]
            assert not other, f"{app.file} is signed with {other[0]}, not with mobile.signing_certificates"
        if newer and app.verified is None:
            unproven(
                Reason.UNPARSEABLE, f"{app.file}: its signature is of a kind that cannot be checked here"
            )
    if app.kind == "ipa" and facts.team_app_id:
        assert app.team_app_id == facts.team_app_id, (
            f"{app.file} is {app.team_app_id}, not {facts.team_app_id}"
        )


@pytest.mark.checklist(ENDPOINTS, text=TEXT)
def test_endpoints_links(mobile_facts: MobileFacts, mobile_links_facts: MobileLinksFacts) -> None:
    """The sites say that their links belong to this very app, signed as it is, and in the way its systems demand."""
    if not mobile_facts.enabled:
        said = [
            app for one in (*mobile_links_facts.android, *mobile_links_facts.apple) for app, _ in one.apps
        ]
        assert not said, (
            f"mobile.enabled is false, but the site says that its links belong to {', '.join(said)}"
        )
        unproven(Reason.NO_CONFIG, DECLARE)
    apps = _apps(mobile_facts)
    assert mobile_links_facts.sites, "no site is asked"
    if any(app.kind in ("apk", "aab") for app in apps):
        _android(apps, mobile_facts, mobile_links_facts)
    if any(app.kind == "ipa" for app in apps):
        _apple(mobile_facts, mobile_links_facts)


def _android(apps: tuple[AppFacts, ...], facts: MobileFacts, links: MobileLinksFacts) -> None:
    wanted = set(facts.signing_certificates) or {
        one for app in apps if app.kind == "apk" for one in app.certificates
    }
    if not wanted:
        unproven(
            Reason.NO_CONFIG,
            "Play signs what it makes of an app bundle; say with mobile.signing_certificates with which certificate",
        )
    for document in links.android:
        where = f"{document.site}{document.path}"
        assert document.status == 200, f"{where} {_answer(document.status, document.location, document.why)}"
        assert document.json and document.content_type == "application/json", (
            f"{where} is {document.content_type}"
        )
        told = {digest for package, digest in document.apps if package == facts.package}
        assert told, f"{where} does not name {facts.package or 'the package'}"
        assert wanted <= told, (
            f"{where} names {', '.join(sorted(told))}; the app is signed with {', '.join(wanted)}"
        )


def _apple(facts: MobileFacts, links: MobileLinksFacts) -> None:
    if not facts.team_app_id:
        unproven(Reason.NO_CONFIG, "say with mobile.team_app_id what Apple calls the app: TEAMID.bundle.id")
    for document in links.apple:
        where = f"{document.site}{APPLE}"
        assert document.status == 200, f"{where} {_answer(document.status, document.location, document.why)}"
        assert document.json and document.content_type == "application/json", (
            f"{where} is {document.content_type}"
        )
        told = [app for app, _ in document.apps]
        assert facts.team_app_id in told, (
            f"{where} names {', '.join(told) or 'no app'}, not {facts.team_app_id}"
        )
    for host, copy in links.apple_copies:
        assert copy != "differs", f"Apple's copy of the association file of {host} names other apps"
        if copy != "same":
            unproven(Reason.NO_EVIDENCE, f"Apple's copy of the association file of {host}: {copy}")


def _answer(status: int, location: str, why: str) -> str:
    if 300 <= status < 400:
        return f"redirects to {location}, which devices do not follow"
    return f"answers {status}" if status else why


@pytest.mark.checklist(ENDPOINTS, text=TEXT)
def test_endpoints_pins(mobile_facts: MobileFacts, mobile_pins_facts: MobilePinsFacts) -> None:
    """Keys that an app pins, if any, are among those served, and one more of them waits for when these go."""
    apps = _apps(mobile_facts)
    assert mobile_pins_facts.apps == len(apps)
    for one in mobile_pins_facts.hosts:
        assert len(one.pinned) > 1, f"{one.file} pins one key of {one.host}: with that key the app is cut off"
        for chain in one.served:
            assert set(chain) & set(one.pinned), f"{one.file} pins keys of {one.host} that it does not serve"
            assert set(one.pinned) - set(chain), (
                f"{one.file} pins no key of {one.host} beside those that it serves"
            )
    for one in mobile_pins_facts.hosts:
        if not one.served:
            why = one.why or "not one of this target's TLS endpoints (tls.endpoints, target.domains)"
            unproven(
                Reason.NO_EVIDENCE, f"{one.file} pins keys of {one.host}, which could not be seen: {why}"
            )


@pytest.mark.checklist(ENDPOINTS, text=TEXT)
def test_endpoints_version(mobile_facts: MobileFacts, mobile_links_facts: MobileLinksFacts) -> None:
    """The API still serves the version that is released."""
    apps = _apps(mobile_facts)
    if not mobile_links_facts.min_version:
        unproven(
            Reason.NO_CONFIG,
            "the API does not tell which version it serves; say with mobile.min_version_path and min_version_field where",
        )
    for app in apps:
        assert app.version, f"{app.file} has no version"
        told = mobile_links_facts.min_version
        # A whole number of some size is one of builds.
        mine = app.build if told.isdigit() and app.build.isdigit() and len(told) > 2 else app.version
        try:
            too_old = older(mine, told)
        except ValueError as error:
            unproven(Reason.UNPARSEABLE, f"{app.file}: versions cannot be compared: {error}")
        assert not too_old, (
            f"{app.file} is {mine}, and the API serves from {told} on ({mobile_links_facts.min_version_at})"
        )


def _apps(facts: MobileFacts) -> tuple[AppFacts, ...]:
    """Return every released file, each of which could be read."""
    if not facts.enabled:
        unproven(Reason.NO_CONFIG, DECLARE)
    assert facts.apps, "mobile.artifacts names no file"
    for app in facts.apps:
        if app.problem == "there is no such file":
            unproven(Reason.NO_EVIDENCE, f"{app.file}: {app.problem}")
        assert not app.problem, f"{app.file} cannot be read: {app.problem}"
    return facts.apps
