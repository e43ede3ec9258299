"""The environment's probes against services of other makes than the demo's."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.verdict import Reason
from tests.probes.service import Asked, Reply, serving
from tests.probes.targets import gather
from tests.suites.checks import suite

CHECKS = suite("pre_deploy/test_environment.py")
LIMITS = Limits()
APP = "https://app.tokens.example"
SECRET = "q7Jp2vXn9rLk4sTz8wYb3mHc6dFg5aQe1uRi0oPx"
ENV = f"""# production
export NODE_ENV="production"
DEBUG='False'
JWT_SECRET='{SECRET}'
PUBLIC_URL=https://api.tokens.example
"""


def look(folder: Path, base: str, *probes: str, env: str = ENV, more: str = "") -> dict[str, Observation]:
    """Look at a service and at a file that a local server has."""
    (folder / ".env").write_text(env)
    (folder / ".env").chmod(0o600)
    (folder / "password").write_text("a-password-of-the-test")
    text = f"""
[target]
name = "other"
environment = "staging"
base_url = "{base}"
[host]
uri = "local://"
[auth]
test_account = {{ username = "u", password = {{ file = "password" }} }}
{more}
[env]
path = "{folder}/.env"
"""
    return gather(folder, text, *probes)


def claims(**more: Any) -> dict[str, Any]:
    """Return claims of a token that was just issued."""
    now = int(time.time())
    return {"sub": "1", "iat": now, "exp": now + 600, **more}


def api(token: str, check: Any, jwks: Any = None) -> Any:
    """Return a service that issues one token, and accepts what `check` decodes."""

    def answer(asked: Asked) -> Reply:
        if asked.path == "/auth/login":
            return Reply(200, {"access_token": token}) if asked.json else Reply(400)
        if asked.path == "/.well-known/jwks.json" and jwks:
            return Reply(200, jwks)
        if asked.path == "/me":
            try:
                return Reply(200, check(asked.token))
            except jwt.InvalidTokenError:
                return Reply(401)
        return Reply(200 if asked.path in ("/health", "/version") else 404)

    return answer


def test_a_key_of_another_name_is_found(tmp_path: Path) -> None:
    """Where there is no JWT_SECRET, the secret of the file that signs is the key."""
    token = jwt.encode(claims(), SECRET, "HS256")
    env = ENV.replace("JWT_SECRET", "APP_SIGNING_KEY")
    with serving(api(token, lambda t: jwt.decode(t, SECRET, ["HS256"]))) as base:
        facts = look(tmp_path, base, "jwt_key", env=env)["jwt_key"].facts
    assert (facts.key, facts.signs, facts.control_status, facts.expired_status) == (
        "APP_SIGNING_KEY",
        True,
        200,
        401,
    )
    CHECKS["test_jwt_secret"](facts, LIMITS)
    CHECKS["test_jwt_secret_in_use"](facts)


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_public_keys_need_no_secret(alg: str, tmp_path: Path) -> None:
    """A product that signs with a private key elsewhere has no JWT_SECRET: its published key is judged."""
    key: Any = (
        rsa.generate_private_key(65537, 2048) if alg == "RS256" else ec.generate_private_key(ec.SECP256R1())
    )
    entry = json.loads(jwt.get_algorithm_by_name(alg).to_jwk(key.public_key()))
    token = jwt.encode(claims(), key, alg, {"kid": "a"})
    env = ENV.replace(f"JWT_SECRET='{SECRET}'\n", "")
    check = api(token, lambda t: jwt.decode(t, key.public_key(), [alg]), {"keys": [{**entry, "kid": "a"}]})
    with serving(check) as base:
        facts = look(tmp_path, base, "jwt_key", env=env)["jwt_key"].facts
    assert facts.public_signs is True
    assert facts.key == ""
    CHECKS["test_jwt_secret"](facts, LIMITS)
    CHECKS["test_jwt_secret_in_use"](facts)


def test_a_published_key_that_did_not_sign_is_found(tmp_path: Path) -> None:
    """The service signs with another key than it publishes."""
    key, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    entry = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(other.public_key()))
    token = jwt.encode(claims(), key, "RS256")
    with serving(api(token, lambda t: {}, {"keys": [entry]})) as base:
        facts = look(tmp_path, base, "jwt_key", env="A=1\n")["jwt_key"].facts
    with pytest.raises(AssertionError, match="none of the published keys"):
        CHECKS["test_jwt_secret_in_use"](facts)


def test_opaque_tokens_prove_nothing(tmp_path: Path) -> None:
    """No key can be seen to have signed a token that is none."""
    with serving(api("3f9c1b7a5e2d4f68", lambda t: {})) as base:
        seen = look(tmp_path, base, "jwt_key")["jwt_key"]
    assert (seen.state, seen.reason) == ("unseen", Reason.NO_EVIDENCE.value)


def test_named_keys_have_their_types(tmp_path: Path) -> None:
    """A key that the target file names for a purpose is judged by that purpose, whatever it is called."""
    env = "ERRORS_TO=http://k@tracker.tokens.example/1\nPAGES=*\nCOIN=0x12\n"
    (tmp_path / ".env.production").write_text("ERRORS_TO=\nPAGES=\nCOIN=\n")
    base = "http://127.0.0.1:9"
    look(tmp_path, base, "env_file", env=env)
    text = (tmp_path / "target.toml").read_text()
    text += 'dsn_key = "ERRORS_TO"\ncors_key = "PAGES"\ncontract_keys = ["COIN"]\n'
    facts = gather(tmp_path, text, "env_file")["env_file"].facts
    assert {key.name: key.type for key in facts.keys} == {
        "ERRORS_TO": "url",
        "PAGES": "origins",
        "COIN": "address",
    }
    assert all(key.wrong for key in facts.keys)


def test_a_file_without_a_repository(tmp_path: Path) -> None:
    """Quotes, export and comments are no fault; what the target file does not name is unproven, not failed."""
    (tmp_path / ".env.production").write_text("NODE_ENV=\nDEBUG=\nJWT_SECRET=changeme\nPUBLIC_URL=\n# X=\n")
    with serving(lambda asked: Reply()) as base:
        facts = look(tmp_path, base, "env_file")["env_file"].facts
    CHECKS["test_file"](facts)
    CHECKS["test_file_is_private"](facts, LIMITS)
    CHECKS["test_production_values"](facts)
    with pytest.raises(Unproven, match=r"no repo\.path"):
        CHECKS["test_file_is_not_in_git"](facts)
    assert SECRET not in json.dumps([str(facts)])


def test_a_secrets_manager_has_no_file(tmp_path: Path) -> None:
    """What a secrets manager renders is judged like a file, and has no mode."""
    (tmp_path / "rendered").write_text(ENV)
    (tmp_path / ".env.production").write_text("NODE_ENV=\nDEBUG=\nJWT_SECRET=changeme\nPUBLIC_URL=\n")
    text = f"""
[target]
name = "other"
environment = "production"
base_url = "https://api.tokens.example"
[host]
uri = "local://"
[env]
rendered = {{ file = "{tmp_path}/rendered" }}
"""
    facts = gather(tmp_path, text, "env_file")["env_file"].facts
    assert facts.rendered
    CHECKS["test_file"](facts)
    CHECKS["test_file_is_private"](facts, LIMITS)
    CHECKS["test_production_values"](facts)


def test_no_file_and_no_right_to_read(tmp_path: Path) -> None:
    """A file that does not exist fails the item; a target without a path is unproven."""
    base = "http://127.0.0.1:9"
    (tmp_path / "empty").mkdir()
    look(tmp_path, base, "env_file")
    text = (tmp_path / "target.toml").read_text()
    gone = gather(tmp_path, text.replace("/.env", "/.envv"), "env_file")["env_file"].facts
    with pytest.raises(AssertionError, match="there is no"):
        CHECKS["test_file"](gone)
    unset = gather(tmp_path / "empty", text.replace(f'path = "{tmp_path}/.env"', ""), "env_file")
    assert unset["env_file"].reason == Reason.NO_CONFIG.value


PAGES = {
    "express": "<pre>Error: x<br> &nbsp; &nbsp;at Layer.handle (/srv/node_modules/express/lib/layer.js:95:5)</pre>",
    "node": "TypeError: x\n    at async handler (file:///srv/dist/app.mjs:12:3)",
    "django": "You're seeing this error because you have <code>DEBUG = True</code>",
    "spring": "org.x.E: m\n\tat org.x.Controller.get(Controller.java:42)",
    "python": json.dumps({"trace": ['  File "/srv/app.py", line 3, in f\n']}),
    "go": "panic: x\n\ngoroutine 7 [running]:",
    "php": "Warning: x in /srv/index.php on line 3",
    "ruby": "app/controllers/a.rb:3:in `show'",
    "dotnet": "at A.B() in C:\\src\\A.cs:line 12",
}


@pytest.mark.parametrize("make", PAGES)
def test_debug_pages_of_other_makes(make: str, tmp_path: Path) -> None:
    """The traces of every usual language are seen in a 404."""

    def answer(asked: Asked) -> Reply:
        return Reply(200) if asked.path in ("/health", "/version") else Reply(404, PAGES[make])

    with serving(answer) as base:
        facts = look(tmp_path, base, "env_wire")["env_wire"].facts
    with pytest.raises(AssertionError, match="shows"):
        CHECKS["test_production_behaviour"](facts)


@pytest.mark.parametrize(
    "body",
    ['{"detail":"Not Found"}', "<html>Not found at /a/b.html</html>", "Cannot GET /index.php", "at 12:30:45"],
)
def test_plain_refusals_show_nothing(body: str, tmp_path: Path) -> None:
    """Texts that only resemble a trace are none."""
    with serving(lambda asked: Reply(200 if asked.path in ("/health", "/version") else 404, body)) as base:
        facts = look(tmp_path, base, "env_wire")["env_wire"].facts
    CHECKS["test_production_behaviour"](facts)


def test_single_page_applications_serve_no_file(tmp_path: Path) -> None:
    """A page for every path is no environment file; an environment file among them is."""
    page = Reply(200, "<!doctype html><p>app</p>", {"Content-Type": "text/html"})
    with serving(lambda asked: page) as base:
        facts = look(tmp_path, base, "env_wire")["env_wire"].facts
    CHECKS["test_file_is_not_served"](facts)
    leak = Reply(200, "DB_PASSWORD=x\nAPI_KEY=y\n", {"Content-Type": "text/html"})
    with serving(lambda asked: leak if asked.path == "/.env.bak" else page) as base:
        facts = look(tmp_path, base, "env_wire")["env_wire"].facts
    with pytest.raises(AssertionError, match=r"/\.env\.bak is served: 2 lines"):
        CHECKS["test_file_is_not_served"](facts)
