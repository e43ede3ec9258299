"""Calendars, what servers say of updates, contacts, security.txt and OpenAPI documents, as they are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pytest_deploycheck.probes.contacts import wrong
from pytest_deploycheck.probes.security_txt import fields
from pytest_deploycheck.probes.updates import apt_automatic, apt_security, dnf_automatic, dnf_security
from pytest_deploycheck.rules import calendar_times as times
from pytest_deploycheck.rules import openapi

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ICAL = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//ops//EN\r
BEGIN:VEVENT\r
UID:1\r
DTSTART;TZID=Europe/Berlin:20261206T030000\r
DTEND;TZID=Europe/Berlin:20261206T050000\r
RRULE:FREQ=WEEKLY;INTERVAL=4\r
EXDATE;TZID=Europe/Berlin:20270103T030000\r
SUMMARY:Maintenance\r
ORGANIZER;CN=devops:mailto:devops@tokens.example\r
DESCRIPTION:Approver: operations\\nAudience: customers\\, support\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:2\r
STATUS:CANCELLED\r
DTSTART:20261207T030000Z\r
END:VEVENT\r
END:VCALENDAR\r
"""


def test_icalendar_is_read_like_our_own_yaml() -> None:
    """Zones, repetitions and exceptions; what was cancelled is none."""
    (event,) = times.ical_events(ICAL)
    assert (event["owner"], event["approver"], event["audience"]) == (
        "devops",
        "operations",
        ["customers", "support"],
    )
    start = times.moment(event["start"], "start")
    found = times.occurrences(start, event["repeat"], NOW, NOW + timedelta(days=100), event["except"])
    assert [at.astimezone(UTC).isoformat() for at in found] == [
        "2026-12-06T02:00:00+00:00",
        "2027-01-31T02:00:00+00:00",
        "2027-02-28T02:00:00+00:00",
    ]


@pytest.mark.parametrize(
    "text", ["", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:soon\nEND:VEVENT\nEND:VCALENDAR\n"]
)
def test_no_calendar_is_said(text: str) -> None:
    """What cannot be read is an error of ours, never an empty calendar that passes."""
    with pytest.raises(times.BadCalendar):
        for event in times.ical_events(text):
            times.moment(event["start"], "start")


@pytest.mark.parametrize(
    ("peak", "start", "touches"),
    [
        ("mon-fri 08:00-20:00 Europe/Berlin", datetime(2026, 11, 24, 6, 30, tzinfo=UTC), True),
        ("mon-fri 08:00-20:00 Europe/Berlin", datetime(2026, 11, 22, 10, tzinfo=UTC), False),
        ("22:00-02:00 UTC", datetime(2026, 11, 24, 1, tzinfo=UTC), True),
        ("sat-mon 10:00-11:00 UTC", datetime(2026, 11, 23, 9, 30, tzinfo=UTC), True),
    ],
)
def test_busy_hours(peak: str, start: datetime, touches: bool) -> None:
    """In their own zone, over midnight and over the week's end."""
    assert times.peak(peak).touches(start, start + timedelta(hours=2)) is touches


@pytest.mark.parametrize(
    "text", ["always", "mon-fri 08:00-20:00", "xyz 08:00-20:00 UTC", "mon 08:00-20:00 Mars/City"]
)
def test_busy_hours_that_cannot_be_read(text: str) -> None:
    """Each is refused."""
    with pytest.raises(times.BadCalendar):
        times.peak(text)


@pytest.mark.parametrize(
    ("value", "minutes"), [("2h", 120), ("1h 30m", 90), ("45min", 45), (30, 30), ("1.5 hours", 90)]
)
def test_durations(value: object, minutes: int) -> None:
    """As people write them."""
    assert times.span(value, "duration") == timedelta(minutes=minutes)


SETTINGS = """\
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Allowed-Origins:: "${distro_id}:${distro_codename}-security";
"""
TIMER = {"apt-daily-upgrade.timer": {"ActiveState": "active"}}


@pytest.mark.parametrize(
    ("settings", "units", "automatic"),
    [
        (SETTINGS, TIMER, True),
        (SETTINGS, {}, True),
        (SETTINGS, {"apt-daily-upgrade.timer": {"ActiveState": "inactive"}}, False),
        (SETTINGS.replace('Upgrade "1"', 'Upgrade "0"'), TIMER, False),
        (SETTINGS.replace('Lists "1"', 'Lists "0"'), TIMER, False),
        (SETTINGS.replace("-security", "-updates"), TIMER, False),
        (
            SETTINGS.replace("${distro_id}:${distro_codename}-security", "origin=Debian,label=Debian"),
            TIMER,
            False,
        ),
        (SETTINGS.replace("${distro_id}:${distro_codename}-security", "o=*"), TIMER, True),
        ("", TIMER, False),
    ],
)
def test_what_apt_does_by_itself(settings: str, units: dict[str, dict[str, str]], automatic: bool) -> None:
    """Settings, origins and the timer must all say so; where systemd does not answer, cron may run it."""
    assert apt_automatic(settings, units)[0] is automatic


def test_security_updates_that_wait() -> None:
    """By the archive that apt would take them from; new packages that come along are none."""
    text = (
        "NOTE: This is only a simulation!\n"
        "Inst libssl3 [3.0.15-1~deb12u1] (3.0.17-1~deb12u3 Debian-Security:12/oldstable-security [amd64])\n"
        "Inst tzdata [2024a-0+deb12u1] (2025b-0+deb12u1 Debian:12.11/oldstable [all])\n"
        "Inst linux-image-6.1.0-40-amd64 (6.1.153-1 Debian-Security:12/oldstable-security [amd64])\n"
        "Inst bash [5.1-6ubuntu1] (5.1-6ubuntu1.1 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])\n"
        "Conf libssl3 (3.0.17-1~deb12u3 Debian-Security:12/oldstable-security [amd64])\n"
    )
    assert apt_security(text) == ("libssl3", "bash")


def test_dnf_advisories() -> None:
    """Of security, each package once."""
    text = (
        "RHSA-2025:7331 Important/Sec. kernel-5.14.0-570.el9.x86_64\n"
        "ALSA-2025:4341 Moderate/Sec. openssl-3.2.2-6.el9.x86_64\n"
        "RHBA-2025:1 bugfix tzdata-2025b-1.el9.noarch\n"
    )
    assert dnf_security(text) == ("kernel-5.14.0-570.el9.x86_64", "openssl-3.2.2-6.el9.x86_64")
    assert dnf_automatic("apply_updates = no", {"dnf-automatic.timer": {"ActiveState": "active"}})[0] is False
    assert dnf_automatic("apply_updates = yes", {"dnf-automatic.timer": {"ActiveState": "active"}})[0] is True


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"phone": "030 23125 101"}, "E.164"),
        ({"phone": "+1 555 0100 123"}, "stands for another"),
        ({"phone": "+49 1234567"}, "stands for another"),
        ({"email": "ada"}, "email address"),
        ({"email": "you@example.com"}, "stands for another"),
        ({"name": "TBD"}, "real name"),
        ({"time_zone": "CET-ish"}, "time zone"),
    ],
)
def test_people_who_cannot_be_reached(change: dict[str, str], words: str) -> None:
    """What is wrong is told without the value."""
    entry = {
        "name": "Ada",
        "email": "ada@tokens.example",
        "phone": "+49 30 23125-101",
        "time_zone": "Europe/Berlin",
    }
    told = "; ".join(wrong({**entry, **change}))
    assert words in told and bool(told) is bool(words)


def test_security_txt_may_be_signed() -> None:
    """The armor, its hash header and comments are no fields; names are without regard to case."""
    text = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# hello\ncontact: mailto:a@b.example\n"
        "Expires: 2027-01-01T00:00:00Z\n-----BEGIN PGP SIGNATURE-----\n\niQ: x\n"
    )
    assert fields(text) == (
        ("contact", "mailto:a@b.example"),
        ("expires", "2027-01-01T00:00:00Z"),
    )


SPEC = {
    "openapi": "3.0.3",
    "info": {"title": "t", "version": "1"},
    "servers": [{"url": "/api"}],
    "paths": {
        "/a/{id}": {
            "get": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {
                    "200": {
                        "description": "ok",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}},
                    },
                    "404": {"description": "none"},
                },
            }
        }
    },
    "components": {
        "schemas": {
            "A": {
                "type": "object",
                "required": ["n"],
                "properties": {"n": {"type": "integer", "nullable": True}},
            }
        }
    },
}


def test_openapi_documents() -> None:
    """Operations with their prefix, servers made absolute, answers held against schemas of 3.0 as well."""
    pytest.importorskip("openapi_spec_validator")
    assert openapi.problems(SPEC) == ((), "")
    assert tuple(openapi.operations(SPEC)) == ("GET /api/a/{id}",)
    assert tuple(openapi.servers(SPEC, "https://h.example/openapi.json")) == ("https://h.example/api",)
    assert tuple(openapi.failures(SPEC)) == ("404",)
    schema = openapi.response_schema(SPEC, "GET /api/a/{id}", 200)
    assert schema is not None
    assert openapi.mismatch(SPEC, schema, '{"n": null}') == ""
    assert openapi.mismatch(SPEC, schema, '{"n": "secret"}') == "$.n: not as type says"
    assert openapi.mismatch(SPEC, schema, "<html>") == "it is no JSON"
    assert openapi.response_schema(SPEC, "GET /api/a/{id}", 404) is None


def test_servers_with_variables_and_swagger_2() -> None:
    """A variable's default is in its place; Swagger 2 has its schemas elsewhere."""
    pytest.importorskip("openapi_schema_validator")
    server = {"url": "https://{name}.a.example/", "variables": {"name": {"default": "api"}}}
    assert tuple(openapi.servers({"openapi": "3.1.0", "servers": [server]}, "https://x/")) == (
        "https://api.a.example",
    )
    old = {
        "swagger": "2.0",
        "basePath": "/v1",
        "paths": {"/a": {"get": {"responses": {"200": {"schema": {"$ref": "#/definitions/A"}}}}}},
        "definitions": {"A": {"type": "array"}},
    }
    schema = openapi.response_schema(old, "GET /v1/a", 200)
    assert schema is not None
    assert openapi.mismatch(old, schema, "[]") == ""
    assert openapi.mismatch(old, schema, "{}") == "$: not as type says"


def test_openapi_documents_that_are_none() -> None:
    """A page, a list, other JSON; and YAML is one as well."""
    for text in ("<!doctype html><html></html>", "[]", "{}", '{"openapi": "3.1.0", "paths": []}', ""):
        assert openapi.document(text) == {}
    assert openapi.document("openapi: 3.1.0\npaths: {}\n")["openapi"] == "3.1.0"


def test_references_to_elsewhere_are_not_followed() -> None:
    """They are named, and the document is not validated."""
    found, why = openapi.problems({**SPEC, "paths": {"/a": {"$ref": "http://169.254.169.254/x.json"}}})
    assert found is None and "169.254.169.254" in why
