"""The target file says what the deployment is, loads as a target, and holds no secret."""

from __future__ import annotations

import tomllib

from pytest_deploycheck import target
from pytest_deploycheck.demo import target_file
from pytest_deploycheck.demo.deployment import Deployment


def test_every_value_comes_back(backend: Deployment) -> None:
    """What is written is what TOML reads."""
    written = tomllib.loads(backend.target.read_text())
    assert written == target_file.sections(backend.world, backend.services)
    assert written["target"]["base_url"] == backend.world.url("edge")


def test_it_is_a_target(backend: Deployment) -> None:
    """The suites' own model accepts it, and its references lead to the secrets."""
    loaded = target.load(backend.target)
    assert loaded.auth.test_account is not None
    password = loaded.auth.test_account.password.resolve().get_secret_value()
    assert password == backend.world.secret("test_account_password")
    assert loaded.file(loaded.target.ca_file).read_text().startswith("-----BEGIN CERTIFICATE-----")


def test_it_holds_no_secret(backend: Deployment) -> None:
    """No secret of the deployment stands in it."""
    text = backend.target.read_text()
    secrets = [file.read_text() for file in backend.world.path("secrets").iterdir()]
    assert len(secrets) > 5
    assert not [secret for secret in secrets if secret in text]


def test_what_is_absent_is_said(backend: Deployment) -> None:
    """A unit that this machine lacks is named with the reason, on one line."""
    path = target_file.write(backend.world, backend.services, {"bugsink": "not\ninstalled"})
    try:
        assert "# Not running here: bugsink: not installed\n" in path.read_text()
    finally:
        target_file.write(backend.world, backend.services, {})


def test_strings_are_escaped() -> None:
    """Quotes, backslashes and line ends in a value or key do not break the file."""
    value = {'a "key"': 'x\\y"z\n', "list": [1, 2.5, True, "ü"], "rows": [{"a": 1}, {"a": 2}]}
    text = "\n".join(target_file._section("s", value))
    assert tomllib.loads(text) == {"s": value}
