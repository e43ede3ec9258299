"""Faults of Functional Testing: health and authentication, and helpers that its other faults use."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from pytest_deploycheck.demo import postgres
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.units import healthy
from tests.faults.harness import fault
from tests.faults.tools import reloaded, stopped, switched

HEALTH = "post_deploy.functional.health"
AUTH = "post_deploy.functional.auth"
_ANCHOR = "        # Replaced, never appended to:"


@contextmanager
def served(demo: Deployment, path: str, location: str) -> Iterator[None]:
    """Let nginx answer a path by the directives of its own location."""
    change = (_ANCHOR, f"        location = {path} {{ {location} }}\n{_ANCHOR}")
    with reloaded(demo, "nginx", demo.world.path("nginx", "nginx.conf"), change):
        yield


@contextmanager
def answered(demo: Deployment, path: str, status: int, body: Any) -> Iterator[None]:
    """Let nginx answer a path by itself, with a status and a JSON body."""
    text = json.dumps(body).replace("'", "\\'")
    with served(demo, path, f"default_type application/json; return {status} '{text}';"):
        yield


@contextmanager
def down(demo: Deployment, name: str) -> Iterator[None]:
    """Stop a server; afterwards wait until the service has found it again."""
    try:
        with stopped(demo, name):
            yield
    finally:
        until_well(demo)


def until_well(demo: Deployment) -> None:
    """Wait until both instances are healthy, as seen by several answers in a row."""
    good, until = 0, time.monotonic() + 15
    while good < 4:
        try:
            good = good + 1 if healthy(demo.world)["http_status"] == 200 else 0
        except OSError:
            good = 0
        assert time.monotonic() < until, "the deployment did not recover from the fault"
        time.sleep(0.02)


@contextmanager
def bug(demo: Deployment, **switches: Any) -> Iterator[None]:
    """Turn on bug switches of the app; afterwards wait until it is well again."""
    with switched(demo, **switches):
        yield
    until_well(demo)


def execute(demo: Deployment, *statements: str, role: str = "token_owner") -> list[Any]:
    """Run statements in the database; the rows of the last one that gives any."""
    found: list[Any] = []
    with psycopg.connect(postgres.dsn(demo.world, role), autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
            found = cursor.fetchall() if cursor.description else found
    return found


@fault(HEALTH, "PostgreSQL is stopped", probes=("health",), also=("deploy.database.connection",))
@contextmanager
def postgres_stopped(demo: Deployment) -> Iterator[None]:
    """Stop the database under a deep health check."""
    with down(demo, "postgres"):
        yield


@fault(HEALTH, "Valkey is stopped", probes=("health",))
@contextmanager
def valkey_stopped(demo: Deployment) -> Iterator[None]:
    """Stop the cache under a deep health check."""
    with down(demo, "valkey"):
        yield


@fault(HEALTH, "the RPC endpoint is dead", probes=("health",))
@contextmanager
def rpc_dead(demo: Deployment) -> Iterator[None]:
    """Point the app to a port where no node listens."""
    with bug(demo, rpc_url="http://127.0.0.1:9"):
        yield


@fault(HEALTH, "degraded but 200", probes=("health",))
@contextmanager
def degraded_200(demo: Deployment) -> Iterator[None]:
    """Let the app say degraded with status 200."""
    with bug(demo, health_degraded_200=True):
        yield


@fault(HEALTH, "nginx answers a static 200", probes=("health",))
@contextmanager
def static_200(demo: Deployment) -> Iterator[None]:
    """Answer health at the edge, whatever is behind it."""
    with served(demo, "/health", "default_type text/plain; return 200 'OK';"):
        yield


@fault(HEALTH, "nginx answers a static JSON", probes=("health",))
@contextmanager
def static_json(demo: Deployment) -> Iterator[None]:
    """Answer health at the edge with a copy of a good answer, components and all."""
    copy = {**healthy(demo.world), "timestamp": "2026-01-01T00:00:00+00:00"}
    with answered(demo, "/health", 200, copy):
        yield


@fault(HEALTH, "nginx answers ok without looking", probes=("health",))
@contextmanager
def shallow_json(demo: Deployment) -> Iterator[None]:
    """Answer health at the edge with the word alone."""
    with answered(demo, "/health", 200, {"status": "ok"}):
        yield


@fault(HEALTH, "nginx caches it silently", probes=("health",), limits={"health_max_age_s": 0.5})
@contextmanager
def cached(demo: Deployment) -> Iterator[None]:
    """Let nginx keep the answer under the path alone, and say nothing of that."""
    config = demo.world.path("nginx", "nginx.conf")
    folder = demo.world.path("nginx", "cache")
    zone = (
        "    server_tokens off;\n    default_type",
        f"    server_tokens off;\n    proxy_cache_path {folder} keys_zone=health:1m;\n    default_type",
    )
    rule = (
        "proxy_pass http://app; proxy_cache health; proxy_cache_key $uri; proxy_cache_valid 200 1m; "
        "proxy_ignore_headers Cache-Control;"
    )
    location = (_ANCHOR, f"        location = /health {{ {rule} }}\n{_ANCHOR}")
    with reloaded(demo, "nginx", config, zone, location):
        healthy(demo.world)
        time.sleep(0.6)
        yield


@fault(HEALTH, "an old answer with an Age", probes=("health",))
@contextmanager
def stale(demo: Deployment) -> Iterator[None]:
    """Let the app answer as a cache on the way would."""
    with bug(demo, health_stale=True):
        yield


@fault(HEALTH, "it shows addresses and a stack trace", probes=("health",))
@contextmanager
def leaks(demo: Deployment) -> Iterator[None]:
    """Let the app tell of its inside."""
    with bug(demo, health_leaks=True):
        yield


@fault(HEALTH, "one instance is of another release", probes=("health",))
@contextmanager
def instance_left_behind(demo: Deployment) -> Iterator[None]:
    """Let every other version answer be that of the release before."""
    behind = '{"version":"1.4.1"}'
    choose = f"if ($connection_requests ~ [37]$) {{ return 200 '{behind}'; }} proxy_pass http://app;"
    with served(demo, "/version", choose):
        yield


@fault(HEALTH, "another commit under the same version", probes=("health",), also=("deploy.code.main",))
@contextmanager
def rebuilt(demo: Deployment) -> Iterator[None]:
    """Run a build that nobody released."""
    with answered(demo, "/version", 200, {"version": demo.world.release.version, "commit": "f00dfeed"}):
        yield


@fault(HEALTH, "it is slow", probes=("health",), limits={"health_samples": 1})
@contextmanager
def slow(demo: Deployment) -> Iterator[None]:
    """Let health take longer than the demo's limit."""
    with bug(demo, slow_routes={"/health": 2.5}):
        yield


@fault(HEALTH, "the route is gone", probes=("health",))
@contextmanager
def route_gone(demo: Deployment) -> Iterator[None]:
    """Answer 404, as after a change of prefix; the gate stays open."""
    with bug(demo, fast_404=["/health"]):
        yield


@fault(AUTH, "alg none is accepted", probes=("auth",))
@contextmanager
def alg_none(demo: Deployment) -> Iterator[None]:
    """Let anybody write a token."""
    with bug(demo, accept_alg_none=True):
        yield


@fault(AUTH, "expired tokens are accepted", probes=("auth",))
@contextmanager
def ignores_exp(demo: Deployment) -> Iterator[None]:
    """Let a token live for ever."""
    with bug(demo, ignore_exp=True):
        yield


@fault(AUTH, "signatures are not checked", probes=("auth",))
@contextmanager
def ignores_signature(demo: Deployment) -> Iterator[None]:
    """Let a token be changed."""
    with bug(demo, ignore_signature=True):
        yield


@fault(AUTH, "a bad token ends in 500", probes=("auth",))
@contextmanager
def bad_token_500(demo: Deployment) -> Iterator[None]:
    """Refuse by accident instead of by intent."""
    with bug(demo, bad_token_500=True):
        yield


@fault(AUTH, "a login tells who exists", probes=("auth",))
@contextmanager
def enumeration(demo: Deployment) -> Iterator[None]:
    """Answer differently for a user who does not exist."""
    with bug(demo, login_enumeration=True):
        yield


@fault(AUTH, "refresh tokens do not rotate", probes=("auth",))
@contextmanager
def no_rotation(demo: Deployment) -> Iterator[None]:
    """Hand the same refresh token back."""
    with bug(demo, no_rotation=True):
        yield


@fault(AUTH, "old refresh tokens stay alive", probes=("auth",))
@contextmanager
def old_refresh_alive(demo: Deployment) -> Iterator[None]:
    """Rotate, but lose the revocation of the old one."""
    execute(
        demo,
        "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.revoked_at := NULL; RETURN NEW; END $$",
        "CREATE TRIGGER forget BEFORE UPDATE ON refresh_tokens FOR EACH ROW EXECUTE FUNCTION forget()",
    )
    try:
        yield
    finally:
        execute(demo, "DROP TRIGGER forget ON refresh_tokens", "DROP FUNCTION forget()")


@fault(AUTH, "a logout revokes nothing", probes=("auth",))
@contextmanager
def logout_forgets(demo: Deployment) -> Iterator[None]:
    """Say goodbye and keep the session."""
    with bug(demo, logout_forgets=True):
        yield


@fault(AUTH, "everything is refused", probes=("auth",))
@contextmanager
def refuses_all(demo: Deployment) -> Iterator[None]:
    """Answer 401 to everybody, which every negative test likes."""
    with bug(demo, refuse_all=True):
        yield


@fault(AUTH, "the token is of no use", probes=("auth",))
@contextmanager
def token_useless(demo: Deployment) -> Iterator[None]:
    """Log in well, and refuse every token at the edge."""
    with served(demo, "/me", "return 401;"):
        yield


@fault(AUTH, "another algorithm than agreed", probes=("auth",))
@contextmanager
def other_algorithm(demo: Deployment) -> Iterator[None]:
    """Sign with RS256 where HS256 was agreed."""
    with bug(demo, jwt_alg="RS256"):
        yield


@fault(AUTH, "the account route needs no token", probes=("auth",))
@contextmanager
def unguarded(demo: Deployment) -> Iterator[None]:
    """Leave out the guard of one route."""
    with bug(demo, unguarded=["/me"]):
        yield


@fault(AUTH, "the account route shows another account", probes=("auth",))
@contextmanager
def other_account(demo: Deployment) -> Iterator[None]:
    """Serve one user's data to all, as a shared cache does."""
    with answered(demo, "/me", 200, {"id": 9, "username": "somebody", "role": "user"}):
        yield


@fault(AUTH, "the login is gone", probes=("auth",))
@contextmanager
def login_gone(demo: Deployment) -> Iterator[None]:
    """Answer 404 to logins."""
    with bug(demo, fast_404=["/auth/login"]):
        yield
