"""Rules of who may connect to PostgreSQL: what each opens, by the order in which they stand."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from pytest_deploycheck.rules.hba import Rule, allowed, problems, remote

APP = ("10.20.0.0/24",)
BRIDGE = ("172.18.0.0/16",)


def rules(*lines: str) -> list[Rule]:
    """Make rules out of lines of the file, as the server's view would show them."""
    made = []
    for number, line in enumerate(lines, 1):
        kind, databases, users, *rest = line.split()
        where = "" if kind == "local" else rest.pop(0)
        address, _, bits = where.partition("/")
        mask = str(ip_network(where).netmask) if bits else ""
        made.append(
            Rule(
                number, kind, tuple(databases.split(",")), tuple(users.split(",")), address, mask, rest[0], ""
            )
        )
    return made


@pytest.mark.parametrize(
    "lines",
    [
        ("hostssl shop app 10.20.0.0/24 scram-sha-256",),
        ("hostssl shop app 10.20.0.7/32 cert", "local all postgres peer"),
        ("host all all 127.0.0.1/32 scram-sha-256", "host all all ::1/128 scram-sha-256"),
        ("host shop app samehost scram-sha-256",),
        ("host shop app 172.18.0.5/32 scram-sha-256",),  # a bridge never leaves the machine
        # TLS is asked for by what is refused first, as many write it.
        ("hostnossl all all all reject", "host shop app 10.20.0.0/24 scram-sha-256"),
        (
            "hostnossl all all 0.0.0.0/0 reject",
            "hostnossl all all ::/0 reject",
            "host shop app 10.20.0.0/24 scram-sha-256",
        ),
        ("hostssl shop app 10.20.0.0/24 scram-sha-256", "host all all all reject"),
        ("host all all all reject", "host all all 0.0.0.0/0 trust"),  # never reached
        ("hostgssenc all all 10.20.0.0/24 gss",),
        ("hostssl replication standby 10.20.0.9/32 scram-sha-256",),
    ],
)
def test_sound_rules(lines: tuple[str, ...]) -> None:
    """Rules as sound servers have them are not accused."""
    assert list(problems(rules(*lines), APP, BRIDGE)) == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("hostssl all all 10.20.0.0/24 trust",), "asks for no password"),
        (("hostssl all all 10.20.0.0/24 md5",), "accepts MD5"),
        (("hostssl all all 10.20.0.0/24 password",), "sent as they are"),
        (("local all all trust",), "asks for no password"),
        (("hostssl all all 0.0.0.0/0 scram-sha-256",), "every address in the world"),
        (("hostssl all all all scram-sha-256",), "every address in the world"),
        (("hostssl all all ::/0 cert",), "every address in the world"),
        (("hostssl all all 10.0.0.0/8 scram-sha-256",), "outside db.allowed_cidrs"),
        (("hostssl all all fd00::/64 scram-sha-256",), "outside db.allowed_cidrs"),
        (("hostssl all all .example.com scram-sha-256",), "no network that could be compared"),
        (("hostssl all all samenet scram-sha-256",), "no network that could be compared"),
        (("host shop app 10.20.0.0/24 scram-sha-256",), "without TLS"),
        (("hostnossl shop app 10.20.0.0/24 scram-sha-256",), "without TLS"),
        # Only one family is refused before.
        (("hostnossl all all ::/0 reject", "host shop app 10.20.0.0/24 scram-sha-256"), "without TLS"),
        # Some are refused before, not all.
        (("hostnossl all guest all reject", "host shop app 10.20.0.0/24 scram-sha-256"), "without TLS"),
        # All databases are all but replication.
        (("host all all all reject", "host replication all 10.20.0.0/24 trust"), "asks for no password"),
    ],
)
def test_rules_that_open_too_much(lines: tuple[str, ...], words: str) -> None:
    """Each is named with its line and what is wrong with it."""
    found = list(problems(rules(*lines), APP, BRIDGE))
    assert any(words in one and f"line {len(lines)} " in one for one in found), found


def test_an_error_is_told_first() -> None:
    """A line with an error means that the file is not in force."""
    broken = Rule(9, "", (), (), "", "", "", 'invalid authentication method "scrum"')
    assert "scrum" in next(problems([broken], APP, ()))


def test_nothing_lies_outside_of_what_is_unknown() -> None:
    """Without allowed networks a rule is not accused of lying outside them; it is told apart as remote."""
    found = rules("hostssl shop app 10.20.0.0/24 scram-sha-256", "local all all peer")
    assert list(problems(found, (), ())) == []
    assert [rule.line for rule in remote(found)] == [1]


@pytest.mark.parametrize(
    ("address", "inside"),
    [("10.20.0.4", True), ("10.20.1.4", False), ("127.0.0.1", True), ("::1", True), ("fd00::1", False)],
)
def test_addresses(address: str, inside: bool) -> None:
    """Loopback is always the server itself; families do not mix."""
    assert allowed(address, APP) is inside
