"""`targets/prod.toml`: the lines that matter, each with where it comes from; guesses and gaps as comments."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_deploycheck.init.found import Found, Value

_HEAD = """\
# What `deploycheck init` found in this project. Secrets are references; a line that begins with "# ?" is a guess:
# look at it, and take the mark away. Every key is in docs/reference.md of pytest-deploycheck.
"""
_ORDER = (
    *(
        "target",
        "release",
        "health",
        "auth",
        "env",
        "cors",
        "rate",
        "host",
        "docker",
        "edge",
        "lb",
        "net",
        "dns",
    ),
    *(
        "db",
        "migrations",
        "backup",
        "redis",
        "rpc",
        "contract",
        "signer",
        "explorer",
        "prometheus",
        "alertmanager",
    ),
    *("grafana", "logs", "errors", "uptime", "repo", "ci", "reports", "claims", "ledger"),
)
# What a section needs that no file can tell, with an example to complete.
_ASK: Mapping[str, tuple[str, ...]] = {
    "host": ('uri = "ssh://deploy@YOUR-SERVER"',),
    "net": ('vantage = "local://"   # when the runner is outside of the server\'s network',),
    "dns": ('expected_ips = ["203.0.113.10"]',),
    "auth": (
        'test_account = { username = "deploycheck", password = { env = "DEPLOYCHECK_TEST_PASSWORD" } }',
    ),
    "db": ('business_tables = ["purchases", "redemptions"]',),
    "rate": ('policies = [{ route = "/auth/login", method = "POST", limit = 10, window_s = 60 }]',),
    "signer": ('address = "0x…"',),
    "backup": ('tool = "pgbackrest"', 'stanza = "main"', 'repos = [{ name = "near", location = "1" }]'),
    "prometheus": ("jobs = { app = 1 }",),
    "grafana": ('token = { env = "DEPLOYCHECK_GRAFANA_TOKEN" }', "dashboards = []"),
    "logs": ('services = ["app"]',),
}


def render(found: Found) -> str:
    """Return the file; sections of which nothing certain is known are comments as a whole."""
    lines = [_HEAD]
    for section in _ORDER:
        values = {key: value for (name, key), value in found.values.items() if name == section}
        if values or section in _ASK:
            lines += [*_section(section, values), ""]
    return "\n".join(lines)


def _section(section: str, values: Mapping[str, Value]) -> Iterator[str]:
    certain = {key: value for key, value in values.items() if not value.guess}
    asked = _ASK.get(section, ())
    # A section with a key missing that it cannot do without would make the whole file unusable.
    live = bool(certain) and section not in (
        "prometheus",
        "alertmanager",
        "grafana",
        "logs",
        "host",
        "backup",
    )
    mark = "" if live else "# "
    yield f"{mark}[{section}]"
    for key, value in values.items():
        guess = "# ? " if value.guess else ""
        yield f"{guess or mark}{key} = {toml(value.value)}   # {value.origin}"
    for line in asked:
        if line.partition(" ")[0] not in values:
            yield f"# {line}"


def toml(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
