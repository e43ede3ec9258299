"""Association files, oldest versions and stores as other servers answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.mobile_links import ANDROID, APPLE, MobileLinksFacts
from pytest_deploycheck.probes.mobile_store import MobileStoreFacts
from tests.probes.canned import Canned, serving
from tests.probes.service import look

PRINT = "14:6D:E9:83:C5:73:06:50:D8:EE:B9:95:2F:34:FC:64:16:A0:83:42:E6:1D:BE:A8:8A:04:96:B2:3F:CF:44:E5"
GOOGLE = [
    {
        "relation": ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"],
        "target": {"namespace": "android_app", "package_name": "shop.app", "sha256_cert_fingerprints": [PRINT]},
    },
    {"relation": ["delegate_permission/common.handle_all_urls"], "target": {"namespace": "web", "site": "https://x"}},
]  # fmt: skip
NEW = {"applinks": {"details": [{"appIDs": ["T.shop.app", "T.shop.beta"], "components": [{"/": "/buy/*"}]}]}}
OLD = {"applinks": {"apps": [], "details": [{"appID": "T.shop.app", "paths": ["*"]}]}}
OLDEST = {"applinks": {"apps": [], "details": {"T.shop.app": {"paths": ["*"]}}}}


def seen(folder: Path, answers: dict[str, Any], more: str = "", probe: str = "mobile_links") -> Observation:
    """Look at a site with these answers; words are a body as it is, numbers a status."""

    def answer(path: str, query: dict[str, list[str]]) -> Canned:
        found = answers.get(path, 404 if path != "/health" else {"status": "ok"})
        if isinstance(found, Canned):
            return found
        if isinstance(found, int):
            return Canned("no", found)
        return Canned(found if isinstance(found, str) else json.dumps(found))

    with serving(answer) as base:
        return look(folder, base, probe, more.replace("BASE", base))


def links(folder: Path, answers: dict[str, Any], more: str = "") -> MobileLinksFacts:
    """Return what is seen of a site."""
    facts = seen(folder, answers, more).facts
    assert isinstance(facts, MobileLinksFacts)
    return facts


@pytest.mark.parametrize("body", [NEW, OLD, OLDEST], ids=["of today", "before iOS 13", "of iOS 9"])
def test_association_files(body: Any, tmp_path: Path) -> None:
    """Each form that Apple documented names the app, and Google's the package with its certificate."""
    facts = links(tmp_path, {ANDROID: GOOGLE, APPLE: body})
    assert facts.apple[0].apps[0] == ("T.shop.app", "")
    assert facts.android[0].apps == (("shop.app", PRINT.replace(":", "").lower()),)


@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[]", "{}", "null", '{"applinks": 7}', '{"applinks": {"details": [[], 3, {"appIDs": "x"}]}}', '[{"relation": null, "target": 3}, 7]', "[" * 5000],
)  # fmt: skip
def test_association_files_that_name_nobody(body: str, tmp_path: Path) -> None:
    """Whatever else is served names no app."""
    facts = links(tmp_path, {ANDROID: body, APPLE: body})
    assert (facts.apple[0].apps, facts.android[0].apps) == ((), ())


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """Where it leads is told, and nobody goes there."""
    away = Canned("", 302, {"Location": "https://elsewhere.example/aasa"})
    facts = links(tmp_path, {APPLE: away})
    assert (facts.apple[0].status, facts.apple[0].location) == (302, "https://elsewhere.example/aasa")


@pytest.mark.parametrize(
    ("answers", "more", "told"),
    [
        ({"/config": {"mobile": {"minAppVersion": "1.2.0"}}}, "", "1.2.0"),
        ({"/version": {"version": "9", "minimum_supported_version": "1.3"}}, "", "1.3"),
        ({"/config": {"min_version": 42}}, "", "42"),
        (
            {"/app": {"a": {"b": "2.0.0"}}},
            '[mobile]\nmin_version_path = "/app"\nmin_version_field = "a.b"',
            "2.0.0",
        ),
        ({"/app": {"a": 3}}, '[mobile]\nmin_version_path = "/app"\nmin_version_field = "a.b"', ""),
        ({"/config": {"min_tls_version": "1.2"}, "/version": {"version": "1"}}, "", ""),
        ({"/config": "<html>"}, "", ""),
    ],
)
def test_the_oldest_version(answers: dict[str, Any], more: str, told: str, tmp_path: Path) -> None:
    """It is found under its usual names, or where the target file says."""
    assert links(tmp_path, answers, more).min_version == told


def test_apples_copy(tmp_path: Path) -> None:
    """It is compared by the apps that it names, however it is written."""
    for copy, word in ((OLD, "same"), (NEW, "differs"), (404, "BASE answers 404")):
        facts = links(tmp_path, {APPLE: OLD, "/a/v1/127.0.0.1": copy}, '[mobile]\napple_cdn = "BASE"')
        assert facts.apple_copies[0][1].endswith(word.replace("BASE ", ""))


@pytest.mark.parametrize(
    ("body", "count", "version", "known"),
    [
        ({"resultCount": 1, "results": [{"bundleId": "shop.app", "version": "1.4.2"}]}, 1, "1.4.2", True),
        ({"resultCount": 0, "results": []}, 0, "", True),
        ({"errorMessage": "Invalid value(s) for key(s): [country]"}, None, "", False),
        (503, None, "", False),
        ("<html>", None, "", False),
    ],
)
def test_the_lookup(body: Any, count: int | None, version: str, known: bool, tmp_path: Path) -> None:
    """A result counts, and what is none is no answer rather than no app."""
    more = '[mobile]\nbundle_id = "shop.app"\nstore_url = "BASE"\n'
    facts = seen(tmp_path, {"/lookup": body}, more, "mobile_store").facts
    assert isinstance(facts, MobileStoreFacts)
    offer = facts.offers[0]
    assert (offer.count, offer.version, offer.why == "") == (count, version, known)


def test_nobody_is_asked_about_an_app_that_no_store_has(tmp_path: Path) -> None:
    """Without a bundle id, or with distribution inside, Apple is not asked."""
    for more in (
        "",
        '[mobile]\nbundle_id = "a"\ndistribution = "internal"',
        '[mobile]\nbundle_id = "a"\nenabled = false',
    ):
        facts = seen(tmp_path, {}, more, "mobile_store").facts
        assert isinstance(facts, MobileStoreFacts)
        assert facts.offers == ()
