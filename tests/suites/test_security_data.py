"""The checks of items 15 to 17 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.db_containers import DbContainersFacts, db_containers
from pytest_deploycheck.probes.db_logins import Try
from pytest_deploycheck.probes.db_server import Session
from pytest_deploycheck.probes.default_logins import Credentials, DefaultLoginsFacts
from pytest_deploycheck.probes.host_facts import HostFacts, Listener
from pytest_deploycheck.probes.human_passwords import HumanPasswordsFacts, Policy, Stored
from pytest_deploycheck.probes.ports import PortsFacts, Scan
from pytest_deploycheck.probes.redis import AclUser, RedisFacts
from pytest_deploycheck.probes.redis_host import RedisHostFacts
from pytest_deploycheck.transports.shell import Done
from pytest_deploycheck.verdict import Reason
from tests.suites.checks import suite
from tests.suites.test_deploy_database import SERVER
from tests.suites.test_environment_db import HBA, IN, LOGINS, NO, PASSWORDS, SECRET

DATA = suite("pre_deploy/test_security_data.py")
WORDS = suite("pre_deploy/test_security_passwords.py")
LIMITS = Limits()
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what must not be
DATABASE = replace(SERVER, hba=HBA)
SCAN = Scan("203.0.113.7", "", 40, (80, 443), 2, 36, (), "")
PORTS = PortsFacts("local://", False, (22, 80, 443), (5432, 6379), (SCAN,))
USER = AclUser("default", True, False, 1, True, "+@all")
CACHE = RedisFacts(
    "redis", "7.0.15", "10.20.0.8:6379", False, "NOAUTH", "WRONGPASS", "OK", "PONG", "default", (USER,), "", True,
    190.0, (), (),
)  # fmt: skip
CONF = "/etc/redis/redis.conf"
CACHE_HOST = RedisHostFacts("default", "REDIS_PASSWORD", "OK", "", (), (CONF,), (CONF,), (CONF,), False, "")
ADMIN = Credentials("grafana", "admin:admin", 401, False, "")
DECLARED = Credentials("grafana", "grafana.token", 200, True, "")
CONSOLES = DefaultLoginsFacts((ADMIN,), (DECLARED,), "/auth/login", 401, 401)
POLICY = Policy("policy.toml", 15, 128, False, True, False, 0)
PEOPLE = HumanPasswordsFacts(True, POLICY, "", (Stored("argon2id", None, 9),), "public.users.hash", "")


def servers(sshd: dict[str, str] | None = None, listeners: tuple[Listener, ...] | None = ()) -> HostFacts:
    """Return one server of which nothing else is looked at."""
    server = SimpleNamespace(uri="ssh://a", sshd=sshd, listeners=listeners)
    return cast(HostFacts, SimpleNamespace(servers=(server,)))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hba": HBA, "allowed_cidrs": (), "local_cidrs": ("10.20.0.0/24",)},
        {"sessions": (Session("app", "shop", "", False, False, 3),)},
        {"sessions": (Session("app", "shop", "127.0.0.1", False, False, 3),)},
        {
            "sessions": (Session("app", "shop", "172.18.0.3", False, False, 3),),
            "local_cidrs": ("172.18.0.0/16",),
        },
        {"sessions": (Session("app", "shop", "10.20.0.4", True, True, 3),)},
    ],
)
def test_guarded_databases_pass(changes: dict[str, Any]) -> None:
    """Sockets, loopback and bridges that never leave the machine need no TLS."""
    facts = replace(DATABASE, **changes)
    for name in ("test_db_access", "test_db_access_sessions", "test_db_access_role"):
        DATA[name](facts)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hba": ()}, "has no rule at all"),
        ({"hba": (replace(HBA[0], method="trust"),)}, "asks for no password"),
        ({"hba": (replace(HBA[0], address="10.0.0.0", netmask="255.0.0.0"),)}, "outside db.allowed_cidrs"),
        ({"pending_restart": ("listen_addresses",)}, "not in force before a restart"),
        ({"settings": (("ssl", "off"),)}, "ssl is off"),
        ({"hba_changed_at": 1001.0}, "was changed after it was loaded"),
        ({"sessions": ()}, "not even the session of this look"),
        ({"sessions": (Session("app", "shop", "10.20.0.4", False, False, 3),)}, "not encrypted"),
        (
            {"sessions": (Session("bi", "shop", "10.99.0.4", True, False, 1),)},
            "role bi is connected from 10.99.0.4",
        ),
        ({"app": replace(cast(Any, SERVER.app), superuser=True)}, "SUPERUSER"),
        ({"app": replace(cast(Any, SERVER.app), createdb=True)}, "CREATEDB"),
        ({"app": replace(cast(Any, SERVER.app), may_become=("rds_superuser",))}, "member of rds_superuser"),
        ({"app": replace(cast(Any, SERVER.app), creates_in_public=True)}, "REVOKE CREATE ON SCHEMA public"),
    ],
)
def test_open_databases_fail(changes: dict[str, Any], words: str) -> None:
    """Each opening is named."""
    facts = replace(DATABASE, **changes)
    with pytest.raises(AssertionError, match=re.escape(words)):
        for name in ("test_db_access", "test_db_access_sessions", "test_db_access_role"):
            DATA[name](facts)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("test_db_access", {"hba": None, "hba_why": "run: GRANT"}, "run: GRANT"),
        ("test_db_access", {"allowed_cidrs": ()}, "add db.allowed_cidrs (the rules have 10.20.0.0/24)"),
        ("test_db_access", {"hba_changed_at": None, "hba_changed_why": "run: GRANT"}, "run: GRANT"),
        ("test_db_access_sessions", {"sessions": None}, "GRANT pg_monitor TO reader;"),
        ("test_db_access_sessions", {"allowed_cidrs": ()}, "role app is connected from 10.20.0.4"),
        ("test_db_access_role", {"app": None}, "name it in db.app_role"),
    ],
)
def test_what_is_unseen_of_access_is_unproven(name: str, changes: dict[str, Any], words: str) -> None:
    """Each message holds the next step."""
    with pytest.raises(Unproven, match=re.escape(words)):
        DATA[name](replace(DATABASE, **changes))


def test_listeners() -> None:
    """The loopback and a private address may listen; every address may not, whatever program it is."""
    ssh = Listener("tcp", EVERYWHERE, 22, "sshd")
    DATA["test_db_access_listeners"](
        DATABASE, servers(None, (ssh, Listener("tcp", "10.20.0.3", 5432, "postgres")))
    )
    for address, port, settings in (
        (EVERYWHERE, 5432, ()),
        ("::", 5432, ()),
        ("*", 6000, (("port", "6000"),)),
    ):
        open_ = servers(None, (ssh, Listener("tcp", address, port, "docker-proxy")))
        with pytest.raises(AssertionError, match=f"docker-proxy offers port {port} at every address"):
            DATA["test_db_access_listeners"](replace(DATABASE, settings=settings), open_)
    with pytest.raises(AssertionError, match="nothing at all listens there"):
        DATA["test_db_access_listeners"](DATABASE, servers(None, ()))
    with pytest.raises(Unproven, match="what listens there is unseen"):
        DATA["test_db_access_listeners"](DATABASE, servers(None, None))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"scans": (replace(SCAN, open=(443, 5432)),)}, AssertionError, "port 5432 of 203.0.113.7 is open"),
        (
            {"scans": (SCAN, replace(SCAN, address="2001:db8::7", open=(5432,)))},
            AssertionError,
            "2001:db8::7",
        ),
        ({"scans": ()}, Unproven, "nothing was looked at from outside"),
        ({"scans": (replace(SCAN, scanned=0, inside="this machine's own"),)}, Unproven, "this machine's own"),
        ({"scans": (replace(SCAN, unreachable="ENETUNREACH"),)}, Unproven, "ENETUNREACH"),
        ({"scans": (replace(SCAN, controls=(50123,)),)}, Unproven, "answers for every port"),
        ({"sentinels": ()}, Unproven, "add it to net.sentinel_ports"),
    ],
)
def test_from_outside(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    """Open fails; not looked at, or from inside, or answered by something else, is unproven."""
    DATA["test_db_access_from_outside"](DATABASE, PORTS)
    DATA["test_redis_auth_from_outside"](CACHE, PORTS)
    with pytest.raises(error, match=re.escape(words)):
        DATA["test_db_access_from_outside"](DATABASE, replace(PORTS, **changes))


def containers(*rows: dict[str, Any], stderr: str = "") -> DbContainersFacts:
    """Return what the probe makes of an engine's answer."""
    done = Done(0 if rows else 1, json.dumps(rows) if rows else "", stderr)
    connect = SimpleNamespace(read=lambda command: done)
    return cast(DbContainersFacts, db_containers.function(None, connect))


def container(name: str, image: str, *networks: str, port: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a running container as `docker inspect` shows it."""
    ports = {"5432/tcp": [port] if port else None}
    return {
        "Name": f"/{name}",
        "State": {"Running": True},
        "Config": {"Image": image},
        "NetworkSettings": {"Networks": {network: {} for network in networks}, "Ports": ports},
    }


EDGE = container("web", "registry.example:5000/nginx:1.29@sha256:ab", "front")
POSTGRES = container("db", "postgres:17", "back")


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (EDGE, POSTGRES),
        (EDGE, container("metrics", "quay.io/prometheuscommunity/postgres-exporter:v0.15", "front")),
        (
            container(
                "db",
                "docker.io/timescale/timescaledb-ha:pg16",
                "back",
                port={"HostIp": "127.0.0.1", "HostPort": "1"},
            ),
        ),
    ],
)
def test_containers_apart_pass(rows: tuple[dict[str, Any], ...]) -> None:
    """No container, separate networks, exporters, and ports published to the machine itself."""
    DATA["test_db_access_containers"](containers(*rows, stderr="" if rows else "sh: docker: not found"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((EDGE, container("db", "postgres:17", "back", "front")), "container db is in network front"),
        (
            (container("db", "postgis/postgis:16", port={"HostIp": EVERYWHERE, "HostPort": "15432"}),),
            "0.0.0.0:15432",
        ),
        (
            (
                container(
                    "db", "r.example:5000/bitnami/postgresql:16", port={"HostIp": "::", "HostPort": "5432"}
                ),
            ),
            "[::]",
        ),
        (
            (container("db", "pgvector/pgvector:pg16", port={"HostIp": "", "HostPort": "5432"}),),
            ":5432->5432/tcp",
        ),
    ],
)
def test_containers_that_can_be_reached_fail(rows: tuple[dict[str, Any], ...], words: str) -> None:
    """A network shared with the edge, or a port published at every address, whichever number it has there."""
    with pytest.raises(AssertionError, match=re.escape(words)):
        DATA["test_db_access_containers"](containers(*rows))


def test_an_engine_that_tells_nothing_is_unproven() -> None:
    """Without the right to ask, nothing is known of containers."""
    with pytest.raises(CannotLook, match=r"host\.sudo") as why:
        containers(stderr="permission denied while trying to connect to the Docker daemon socket")
    assert why.value.reason is Reason.NO_ACCESS


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stranger": "PONG"}, "it has no password"),
        ({"stranger": "DENIED"}, "it has no password"),  # protected mode, which is no password
        ({"stranger": "NOPERM"}, "stranger's PING with NOPERM"),
        ({"wrong": "OK"}, "accepts a wrong password"),
        ({"declared": "WRONGPASS"}, "it is not the live one"),
        ({"declared": "none"}, "answered none"),
        ({"ping": "NOPERM"}, "PING is answered NOPERM"),
        ({"faults": ("is a well-known default",)}, "is a well-known default"),
        ({"users": (USER, AclUser("guest", True, True, 0, False, "+@all"))}, "user guest needs no password"),
        ({"users": (replace(USER, holds=False),)}, "not among the 1 of user default"),
        ({"users": ()}, "names no user"),
        ({"users": None, "requirepass": False}, "requirepass is not the declared password"),
    ],
)
def test_open_caches_fail(changes: dict[str, Any], words: str) -> None:
    """Each answer is named with what it means."""
    with pytest.raises(AssertionError, match=re.escape(words)):
        DATA["test_redis_auth"](replace(CACHE, **changes), LIMITS)
        DATA["test_redis_auth_users"](replace(CACHE, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"users": None, "requirepass": True},  # older than 6
        {"users": (USER, AclUser("old", False, True, 0, False, "+@all"))},
        {"users": (USER, AclUser("nobody", True, True, 0, False, "-@all"))},
    ],
)
def test_guarded_caches_pass(changes: dict[str, Any]) -> None:
    """Old servers, users that are off, and users that may do nothing are not accused."""
    DATA["test_redis_auth"](replace(CACHE, **changes), LIMITS)
    DATA["test_redis_auth_users"](replace(CACHE, **changes))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"env": "WRONGPASS"}, AssertionError, "it is not the live one"),
        ({"env": "none"}, AssertionError, "gives no password in REDIS_PASSWORD"),
        ({"faults": ("has 20 bits, 112 are needed",)}, AssertionError, "has 20 bits"),
        ({"kept_in": ()}, AssertionError, "a restart forgets it"),
        ({"env": None, "env_why": "no env.path"}, Unproven, "no env.path"),
        ({"read": (), "kept_in": ()}, Unproven, "outlives a restart is unseen"),
        ({"kept_in": (), "includes": True}, Unproven, "include others"),
        ({"kept_in": (), "why": "Permission denied"}, Unproven, "Permission denied"),
    ],
)
def test_passwords_of_the_cache_that_do_not_last(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Seen and missing fails; not seen is unproven."""
    DATA["test_redis_auth_lasts"](CACHE_HOST)
    with pytest.raises(error, match=re.escape(words)):
        DATA["test_redis_auth_lasts"](replace(CACHE_HOST, **changes))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"secrets": (replace(SECRET, faults=("has 9 bits",)),)}, AssertionError, "DATABASE_URL has 9 bits"),
        ({"shared": (("env A", "env B"),)}, AssertionError, "env A, env B"),
        ({"shown": (("A", "worker"),)}, AssertionError, "reads A on the command line of worker"),
        ({"secrets": ()}, Unproven, "no secret that could be judged"),
    ],
)
def test_secrets_of_machines(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    """Strong, unshared and unseen; a file without any secret proves nothing."""
    WORDS["test_passwords"](PASSWORDS)
    with pytest.raises(error, match=re.escape(words)):
        WORDS["test_passwords"](replace(PASSWORDS, **changes))


@pytest.mark.parametrize(
    ("consoles", "logins", "error", "words"),
    [
        (
            {"defaults": (replace(ADMIN, accepted=True, status=200),)},
            {},
            AssertionError,
            "accepts admin:admin",
        ),
        (
            {"declared": (replace(DECLARED, accepted=False, status=401),)},
            {},
            AssertionError,
            "another one is live",
        ),
        ({"defaults": (replace(ADMIN, accepted=None, status=502),)}, {}, Unproven, "grafana answers 502"),
        (
            {"defaults": (replace(ADMIN, accepted=None, status=None, why="refused"),)},
            {},
            Unproven,
            "answers refused",
        ),
        ({}, {"tries": (Try("no password", "app", IN),)}, AssertionError, "no password opens the database"),
        ({}, {"declared": NO}, AssertionError, "not the database's live one"),
    ],
)
def test_logins_of_the_manuals(
    consoles: dict[str, Any], logins: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A default that opens fails, a declared one that does not fails, and silence proves nothing."""
    check = WORDS["test_passwords_in_force"]
    check(CONSOLES, LOGINS)
    with pytest.raises(error, match=re.escape(words)):
        check(replace(CONSOLES, **consoles), replace(LOGINS, **logins))


SSHD = {
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitrootlogin": "without-password",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"passwordauthentication": "yes"}, "SSH accepts passwords (passwordauthentication)"),
        ({"kbdinteractiveauthentication": "yes"}, "SSH accepts passwords (kbdinteractiveauthentication)"),
        ({"permitrootlogin": "yes"}, "root may log in with a password"),
    ],
)
def test_ssh(changes: dict[str, str], words: str) -> None:
    """Keys only, by whichever of its two ways a password could be asked for."""
    WORDS["test_passwords_of_servers"](servers(SSHD))
    with pytest.raises(AssertionError, match=re.escape(words)):
        WORDS["test_passwords_of_servers"](servers({**SSHD, **changes}))
    with pytest.raises(Unproven, match=r"host\.sudo"):
        WORDS["test_passwords_of_servers"](servers(None))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"policy": replace(POLICY, min_length=14)},
            AssertionError,
            "14 characters are accepted, 15 are needed",
        ),
        ({"policy": replace(POLICY, mfa=True, min_length=7)}, AssertionError, "8 are needed"),
        ({"policy": replace(POLICY, max_length=32)}, AssertionError, "32 characters at most"),
        ({"policy": replace(POLICY, blocklist=False)}, AssertionError, "common passwords are not refused"),
        ({"policy": replace(POLICY, composition=True)}, AssertionError, "length is what counts"),
        ({"policy": replace(POLICY, rotation_days=90)}, AssertionError, "expire after 90 days"),
        ({"policy": replace(POLICY, blocklist=None)}, Unproven, "says nothing of blocklist"),
        ({"policy": None, "policy_why": "no file"}, Unproven, "no file"),
        ({"stored": (Stored("other", None, 3),)}, AssertionError, "3 passwords in public.users.hash"),
        ({"stored": (Stored("bcrypt", 4, 3),)}, AssertionError, "stored as bcrypt at 4"),
        ({"stored": (Stored("pbkdf2-sha256", None, 3),)}, AssertionError, "stored as pbkdf2-sha256"),
        ({"stored": ()}, Unproven, "holds no password to look at"),
        ({"stored": None, "stored_why": "GRANT it"}, Unproven, "GRANT it"),
    ],
)
def test_passwords_of_people(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    """The rules of NIST SP 800-63B-4, and hashes that cost something; what is not said is unproven."""
    check = WORDS["test_passwords_of_people"]
    for policy in (POLICY, replace(POLICY, mfa=True, min_length=8)):
        check(replace(PEOPLE, policy=policy), CONSOLES, LIMITS)
    with pytest.raises(error, match=re.escape(words)):
        check(replace(PEOPLE, **changes), CONSOLES, LIMITS)


def test_long_passwords_must_be_possible() -> None:
    """A login that calls a long password malformed where a short one is merely wrong has a limit below it."""
    check = WORDS["test_passwords_of_people"]
    with pytest.raises(AssertionError, match="it seems too long to be one"):
        check(PEOPLE, replace(CONSOLES, long_status=422), LIMITS)
    check(PEOPLE, replace(CONSOLES, short_status=400, long_status=400), LIMITS)  # 400 is how this one refuses


def test_products_without_passwords() -> None:
    """Where nobody logs in with a password, none is judged."""
    nobody = HumanPasswordsFacts(False, None, "", None, "", "")
    WORDS["test_passwords_of_people"](nobody, replace(CONSOLES, login_path=""), LIMITS)
