"""Faults of Environment Configuration: the database's credentials."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from pytest_deploycheck.demo import postgres, schema
from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.database_tools import APP_RULE, configured, env_value, in_env, undone
from tests.faults.functional import execute
from tests.faults.harness import fault

PASSWORD = "pre_deploy.environment.db_password"
ALL = "pre_deploy.security.passwords"
ACCESS = "pre_deploy.security.db_access"
LOGINS = ("db_logins",)
NEEDS = ("server",)


@fault(PASSWORD, "any password is right", probes=("db_logins", "db_server"), also=(ALL, ACCESS), needs=NEEDS)
@contextmanager
def trusted(demo: Deployment) -> Iterator[None]:
    """Trust whoever says that it is the application."""
    with configured(demo, "pg_hba.conf", (APP_RULE, APP_RULE.replace("scram-sha-256", "trust"))):
        yield


@fault(PASSWORD, "the volume keeps the password postgres", probes=LOGINS, also=(ALL,), needs=NEEDS)
@contextmanager
def old_volume(demo: Deployment) -> Iterator[None]:
    """Leave the live password what it was when the volume was made; the strong one in .env is not it."""
    execute(demo, "ALTER ROLE token_app PASSWORD 'postgres'", role="postgres")
    try:
        yield
    finally:
        schema.roles(demo.world)


@fault(PASSWORD, "the superuser's password is postgres", probes=LOGINS, also=(ALL,), needs=NEEDS)
@contextmanager
def superuser(demo: Deployment) -> Iterator[None]:
    """Give the role postgres the password of every tutorial."""
    secret = demo.world.secret("db_superuser_password")
    execute(demo, "ALTER ROLE postgres PASSWORD 'postgres'", role="postgres")
    try:
        yield
    finally:
        dsn = postgres.dsn(demo.world, "postgres").replace(secret, "postgres")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE postgres PASSWORD '{secret}'".encode())


@fault(
    PASSWORD, "the .env file has a password that is not the live one", probes=LOGINS, also=(ALL,), needs=NEEDS
)
@contextmanager
def not_live(demo: Deployment) -> Iterator[None]:
    """Change the password in the file only."""
    live = demo.world.secret("db_app_password")
    with in_env(demo, DATABASE_URL=env_value(demo, "DATABASE_URL").replace(live, "x" + live[1:])):
        yield


@fault(PASSWORD, "the password is a word and a year", probes=("passwords",), also=(ALL,), needs=NEEDS)
@contextmanager
def weak(demo: Deployment) -> Iterator[None]:
    """Write a password that a person would remember."""
    live = demo.world.secret("db_app_password")
    with in_env(demo, DATABASE_URL=env_value(demo, "DATABASE_URL").replace(live, "Warehouse2026!")):
        yield


@fault(
    PASSWORD, "the password is long and about the product", probes=("passwords",), also=(ALL,), needs=NEEDS
)
@contextmanager
def about(demo: Deployment) -> Iterator[None]:
    """Write the role's own name into an otherwise random password."""
    live = demo.world.secret("db_app_password")
    with in_env(demo, DATABASE_URL=env_value(demo, "DATABASE_URL").replace(live, f"token_app-{live}")):
        yield


@fault(PASSWORD, "the password stands on a command line", probes=("passwords",), also=(ALL,), needs=NEEDS)
@contextmanager
def shown(demo: Deployment) -> Iterator[None]:
    """Run a worker that gets the address of the database as an argument."""
    words = [sys.executable, "-c", "import time; time.sleep(60)", env_value(demo, "DATABASE_URL")]
    with subprocess.Popen(words) as worker:
        try:
            yield
        finally:
            worker.kill()


@fault(PASSWORD, "a role's password is stored as MD5", probes=("db_server",), needs=NEEDS)
@contextmanager
def md5(demo: Deployment) -> Iterator[None]:
    """Keep a hash from before an upgrade."""
    statement = (
        "SET password_encryption = 'md5'; ALTER ROLE token_owner PASSWORD 'an-old-password-of-the-owner'"
    )
    execute(demo, statement, role="postgres")
    try:
        yield
    finally:
        schema.roles(demo.world)


@fault(PASSWORD, "new passwords would be stored as MD5", probes=("db_server",), needs=NEEDS)
@contextmanager
def md5_next(demo: Deployment) -> Iterator[None]:
    """Set password_encryption back, as for an old driver."""
    now = "password_encryption = 'scram-sha-256'"
    with configured(demo, "postgresql.conf", (now, "password_encryption = 'md5'")):
        yield


@fault(PASSWORD, "the role has no password at all", probes=LOGINS, also=(ALL,), needs=NEEDS)
@contextmanager
def none(demo: Deployment) -> Iterator[None]:
    """Take the role's password away: the one in the file opens nothing any more."""
    try:
        with undone(demo, "ALTER ROLE token_app PASSWORD NULL", "SELECT 1", "postgres"):
            yield
    finally:
        schema.roles(demo.world)
