"""Compose files and environment files: which services there are, and which keys the application reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_deploycheck.init.found import Found

COMPOSE = (
    *("compose.prod.yaml", "compose.prod.yml", "compose.production.yaml", "compose.production.yml"),
    *("docker-compose.prod.yml", "docker-compose.prod.yaml", "docker-compose.production.yml"),
    *("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"),
)
TEMPLATES = (
    ".env.production",
    ".env.production.example",
    ".env.prod.example",
    ".env.example",
    ".env.template",
)
_IMAGES = {
    "db": re.compile(r"postgres|timescale|postgis"),
    "redis": re.compile(r"redis|valkey|keydb|dragonfly"),
    "prometheus": re.compile(r"prom/prometheus|/prometheus\b"),
    "alertmanager": re.compile(r"alertmanager"),
    "grafana": re.compile(r"grafana/grafana"),
    "logs": re.compile(r"grafana/loki"),
    "edge": re.compile(r"\bnginx|caddy|traefik|haproxy"),
}
_KEYS: Mapping[str, tuple[str, ...]] = {
    "db_password_key": ("DATABASE_URL", "DB_URL", "POSTGRES_URL", "DB_PASSWORD", "POSTGRES_PASSWORD"),
    "redis_password_key": ("REDIS_PASSWORD", "REDIS_URL", "VALKEY_PASSWORD"),
    "jwt_secret_key": ("JWT_SECRET", "JWT_SECRET_KEY", "SECRET_KEY", "AUTH_SECRET"),
    "signer_key": ("PRIVATE_KEY", "SIGNER_PRIVATE_KEY", "ETH_PRIVATE_KEY", "WALLET_PRIVATE_KEY"),
    "rpc_url_key": ("ETHEREUM_RPC_URL", "RPC_URL", "ETH_RPC_URL", "WEB3_PROVIDER_URL"),
    "cors_key": ("CORS_ORIGINS", "ALLOWED_ORIGINS", "CORS_ALLOWED_ORIGINS"),
    "dsn_key": ("SENTRY_DSN", "ERROR_TRACKER_DSN"),
}
_PLACEHOLDER = re.compile(r"example|your-?|<|\$|localhost|\.(test|local|invalid)\b", re.IGNORECASE)
_URLS = ("PUBLIC_URL", "BASE_URL", "API_URL", "APP_URL", "SITE_URL", "API_BASE_URL")


def read(root: Path, found: Found) -> None:
    """Read the compose file of production, and the template of the environment file."""
    compose = next((root / name for name in COMPOSE if (root / name).is_file()), None)
    if compose is None:
        found.unsure.append("no compose file was found; name the services in [docker] if there is one")
    else:
        _compose(compose, root, found)
    template = next((root / name for name in TEMPLATES if (root / name).is_file()), None)
    if template is None:
        found.unsure.append("no .env template was found; set env.template")
    else:
        _template(template, found)


def _compose(path: Path, root: Path, found: Found) -> None:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        found.unsure.append(f"{path.name} cannot be read: {str(error).splitlines()[0]}")
        return
    services = values.get("services") if isinstance(values, dict) else None
    if not isinstance(services, dict):
        found.unsure.append(f"{path.name} has no services")
        return
    found.notes.append(f"{path.name}: {len(services)} services ({', '.join(services)})")
    project = values.get("name") or re.sub(r"[^a-z0-9_-]", "", root.resolve().name.lower())
    found.put("docker", "project", project, path.name)
    found.put("docker", "compose_files", [path.name], path.name, guess=True)
    found.put(
        "docker", "oneshot", [name for name, one in services.items() if _runs_once(name, one)], path.name
    )
    for name, service in services.items():
        image = str((service or {}).get("image", "")) or str(name)
        for section, pattern in _IMAGES.items():
            if pattern.search(image):
                _service(section, str(name), service or {}, path.name, found)
    for place in _env_files(services):
        found.put(
            "env",
            "path",
            place if place.startswith("/") else f"/srv/{project}/{place}",
            path.name,
            guess=not place.startswith("/"),
        )


def _runs_once(name: str, service: Any) -> bool:
    return "migrat" in name or (isinstance(service, dict) and service.get("restart") in ("no", False))


def _env_files(services: Mapping[str, Any]) -> Iterator[str]:
    for service in services.values():
        files = (service or {}).get("env_file", [])
        for one in [files] if isinstance(files, str | dict) else files:
            yield str(one.get("path", "") if isinstance(one, dict) else one).removeprefix("./")


def _service(section: str, name: str, service: Mapping[str, Any], origin: str, found: Found) -> None:
    """Note a section for a server of the stack; where it answers from outside only its ports tell."""
    if section == "db":
        found.put("db", "dsn", {"env": "DEPLOYCHECK_DB_DSN"}, origin)
    elif section == "redis":
        found.put("redis", "url", {"env": "DEPLOYCHECK_REDIS_URL"}, origin)
    elif section == "edge":
        found.notes.append(f"{origin}: the edge is {name}")
        if "nginx" in str(service.get("image", name)):
            found.put(
                "edge", "dump_command", f"docker exec {service.get('container_name', name)} nginx -T", origin
            )
    else:
        ports = {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000, "logs": 3100}
        found.put(section, "url", f"http://{name}:{ports[section]}", origin, guess=True)
        found.unsure.append(f"{section}: where does {name} answer from the machine that runs the checks?")


def _template(path: Path, found: Found) -> None:
    keys: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, equals, value = line.partition("=")
        if equals and re.fullmatch(r"(export )?[A-Za-z_]\w*", name.strip()):
            keys[name.strip().removeprefix("export ")] = value.strip().strip("\"'")
    found.notes.append(f"{path.name}: {len(keys)} keys")
    found.put("env", "template", f"../{path.name}", path.name)
    for key, names in _KEYS.items():
        used = next((one for one in names if one in keys), "")
        if used not in ("", names[0]):
            found.put("env", key, used, path.name)
        if key == "rpc_url_key" and used:
            found.put("rpc", "url", {"env": "DEPLOYCHECK_RPC_URL"}, path.name)
        if key == "jwt_secret_key" and used:
            found.put("auth", "jwt_secret", {"env": "DEPLOYCHECK_JWT_SECRET"}, path.name)
    for name in _URLS:
        if keys.get(name, "").startswith("https://") and not _PLACEHOLDER.search(keys[name]):
            found.put("target", "base_url", keys[name].rstrip("/"), f"{path.name} ({name})")
    if keys.get("CHAIN_ID", "").isdigit():
        found.put("contract", "chain_id", int(keys["CHAIN_ID"]), path.name)
