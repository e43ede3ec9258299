"""The checks of items 67, 68, 73 and 74 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.api_docs import ApiDocsFacts, Asked
from pytest_deploycheck.probes.api_routes import ApiRoutesFacts, Route
from pytest_deploycheck.probes.calendar import CalendarFacts, Window
from pytest_deploycheck.probes.security_txt import SecurityTxtFacts
from pytest_deploycheck.probes.silences import Silence, SilencesFacts
from pytest_deploycheck.probes.updates import ServerUpdates, UpdatesFacts
from tests.suites.checks import suite

DOCS = suite("operations/test_documentation.py")
MAINTENANCE = suite("operations/test_maintenance.py")
LIMITS = Limits()
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)

API = ApiDocsFacts(
    path="/openapi.json",
    visibility="public",
    anonymous=200,
    status=200,
    openapi="3.1.0",
    why="",
    problems=(),
    version="v1.4.2",
    told_commit="",
    released="1.4.2",
    commit="a" * 40,
    base_url="https://api.shop.example",
    servers=("https://api.shop.example:443/v1",),
    schemes=("bearer",),
    operations=("GET /v1/items", "GET /v1/items/{id}", "POST /v1/orders"),
    private=(),
    admin=(),
    failures=("404",),
    asked=(Asked("GET /v1/items", 200, False, True, ""), Asked("GET /v1/items/{id}", 404, False, False, "")),
    page="/docs",
    page_anonymous=200,
    page_status=200,
    page_html=True,
)
INTERNAL = replace(
    API, visibility="internal", anonymous=401, page_anonymous=404, private=("GET /internal/a",)
)


@pytest.mark.parametrize(
    "facts",
    [
        API,
        INTERNAL,
        replace(API, openapi="2.0", version="", told_commit="aaaaaaa"),
        replace(API, page="", page_anonymous=None, page_status=None, page_html=False),
    ],
)
def test_documents_of_several_kinds_pass(facts: ApiDocsFacts) -> None:
    """Public or internal, by version or commit, with a page for people or none."""
    DOCS["test_api"](api_docs_facts=facts)
    DOCS["test_api_true"](api_docs_facts=facts, limits=LIMITS)
    DOCS["test_api_page"](api_docs_facts=facts)


@pytest.mark.parametrize(
    ("check", "changes", "error", "words"),
    [
        (
            "test_api",
            {"anonymous": 404, "status": 404},
            AssertionError,
            "is public and answers anybody with 404",
        ),
        ("test_api", {"openapi": ""}, AssertionError, "no OpenAPI document"),
        ("test_api", {"problems": None, "why": "x"}, Unproven, "could not be validated"),
        ("test_api", {"problems": ("paths: bad",)}, AssertionError, "not valid"),
        ("test_api", {"operations": ()}, AssertionError, "documents no operation"),
        ("test_api", {"version": "1.4.1"}, AssertionError, "released is 1.4.2"),
        ("test_api", {"version": ""}, AssertionError, "says no version"),
        ("test_api", {"released": ""}, Unproven, "release.version"),
        ("test_api", {"servers": ("http://api.shop.example",)}, AssertionError, "sends clients to"),
        ("test_api", {"private": ("GET /internal/a",)}, AssertionError, "lists GET /internal/a"),
        ("test_api", {"admin": ("GET /users",)}, AssertionError, "administrators"),
        ("test_api_true", {"asked": ()}, Unproven, "no GET that could be asked"),
        (
            "test_api_true",
            {"asked": (Asked("GET /a", 405, True, False, ""),)},
            AssertionError,
            "not there: GET /a",
        ),
        (
            "test_api_true",
            {"asked": (Asked("GET /a", 200, False, True, "$: x"),)},
            AssertionError,
            "answers 200",
        ),
        (
            "test_api_true",
            {"asked": (Asked("GET /a", 200, False, False, ""),)},
            Unproven,
            "no answer could be held",
        ),
        ("test_api_page", {"page_status": 404}, AssertionError, "answers 404"),
        ("test_api_page", {"page_html": False}, AssertionError, "no HTML page"),
    ],
)
def test_documents_that_are_not_right(
    check: str, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Each for its own reason."""
    given = {"api_docs_facts": replace(API, **changes)}
    with pytest.raises(error, match=words):
        DOCS[check](**given, **({"limits": LIMITS} if check == "test_api_true" else {}))


def test_an_internal_document_answers_nobody() -> None:
    """200 for anybody fails; a refusal of us as well proves nothing."""
    with pytest.raises(AssertionError, match="is internal"):
        DOCS["test_api"](api_docs_facts=replace(INTERNAL, anonymous=200))
    with pytest.raises(Unproven, match="may see it"):
        DOCS["test_api"](api_docs_facts=replace(INTERNAL, status=403, openapi=""))


@pytest.mark.parametrize(
    ("route", "known"),
    [
        (Route("GET", "/v1/items/{item_id}"), True),
        (Route("GET", "/v1/items/:id"), True),
        (Route("GET", "/v1/items/17"), True),
        (Route("", "/v1/orders"), True),
        (Route("OPTIONS", "/v1/orders"), True),
        (Route("GET", "/metrics"), True),
        (Route("GET", "/static/*"), True),
        (Route("GET", "unmatched"), True),
        (Route("DELETE", "/v1/orders"), False),
        (Route("GET", "/v1/items/17/price"), False),
    ],
)
def test_routes_of_several_frameworks(route: Route, known: bool) -> None:
    """Templates in any notation and real paths are known; another method or path is not."""
    facts = ApiRoutesFacts("http_requests_total", "route", (Route("GET", "/v1/items"), route), ("/metrics",))
    given = {"api_docs_facts": API, "api_routes_facts": facts, "limits": LIMITS}
    if known:
        DOCS["test_api_routes"](**given)
        return
    with pytest.raises(AssertionError, match="not documented"):
        DOCS["test_api_routes"](**given)


TXT = SecurityTxtFacts(
    True,
    "https://a.example/.well-known/security.txt",
    200,
    "text/plain",
    ("https://a.example/r",),
    (),
    ("2027-05-01T00:00:00Z",),
    (),
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": 404}, "answers 404"),
        ({"url": "http://a.example/x"}, "not served over https"),
        ({"media_type": "text/html"}, "not text/plain"),
        ({"contacts": ()}, "names no Contact"),
        ({"unreachable": ("me",)}, "neither https"),
        ({"expires": ()}, "there must be one"),
        ({"expires": ("2027-05-01T00:00:00Z",) * 2}, "there must be one"),
        ({"expires": ("soon",)}, "no time with a zone"),
        ({"expires": ("2026-11-01T00:00:00Z",)}, "expired"),
        ({"expires": ("2026-11-26T00:00:00Z",)}, "expires at"),
        ({"expires": ("2028-05-01T00:00:00Z",)}, "more than a year"),
        ({"canonical": ("https://b.example/x",)}, "its place is"),
    ],
)
def test_security_txt(changes: dict[str, Any], words: str) -> None:
    """RFC 9116, and none for a product that is not public."""
    check = DOCS["test_contacts_security"]
    check(security_txt_facts=TXT, limits=LIMITS, now=NOW)
    check(security_txt_facts=replace(TXT, wanted=False, status=0), limits=LIMITS, now=NOW)
    with pytest.raises(AssertionError, match=words):
        check(security_txt_facts=replace(TXT, **changes), limits=LIMITS, now=NOW)


def at(**ago: float) -> str:
    """Return a time before now."""
    return (NOW - timedelta(**ago)).isoformat()


SERVER = ServerUpdates(
    "ssh://a", "apt", True, "unattended-upgrades", at(hours=6), at(hours=7), (), "", (), at(hours=6)
)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"manager": ""}, Unproven, "neither apt nor dnf"),
        ({"automatic": False, "why": "off"}, AssertionError, "by itself: off"),
        ({"succeeded_at": None}, Unproven, "does not say when"),
        ({"succeeded_at": at(days=9)}, AssertionError, "9 days ago"),
        ({"security": None}, Unproven, "could not be asked"),
        ({"security": ("openssl",)}, AssertionError, "left 1 security updates behind: openssl"),
        ({"security": ("openssl",), "looked_at": None}, AssertionError, "behind"),
        ({"restart_since": None}, Unproven, "since when, a restart"),
        (
            {"restart_since": at(days=30), "restart_for": ("linux-image",)},
            AssertionError,
            "30 days for linux-image",
        ),
    ],
)
def test_servers_that_are_not_kept_up_to_date(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Of two servers one is wrong."""
    facts = UpdatesFacts("auto", (SERVER, replace(SERVER, **changes)))
    with pytest.raises(error, match=words):
        MAINTENANCE["test_updates_of_servers"](updates_facts=facts, limits=LIMITS, now=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"security": ("openssl",), "looked_at": at(hours=1)},
        {"restart_since": at(days=3)},
        {"manager": "dnf", "looked_at": None},
    ],
)
def test_servers_that_are(changes: dict[str, Any]) -> None:
    """An update that was published after the last run is not held against a server."""
    facts = UpdatesFacts("auto", (replace(SERVER, **changes),))
    MAINTENANCE["test_updates_of_servers"](updates_facts=facts, limits=LIMITS, now=NOW)


def test_servers_that_are_replaced() -> None:
    """Only the age of what is installed counts."""
    bare = replace(SERVER, automatic=False, succeeded_at=None, security=None, restart_since=None)
    check = MAINTENANCE["test_updates_of_servers"]
    check(updates_facts=UpdatesFacts("image", (bare,)), limits=LIMITS, now=NOW)
    with pytest.raises(AssertionError, match="40 days old"):
        old = replace(bare, installed_at=at(days=40))
        check(updates_facts=UpdatesFacts("image", (old,)), limits=LIMITS, now=NOW)


def window(days: float, **changes: Any) -> Window:
    """Return a window some days ahead."""
    start = NOW + timedelta(days=days)
    made = Window(
        "m", start.isoformat(), (start + timedelta(hours=2)).isoformat(), "a", "b", ("c",), "", "", ""
    )
    return replace(made, **changes)


def calendar(*windows: Window, **changes: Any) -> CalendarFacts:
    """Return a calendar of these."""
    return replace(CalendarFacts("m.ics", "", "0" * 64, windows, 3, False, ()), **changes)


@pytest.mark.parametrize(
    "facts",
    [
        calendar(window(10), window(50), window(100)),
        calendar(window(1, announced_at=at(days=4), notice="https://s.example"), window(60), window(120)),
        calendar(path="", zero_downtime=True, past=0),
    ],
)
def test_calendars_that_are_right(facts: CalendarFacts) -> None:
    """Announced, or still to be; or no downtime ever."""
    MAINTENANCE["test_windows"](calendar_facts=facts, limits=LIMITS, now=NOW)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (calendar(), "no window lies ahead; 3 are over"),
        (calendar(problem="it cannot be read"), "cannot be read"),
        (calendar(window(100)), "in 100 days"),
        (calendar(window(1), window(80)), "near and was not announced"),
        (calendar(window(2, announced_at=at(hours=1), notice="x")), "was announced 2 days, 1:00:00 before"),
        (calendar(window(2, announced_at=at(days=4))), "says? not|does not say where"),
        (calendar(window(9, announced_at=at(days=-4), notice="x")), "lies in the future"),
        (calendar(window(10, owner="")), "names no owner"),
        (calendar(window(10, audience=())), "names no audience"),
        (calendar(window(10, peak="mon-fri")), "busy hours"),
        (calendar(window(10), window(150)), "no window for 140 days"),
        (calendar(window(10)), "nothing is planned"),
    ],
)
def test_calendars_that_are_not(facts: CalendarFacts, words: str) -> None:
    """Each for its own reason."""
    with pytest.raises(AssertionError, match=words):
        MAINTENANCE["test_windows"](calendar_facts=facts, limits=LIMITS, now=NOW)


SILENCE = Silence(
    "1", ('alertname="A"',), at(hours=1), at(hours=-1), "active", "maintenance", "ann", True, False
)


@pytest.mark.parametrize(
    ("silence", "right"),
    [
        (SILENCE, True),
        (replace(SILENCE, ends_at=at(days=-3)), False),
        (replace(SILENCE, ends_at=at(days=-3), maintenance=False, broad=False), True),
        (replace(SILENCE, ends_at=at(days=-3), maintenance=False, broad=True), False),
    ],
)
def test_silences(silence: Silence, right: bool) -> None:
    """One for maintenance, or for everything, is as long as a window and a bit; of one alert it may be longer."""
    given = {
        "calendar_facts": calendar(window(10)),
        "silences_facts": SilencesFacts((silence,), 0),
        "limits": LIMITS,
    }
    if right:
        MAINTENANCE["test_windows_silences"](**given)
        return
    with pytest.raises(AssertionError, match="windows are 2:00:00 at most"):
        MAINTENANCE["test_windows_silences"](**given)
