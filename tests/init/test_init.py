"""`deploycheck init` in projects of several makes: what it finds, what it writes, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_deploycheck.cli import main
from pytest_deploycheck.init.command import discover
from pytest_deploycheck.target import load

COMPOSE = """
name: shop
services:
  api: {image: "ghcr.io/acme/shop:1", env_file: .env, depends_on: [db, redis]}
  migrate: {image: "ghcr.io/acme/shop:1", restart: "no"}
  db: {image: "postgres:16"}
  redis: {image: "redis:7"}
  nginx: {image: "nginx:1.27", ports: ["443:443"]}
  prometheus: {image: "prom/prometheus:v2.53"}
"""
OPENAPI = """
openapi: 3.1.0
servers: [{url: "https://api.shop.io"}]
security: [{bearer: []}]
paths:
  /health: {get: {security: []}}
  /auth/login: {post: {security: []}}
  /users/me: {get: {}}
"""
ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a project as many are."""
    files = {
        "docker-compose.yml": COMPOSE,
        ".env.production": "DATABASE_URL=\nREDIS_URL=\nJWT_SECRET_KEY=x\nRPC_URL=\nCHAIN_ID=1\nPUBLIC_URL=https://your-domain\n",
        "nginx/shop.conf": "server { listen 443 ssl; server_name api.shop.io shop.io; }\n",
        "docs/openapi.yaml": OPENAPI,
        "deployments/mainnet.json": f'{{"address": "{ADDRESS}", "chainId": 1}}',
        "alembic.ini": "",
        "alembic/versions/a.py": "",
        "package.json": '{"version": "2.1.0"}',
        ".gitlab-ci.yml": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    remote = "https://user:secret-word@gitlab.com/acme/shop.git"
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", remote], check=True)
    return tmp_path


def test_the_target_file_is_one(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written can be loaded as it is, and says what the project says."""
    assert main(["init", str(shop)]) == 0
    monkeypatch.setenv("RELEASE_COMMIT", "a" * 40)
    target = load(shop / "targets" / "prod.toml")
    assert target.target.base_url == "https://api.shop.io"
    assert target.target.domains == ["api.shop.io", "shop.io"]
    assert (target.release.version, target.release.commit) == ("2.1.0", "a" * 40)
    assert (target.auth.login_path, target.auth.me_path) == ("/auth/login", "/users/me")
    assert target.auth.public_ops == ["GET /health", "POST /auth/login"]
    assert (target.env.jwt_secret_key, target.env.rpc_url_key) == ("JWT_SECRET_KEY", "RPC_URL")
    assert target.docker.oneshot == ["migrate"]
    assert target.edge.dump_command == "docker exec nginx nginx -T"
    assert (target.contract.address, target.contract.chain_id) == (ADDRESS, 1)
    assert (target.migrations.tool, target.file(target.migrations.dir)) == ("alembic", shop / "alembic")
    assert target.ci.provider == "gitlab"
    assert target.db is not None
    assert target.host is None


def test_no_secret_is_written(shop: Path) -> None:
    """A password in the remote's address and values of the environment stay where they are."""
    main(["init", str(shop)])
    written = [*(shop / "targets").iterdir(), *(shop / ".gitlab").iterdir()]
    assert written
    assert not [path for path in written if "secret-word" in path.read_text()]


def test_nothing_is_overwritten(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second time changes no byte, and says what was kept."""
    main(["init", str(shop)])
    before = {
        path: path.read_bytes() for path in shop.rglob("*") if path.is_file() and ".git/" not in str(path)
    }
    capsys.readouterr()
    main(["init", str(shop)])
    assert "kept     targets/prod.toml" in capsys.readouterr().out
    after = {
        path: path.read_bytes() for path in shop.rglob("*") if path.is_file() and ".git/" not in str(path)
    }
    assert after == before


def test_the_first_run_is_possible(shop: Path) -> None:
    """The suites that were written plan a run against the target that was written."""
    main(["init", str(shop)])
    command = [sys.executable, "-m", "pytest", "suites", "-m", "smoke", "--target", "prod", "--plan", "-q"]
    done = subprocess.run(
        command,
        cwd=shop,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "RELEASE_COMMIT": "a"},
    )
    assert "nothing was touched" in done.stdout, done.stdout + done.stderr


def test_an_empty_folder_is_told_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is found, everything is asked for, and stages for both CIs are written."""
    assert main(["init", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    for word in ("compose file", "template", "Git remote", "public address", "server is not known"):
        assert word in said
    assert (tmp_path / ".github/workflows/deploycheck.yml").is_file()
    assert (tmp_path / ".gitlab/deploycheck.yml").is_file()


def test_no_such_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is not there is named."""
    assert main(["init", str(tmp_path / "none")]) == 2
    assert "is no directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "section", "key", "value"),
    [
        ({"prisma/schema.prisma": "", "prisma/migrations/a/migration.sql": ""}, "migrations", "tool", "prisma"),
        ({"db/V1__a.sql": ""}, "migrations", "tool", "flyway"),
        ({"manage.py": ""}, "migrations", "tool", "django"),
        ({"compose.prod.yaml": "services: {cache: {image: 'valkey/valkey:8'}}"}, "redis", "url", {"env": "DEPLOYCHECK_REDIS_URL"}),
        ({"compose.yaml": "services: {a: {env_file: [{path: /etc/shop.env}]}}"}, "env", "path", "/etc/shop.env"),
        ({"pyproject.toml": "[project]\nversion = '3'"}, "release", "version", "3"),
    ],
)  # fmt: skip
def test_other_makes(tmp_path: Path, files: dict[str, str], section: str, key: str, value: object) -> None:
    """Other tools and other places of the same things are found."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert discover(tmp_path).get(section, key) == value


@pytest.mark.parametrize("text", ["services: [", "[]", "services: 7", "\0", "services: {a: null}"])
def test_broken_compose_files(tmp_path: Path, text: str) -> None:
    """A compose file that is none ends nothing."""
    (tmp_path / "compose.yaml").write_text(text)
    assert discover(tmp_path).unsure
