"""DIR/target.toml: the deployment as the suites are told about it; secrets are references to DIR/secrets."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import certs, postgres, reports, valkey
from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.world import World

# A demonstration cannot wait for an hour of history: windows and counts are shortened, what is compared with
# them is not. The exception is the host: it is a laptop or a CI runner that others use meanwhile, so that its
# processors say nothing about the deployment; its containers are held to the same limits as anywhere.
LIMITS: dict[str, float] = {
    "latency_samples": 5,
    "latency_interval_s": 0.2,
    "latency_window_s": 10,
    "load_min_duration_s": 2,
    "load_critical_min": 10,
    "resource_window_s": 8,
    "resource_rate_s": 4,
    "resource_min_span_s": 3,
    "trend_window_s": 12,
    "memory_projection_s": 48,
    "memory_oom_window_s": 15,
    "cpu_sustained_s": 3,
    "cpu_busy_max": 1.0,
    "cpu_load_max": 1000,
    "cpu_iowait_max": 1.0,
    "cpu_steal_max": 1.0,
    "db_stats_min_age_s": 4,
    "db_stats_interval_s": 1.8,
    "db_min_calls": 5,
    "db_recent_min_calls": 2,
    "authz_max_rps": 500,
    "health_interval_s": 0.2,
    # Forty probes and all servers share the machine's two cores.
    "health_p95_s": 1.5,
    "chain_interval_s": 1.2,
    "chain_scrape_wait_s": 5,
    "token_records": 40,
    "db_window_min_s": 2,
    "db_window_s": 8,
    "prom_window_s": 6,
    "prom_movement_s": 4,
    "prom_up_min": 0.6,
    "prom_scrape_age_factor": 8,
    "rules_age_factor": 8,
    "grafana_window_s": 120,
    "logs_round_trip_s": 8,
    "logs_lines_max": 4000,
    # The silence between two runs in the same folder is none of the log's.
    "logs_gap_window_s": 36,
    "logs_gap_max_s": 30,
    "logs_newest_max_s": 10,
    "logs_drop_window_s": 30,
    "errors_read_back_s": 8,
    "uptime_age_factor": 8,
    # Its windows are of two seconds, so that a burst is over soon.
    "rate_login_per_min_max": 300,
    "rate_general_per_min_max": 900,
}


def write(world: World, running: Collection[str], absent: Mapping[str, str]) -> Path:
    """Write the file for the units that run; `absent` names those that this machine cannot, and why."""
    lines = [
        "# The reference deployment in this folder. Written at start; edit a copy.",
        *(f"# Not running here: {unit}: {' '.join(reason.split())}" for unit, reason in absent.items()),
    ]
    for name, values in sections(world, running).items():
        lines += ["", *_section(name, values)]
    path = world.path("target.toml")
    path.write_text("\n".join(lines) + "\n")
    return path


def sections(world: World, running: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return every section of the file, each a mapping of plain values.

    A unit's module adds its own by `target_sections(world)`: sections, or keys of sections that there are.
    """
    release = world.release
    found: dict[str, dict[str, Any]] = {
        "target": {
            "name": "demo",
            "environment": "demo",
            "base_url": world.url("edge"),
            "ca_file": str(certs.Files.of(world).ca.relative_to(world.dir)),
            "allow": ["burst", "load", "canary", "negative-writes"],
        },
        "release": {
            "version": release.version,
            "commit": release.commit,
            "deployed_at": release.deployed_at,
            "go_live_at": release.deployed_at,
            "deployed_by": "devops@token.test",
            "authors": ["backend@token.test"],
            "images": reports.images(world),
        },
        "health": {"components": ["db", "redis", "rpc", "queue"]},
        "auth": {
            "alg": ["HS256"],
            "jwt_secret": _secret("jwt_secret"),
            "test_account": _account("test", "test_account_password"),
            "test_account_b": _account("test_b", "test_account_b_password"),
            "canary_account": _account("canary", "canary_account_password"),
            "admin_account": _account("admin", "admin_account_password"),
            "public_ops": [
                "GET /health",
                "GET /health/live",
                "GET /version",
                "GET /config",
                "GET /openapi.json",
                "GET /docs",
                "GET /token",
                "GET /token/quote",
                "GET /chain",
                "POST /auth/login",
                "POST /auth/refresh",
            ],
            "admin_ops": ["GET /admin/users", "GET /debug/error"],
            "object_ops": [
                "GET /wallets/{id}",
                "GET /wallets/{id}/history",
                "POST /wallets/{id}/withdrawal-quote",
            ],
        },
        "api": {"test_error_path": "/debug/error", "docs_path": "/docs", "admin_documented": True},
        "db": {
            "dsn": _derived(world, "db_dsn", postgres.dsn(world, "deploycheck")),
            "business_tables": ["purchases", "redemptions", "wallets"],
        },
        "redis": {
            "url": _derived(world, "redis_url", valkey.url(world)),
            "config_files": [str(world.path("valkey", "valkey.conf"))],
        },
        "rpc": {"url": _derived(world, "rpc_url", world.url("rpc"))},
        "contract": {
            "address": deploy.token_address(world),
            "chain_id": deploy.CHAIN_ID,
            "artifact": "contract/Token.json",
        },
        "headers": {"hsts_subdomains": True},
        "rate": {
            "policies": [
                {
                    "route": "/token/quote",
                    "method": "GET",
                    "limit": 20,
                    "window_s": 2,
                    "key": "ip",
                    "by": "app",
                },
                {
                    "route": "/auth/login",
                    "method": "POST",
                    "limit": 10,
                    "window_s": 2,
                    "key": "ip",
                    "by": "app",
                },
                {"route": "/docs", "method": "GET", "limit": 15, "window_s": 1, "key": "ip", "by": "edge"},
            ],
            "store_key": "REDIS_URL",
        },
        "env": {"path": str(world.path("app", ".env"))},
        "lb": {"mode": "multi"},
        "edge": {"pid_file": str(world.path("nginx", "nginx.pid"))},
        "perf": {
            "endpoints": [
                *("/health", "/health/live", "/version", "/openapi.json", "/me", "/wallet", "/transactions"),
                *("/token", "/token/quote?tokens=1", "/chain"),
            ],
            "containers": ["app1", "app2", "nginx", "postgres", "valkey", "rpc"],
        },
        "limits": LIMITS,
        **(_monitoring(world) if "standins" in running else {}),
    }
    for module in _modules(running):
        for name, values in module.target_sections(world).items():
            found[name] = {**found.get(name, {}), **values}
    return found


def _modules(running: Collection[str]) -> list[Any]:
    """Return the modules of the running units that have something to say in the target file themselves."""
    from pytest_deploycheck.demo.units import UNITS

    modules = [unit.load() for unit in UNITS if unit.name in running and unit.module]
    return [module for module in modules if hasattr(module, "target_sections")]


def _monitoring(world: World) -> dict[str, dict[str, Any]]:
    from pytest_deploycheck.demo import monitoring

    return monitoring.target_sections(world)


def _secret(name: str) -> dict[str, str]:
    return {"file": f"secrets/{name}"}


def _derived(world: World, name: str, value: str) -> dict[str, str]:
    """Keep an address that holds a password beside the secrets."""
    path = world.path("secrets", name)
    path.touch(mode=0o600)
    path.write_text(value)
    return _secret(name)


def _account(username: str, secret: str) -> dict[str, Any]:
    return {"username": username, "password": _secret(secret)}


def _section(name: str, values: Mapping[str, Any]) -> list[str]:
    return [f"[{name}]", *(f"{_key(key)} = {_toml(value)}" for key, value in values.items())]


def _toml(value: Any) -> str:
    """Write a value as TOML; strings as JSON has them, which is a basic string."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list | tuple):
        if any(isinstance(entry, Mapping) for entry in value):
            return "[\n" + "".join(f"  {_toml(entry)},\n" for entry in value) + "]"
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, Path):
        return json.dumps(str(value))
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else json.dumps(name)
