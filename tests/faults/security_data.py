"""Faults of Security Configuration: passwords, access to the database, the cache's password."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from pytest_deploycheck.demo import postgres, wall
from pytest_deploycheck.demo.app.passwords import hash_password
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.docker import project
from tests.faults.database_tools import (
    cache,
    configured,
    env_value,
    in_env,
    recached,
    reload,
    undone,
)
from tests.faults.functional import execute, until_well
from tests.faults.harness import fault
from tests.faults.infrastructure_wall import FIREWALL, walled
from tests.faults.tools import edited, switches_in

PASSWORDS = "pre_deploy.security.passwords"
DB_PASSWORD = "pre_deploy.environment.db_password"
ACCESS = "pre_deploy.security.db_access"
REDIS = "pre_deploy.security.redis_auth"
SERVER = ("db_server",)
LAST_RULE = "hostssl   all       postgres      127.0.0.1/32   scram-sha-256\n"


@fault(PASSWORDS, "Grafana keeps admin as its password", probes=("default_logins",), needs=("standins",))
@contextmanager
def grafana_default(demo: Deployment) -> Iterator[None]:
    """Leave the first password in Grafana's volume."""
    with switches_in(demo.world.path("grafana", "switches.json"), default_admin=True):
        yield


@fault(
    PASSWORDS, "Grafana's password is not the declared one", probes=("default_logins",), needs=("standins",)
)
@contextmanager
def grafana_other(demo: Deployment) -> Iterator[None]:
    """Declare a password that Grafana, whose volume is older, never took over."""
    file = demo.world.path("secrets", "grafana_admin_password")
    with edited(file, (file.read_text(), "Kq3" + file.read_text()[3:])):
        yield


@fault(PASSWORDS, "the product's administrator has the password admin", probes=("default_logins",))
@contextmanager
def seeded_admin(demo: Deployment) -> Iterator[None]:
    """Seed the database as the tutorial does."""
    (row,) = execute(demo, "SELECT password_hash FROM users WHERE username = 'admin'")
    seeded = f"UPDATE users SET password_hash = '{hash_password('admin')}' WHERE username = 'admin'"
    with undone(demo, seeded, f"UPDATE users SET password_hash = '{row[0]}' WHERE username = 'admin'"):
        yield


@fault(
    PASSWORDS,
    "cache and database share a secret",
    probes=("passwords",),
    also=(DB_PASSWORD,),
    needs=("server",),
)
@contextmanager
def shared(demo: Deployment) -> Iterator[None]:
    """Use one strong password everywhere."""
    with in_env(demo, REDIS_PASSWORD=demo.world.secret("db_app_password")):
        yield


@fault(PASSWORDS, "the signing secret is a default", probes=("passwords",), needs=("server",))
@contextmanager
def default_secret(demo: Deployment) -> Iterator[None]:
    """Leave a value out of the template."""
    with in_env(demo, JWT_SECRET="changeme"):
        yield


@fault(PASSWORDS, "SSH accepts passwords", probes=("host",), needs=("server",))
@contextmanager
def ssh_passwords(demo: Deployment) -> Iterator[None]:
    """Turn passwords on, to let a contractor in."""
    line = "PasswordAuthentication no"
    with edited(demo.world.path("server", "sshd_config"), (line, "PasswordAuthentication yes")):
        yield


@fault(PASSWORDS, "SSH asks PAM for a password", probes=("host",), needs=("server",))
@contextmanager
def ssh_keyboard(demo: Deployment) -> Iterator[None]:
    """Leave the other door open: keyboard-interactive asks for the very same password."""
    line = "KbdInteractiveAuthentication no"
    with edited(demo.world.path("server", "sshd_config"), (line, "KbdInteractiveAuthentication yes")):
        yield


@fault(PASSWORDS, "root may log in with a password", probes=("host",), needs=("server",))
@contextmanager
def ssh_root(demo: Deployment) -> Iterator[None]:
    """Let root in by any way."""
    line = "PermitRootLogin prohibit-password"
    with edited(demo.world.path("server", "sshd_config"), (line, "PermitRootLogin yes")):
        yield


@fault(PASSWORDS, "passwords of eight characters are enough", probes=("human_passwords",))
@contextmanager
def short(demo: Deployment) -> Iterator[None]:
    """Ask people for eight characters and nothing else."""
    policy = demo.world.path("app", "password_policy.toml")
    with edited(policy, ("min_length = 15", "min_length = 8")):
        yield


@fault(PASSWORDS, "passwords expire", probes=("human_passwords",))
@contextmanager
def rotation(demo: Deployment) -> Iterator[None]:
    """Have everybody count up a digit every three months."""
    with edited(demo.world.path("app", "password_policy.toml"), ("rotation_days = 0", "rotation_days = 90")):
        yield


@fault(PASSWORDS, "passwords are stored as plain digests", probes=("human_passwords",))
@contextmanager
def fast_hashes(demo: Deployment) -> Iterator[None]:
    """Store a digest that a graphics card tries by the billion."""
    (row,) = execute(demo, "SELECT password_hash FROM users WHERE username = 'test_b'")
    hashed = (
        "UPDATE users SET password_hash = 'sha256$' || encode(sha256('x'), 'hex') WHERE username = 'test_b'"
    )
    with undone(demo, hashed, f"UPDATE users SET password_hash = '{row[0]}' WHERE username = 'test_b'"):
        yield


@contextmanager
def rule(demo: Deployment, line: str) -> Iterator[None]:
    """Add a line to the rules of who may connect."""
    with configured(demo, "pg_hba.conf", (LAST_RULE, f"{LAST_RULE}{line}\n")):
        yield


@fault(ACCESS, "the rules let in every address", probes=SERVER)
@contextmanager
def everywhere(demo: Deployment) -> Iterator[None]:
    """Let the whole world try passwords."""
    with rule(demo, "host all all 0.0.0.0/0 scram-sha-256"):
        yield


@fault(ACCESS, "every address of the other family is let in, over TLS", probes=SERVER)
@contextmanager
def everywhere_six(demo: Deployment) -> Iterator[None]:
    """Forget that the server has IPv6."""
    with rule(demo, "hostssl tokens token_app ::/0 scram-sha-256"):
        yield


@fault(ACCESS, "containers are trusted", probes=SERVER)
@contextmanager
def bridge(demo: Deployment) -> Iterator[None]:
    """Trust whatever runs on the bridge."""
    with rule(demo, "host all all 172.18.0.0/16 trust"):
        yield


@fault(ACCESS, "the server's own users are trusted", probes=SERVER)
@contextmanager
def socket_trust(demo: Deployment) -> Iterator[None]:
    """Let every user of the machine be the superuser."""
    with rule(demo, "local all all trust"):
        yield


@fault(ACCESS, "the rules have an error", probes=SERVER)
@contextmanager
def broken_rules(demo: Deployment) -> Iterator[None]:
    """Misspell a method: the server goes on with the rules that it had."""
    with edited(
        demo.world.path("postgres", "pg_hba.conf"), (LAST_RULE, f"{LAST_RULE}host all all all scrum\n")
    ):
        demo.reload("postgres")
        yield
    reload(demo)


@fault(ACCESS, "the rules were changed and not loaded", probes=SERVER)
@contextmanager
def not_loaded(demo: Deployment) -> Iterator[None]:
    """Close a hole in the file alone."""
    file = demo.world.path("postgres", "pg_hba.conf")
    with edited(file, (LAST_RULE, f"# nothing else\n{LAST_RULE}")):
        os.utime(file, (time.time() + 2, time.time() + 2))
        yield
    reload(demo)


@fault(ACCESS, "the application is a superuser", probes=SERVER)
@contextmanager
def superuser(demo: Deployment) -> Iterator[None]:
    """Make the application's role one that may do anything."""
    with undone(demo, "ALTER ROLE token_app SUPERUSER", "ALTER ROLE token_app NOSUPERUSER", "postgres"):
        yield


@fault(ACCESS, "the application may become stronger", probes=SERVER)
@contextmanager
def member(demo: Deployment) -> Iterator[None]:
    """Let the application run programs on the server."""
    grant, revoke = "GRANT {} TO token_app", "REVOKE {} FROM token_app"
    role = "pg_execute_server_program"
    with undone(demo, grant.format(role), revoke.format(role), "postgres"):
        yield


@fault(ACCESS, "the application may create in public", probes=SERVER)
@contextmanager
def creates(demo: Deployment) -> Iterator[None]:
    """Grant what the migrations failed without."""
    grant, revoke = (
        "GRANT CREATE ON SCHEMA public TO token_app",
        "REVOKE CREATE ON SCHEMA public FROM token_app",
    )
    with undone(demo, grant, revoke, "postgres"):
        yield


@fault(ACCESS, "somebody is connected without TLS", probes=SERVER, needs=("wall",))
@contextmanager
def plain_session(demo: Deployment) -> Iterator[None]:
    """Keep the session of a report that was let in from another address, and not asked for TLS."""
    address = wall.links(demo.world)[0][0].partition("/")[0]
    listen = "listen_addresses = '127.0.0.1'"
    added = f"{LAST_RULE}host tokens token_owner {address}/32 scram-sha-256\n"
    conf, rules = demo.world.path("postgres", "postgresql.conf"), demo.world.path("postgres", "pg_hba.conf")
    dsn = postgres.dsn(demo.world, "token_owner").replace("@127.0.0.1:", f"@{address}:")
    try:
        with edited(conf, (listen, f"listen_addresses = '127.0.0.1,{address}'")):
            with edited(rules, (LAST_RULE, added)):
                demo.restart("postgres")
                report = psycopg.connect(dsn, sslmode="disable")
            reload(demo)  # the rule is gone, the session is not
            with report:
                yield
    finally:
        demo.restart("postgres")
        until_well(demo)


@fault(
    ACCESS, "the edge is in the database's network", probes=("db_containers",), needs=("containers", "server")
)
@contextmanager
def shared_network(demo: Deployment) -> Iterator[None]:
    """Join the database to the edge's network, to try something out."""
    words = ("token-service_edge", "token-service-postgres-1")
    project.docker(demo.world, "network", "connect", *words)
    try:
        yield
    finally:
        project.docker(demo.world, "network", "disconnect", *words)


@fault(
    ACCESS, "the database's port is open to the public", probes=("ports",), also=(FIREWALL,), needs=("wall",)
)
@contextmanager
def db_port(demo: Deployment) -> Iterator[None]:
    """Open the port, to let an analyst in from home."""
    with walled(demo, ("elements = { 22, 80, 443 }", "elements = { 22, 80, 443, 5432 }")):
        yield


@fault(
    REDIS, "the cache has no password", probes=("redis", "redis_host", "default_logins"), also=(PASSWORDS,)
)
@contextmanager
def no_password(demo: Deployment) -> Iterator[None]:
    """Start without requirepass."""
    with recached(demo, (f"requirepass {demo.world.secret('redis_password')}\n", "")):
        yield


@fault(REDIS, "a guest needs no password", probes=("redis",))
@contextmanager
def guest(demo: Deployment) -> Iterator[None]:
    """Make a user for a quick look, who may do anything."""
    cache(demo, "ACL", "SETUSER", "guest", "on", "nopass", "~*", "+@all")
    try:
        yield
    finally:
        cache(demo, "ACL", "DELUSER", "guest")


@fault(REDIS, "the password was set at run time only", probes=("redis", "redis_host"), needs=("server",))
@contextmanager
def run_time(demo: Deployment) -> Iterator[None]:
    """Set the password by CONFIG SET; the next restart forgets it."""
    password = demo.world.secret("redis_password")
    with recached(demo, (f"requirepass {password}\n", "")):
        cache(demo, "CONFIG", "SET", "requirepass", password, password="")
        yield


@fault(REDIS, "the application does not know the password", probes=("redis_host",), needs=("server",))
@contextmanager
def unknown(demo: Deployment) -> Iterator[None]:
    """Change the password in the file only."""
    with in_env(demo, REDIS_PASSWORD="x" + env_value(demo, "REDIS_PASSWORD")[1:]):
        yield


@fault(REDIS, "the password is weak", probes=("redis",))
@contextmanager
def weak(demo: Deployment) -> Iterator[None]:
    """Use, and declare, a password that is in every list."""
    password, url = demo.world.secret("redis_password"), demo.world.path("secrets", "redis_url")
    cache(demo, "CONFIG", "SET", "requirepass", "foobared")
    try:
        with edited(url, (password, "foobared")):
            yield
    finally:
        cache(demo, "CONFIG", "SET", "requirepass", password, password="foobared")


@fault(REDIS, "the cache's port is open to the public", probes=("ports",), also=(FIREWALL,), needs=("wall",))
@contextmanager
def cache_port(demo: Deployment) -> Iterator[None]:
    """Open the port, since the password is a good one."""
    with walled(demo, ("elements = { 22, 80, 443 }", "elements = { 22, 80, 443, 6379 }")):
        yield
