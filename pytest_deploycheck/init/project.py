"""The rest of a project: nginx, OpenAPI, deployments of contracts, Git, CI, migrations, versions."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_deploycheck.init.found import Found

SKIPPED = {".git", "node_modules", ".venv", "venv", "dist", "build", "out", "cache", "__pycache__", "vendor"}
FILES_MAX = 20_000
_SERVER_NAME = re.compile(r"(?:^|[{;])\s*server_name\s+([^;#]+);", re.MULTILINE)
_ADDRESS = re.compile(r"^0x[0-9a-fA-F]{40}$")
_LOGIN = re.compile(r"(login|sign-?in|/token|/session)s?$", re.IGNORECASE)
_ME = re.compile(r"/(me|whoami|profile|account)$", re.IGNORECASE)
_HEALTH = re.compile(r"^/(api/)?(health|healthz|livez|readyz|status|ping)$", re.IGNORECASE)


def read(root: Path, found: Found) -> None:
    """Read everything that a project's files tell besides its compose file and its environment."""
    files = list(_files(root))
    _nginx([path for path in files if path.suffix == ".conf" or "nginx" in path.name], root, found)
    _openapi([path for path in files if re.fullmatch(r"(openapi|swagger).*\.(json|ya?ml)", path.name)], found)
    _deployments([path for path in files if "deployment" in str(path.relative_to(root)).lower()], found)
    _git(root, found)
    _ci(root, found)
    _migrations(root, files, found)
    _version(root, found)


def _files(root: Path) -> Iterator[Path]:
    """Yield the project's own files, in a bounded number, the upper ones first."""
    todo, count = [root], 0
    while todo and count < FILES_MAX:
        for path in sorted(todo.pop(0).iterdir()):
            count += 1
            if path.is_symlink():
                continue
            if path.is_dir():
                if path.name not in SKIPPED:
                    todo.append(path)
            elif path.is_file():
                yield path


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.stat().st_size < 2**21 else ""
    except OSError:
        return ""


def _nginx(paths: list[Path], root: Path, found: Found) -> None:
    names: dict[str, str] = {}
    for path in paths:
        for match in _SERVER_NAME.finditer(_text(path)):
            for name in match[1].split():
                if (
                    "." in name
                    and not name.startswith(("*", "~", "_"))
                    and not name.endswith((".local", ".test"))
                ):
                    names.setdefault(name, str(path.relative_to(root)))
    if names:
        found.notes.append(f"nginx: {', '.join(names)}")
        found.put("target", "domains", list(names), next(iter(names.values())))
        name = next((one for one in names if one.startswith("api.")), next(iter(names)))
        found.put("target", "base_url", f"https://{name}", names[name])


def _openapi(paths: list[Path], found: Found) -> None:
    for path in paths[:1]:
        document = _document(path)
        routes = document.get("paths") if document else None
        if not isinstance(routes, Mapping):
            continue
        found.notes.append(f"{path.name}: {len(routes)} routes")
        for key, section, pattern, method in (
            ("login_path", "auth", _LOGIN, "post"),
            ("me_path", "auth", _ME, "get"),
            ("path", "health", _HEALTH, "get"),
        ):
            route = next(
                (str(one) for one in routes if pattern.search(str(one)) and method in routes[one]), None
            )
            found.put(section, key, route, path.name)
        for server in document.get("servers") or ():
            url = str(server.get("url", ""))
            if url.startswith("https://"):
                found.put("target", "base_url", url.rstrip("/"), path.name)
        found.put("auth", "public_ops", list(_public(document, routes)), path.name)


def _document(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = json.loads(_text(path)) if path.suffix == ".json" else yaml.safe_load(_text(path))
    except (ValueError, yaml.YAMLError):
        return {}
    return values if isinstance(values, dict) else {}


def _public(document: Mapping[str, Any], routes: Mapping[str, Any]) -> Iterator[str]:
    """Yield the operations that need no authentication, as the document says."""
    general = document.get("security")
    for route, operations in routes.items():
        for method, operation in operations.items():
            known = method in ("get", "post", "put", "patch", "delete") and isinstance(operation, Mapping)
            if known and not operation.get("security", general):
                yield f"{method.upper()} {route}"


def _deployments(paths: list[Path], found: Found) -> None:
    """Find a contract's address by chain, in the shapes of Hardhat, Foundry and plain tables."""
    for path in paths:
        if path.suffix != ".json":
            continue
        values = _document(path)
        address = values.get("address") or values.get("contractAddress")
        chain = values.get("chainId") or values.get("chain_id")
        if isinstance(address, str) and _ADDRESS.match(address):
            found.put("contract", "address", address, path.name, guess=chain not in (1, "1", None))
            if str(chain).isdigit():
                found.put("contract", "chain_id", int(str(chain)), path.name)
            return
        for network in ("mainnet", "1", "production"):
            one = values.get(network)
            text = one if isinstance(one, str) else one.get("address", "") if isinstance(one, Mapping) else ""
            if _ADDRESS.match(str(text)):
                found.put("contract", "address", str(text), path.name)
                return


def _git(root: Path, found: Found) -> None:
    def ask(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    remote = ask("remote", "get-url", "origin")
    if not remote:
        found.unsure.append("no Git remote; set repo.remote")
        return
    # A remote with a password in it must not go into a file.
    found.put("repo", "remote", re.sub(r"://[^/@]+@", "://", remote), "git")
    head = ask("symbolic-ref", "--short", "refs/remotes/origin/HEAD").partition("/")[2]
    found.put("repo", "branch", head or None, "git")


def _ci(root: Path, found: Found) -> None:
    if (root / ".github" / "workflows").is_dir():
        found.put("ci", "provider", "github", ".github/workflows")
    elif (root / ".gitlab-ci.yml").is_file():
        found.put("ci", "provider", "gitlab", ".gitlab-ci.yml")
    match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(\.git)?$", str(found.get("repo", "remote") or ""))
    if match:
        found.put("ci", "project", match[1], "git")


def _migrations(root: Path, files: list[Path], found: Found) -> None:
    for marker, tool, folder in (
        ("alembic.ini", "alembic", "alembic"),
        ("schema.prisma", "prisma", "migrations"),
        ("manage.py", "django", "."),
    ):
        path = next((one for one in files if one.name == marker), None)
        if path is not None:
            place = next(
                (one for one in (path.parent / folder, path.parent / "migrations") if one.is_dir()),
                path.parent,
            )
            found.put("migrations", "tool", tool, marker)
            found.put("migrations", "dir", f"../{place.relative_to(root)}", marker)
            return
    for pattern, tool in ((r"V\d+__.*\.sql", "flyway"), (r"\d+_.*\.up\.sql", "golang-migrate")):
        path = next((one for one in files if re.fullmatch(pattern, one.name)), None)
        if path is not None:
            found.put("migrations", "tool", tool, path.name)
            found.put("migrations", "dir", f"../{path.parent.relative_to(root)}", path.name)
            return


def _version(root: Path, found: Found) -> None:
    package, project = root / "package.json", root / "pyproject.toml"
    if package.is_file():
        found.put("release", "version", _document(package).get("version"), package.name)
    if project.is_file():
        try:
            values = tomllib.loads(_text(project))
        except tomllib.TOMLDecodeError:
            return
        found.put("release", "version", values.get("project", {}).get("version"), project.name)
