"""Target files: every mistake is named with its place and the next step, and no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_deploycheck.target import TargetError, find, load
from pytest_deploycheck.target.load import secrets

GOOD = """
[target]
name = "prod"
environment = "production"
base_url = "https://api.example.test"
[db]
dsn = { env = "DC_TEST_DSN" }
"""


def write(folder: Path, text: str) -> Path:
    """Write a target file."""
    path = folder / "prod.toml"
    path.write_text(text)
    return path


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    """Three keys make a target; everything else has a default."""
    target = load(write(tmp_path, GOOD))
    assert (target.name, target.health.path, target.limits.latency_p95_s) == ("prod", "/health", 1.0)
    assert list(secrets(target)) == ["db.dsn"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("base_url =", "base_ulr =", "unknown key 'base_ulr' in [target]; did you mean 'base_url'?"),
        ("[db]", "[dbb]", "unknown key 'dbb' in the top level; did you mean 'db'?"),
        ('"production"', '"prod"', "target.environment: Input should be 'production', 'staging'"),
        ("https://api", "https://me:hunter2@api", "must not hold a user name or password"),
        ('{ env = "DC_TEST_DSN" }', '"postgres://u:hunter2@h/d"', "a secret is given by reference only"),
        ('name = "prod"', "", "target.name is missing; add it"),
        ("[db]", "[limits]\nlatency_p95 = 2\n[db]", "did you mean 'latency_p95_s'?"),
        ("[db]", "[limits]\nlatency_p95_s = -1\n[db]", "greater than or equal to 0"),
        (
            "[db]",
            "[not_applicable]\n'a.b.c' = 'x'\n[db]",
            "[not_applicable] is for the demo environment only",
        ),
        ("[target]", "[target", "not valid TOML"),
        ("[db]", "[net]\naddresses = ['shop.example']\n[db]", "net.addresses.0"),
        ("[db]", "[net]\nallowed_tcp = [70000]\n[db]", "net.allowed_tcp.0 = 70000"),
        ("[db]", "[dns]\nexpected_ips = ['192.0.2.1/24']\n[db]", "dns.expected_ips.0"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    """The message names the key, the place and the next step, and repeats no secret."""
    with pytest.raises(TargetError) as caught:
        load(write(tmp_path, GOOD.replace(old, new)))
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert str(tmp_path / "prod.toml") in str(caught.value)


def test_a_name_finds_its_file_or_its_nearest(tmp_path: Path) -> None:
    """`--target prod` is targets/prod.toml; a misspelt name is told the nearest."""
    (tmp_path / "targets").mkdir()
    path = write(tmp_path / "targets", GOOD)
    assert find("prod", tmp_path) == path
    with pytest.raises(TargetError, match="did you mean 'prod'"):
        find("prdo", tmp_path)
    with pytest.raises(TargetError, match="does not exist"):
        find(str(tmp_path / "none.toml"), tmp_path)


def test_secrets_resolve_from_each_place_and_hide_in_repr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environment, file and command give the value; showing the target gives only the place."""
    (tmp_path / "pw").write_text("from-file-123\n")
    monkeypatch.setenv("DC_TEST_DSN", "from-env-123")
    places = (
        '{ env = "DC_TEST_DSN" }',
        '{ file = "pw" }',
        '{ command = "printf from-command-$((122 + 1))" }',
    )
    values = []
    for place in places:
        target = load(write(tmp_path, GOOD.replace('{ env = "DC_TEST_DSN" }', place)))
        values.append(secrets(target)["db.dsn"].resolve().get_secret_value())
        assert "-123" not in repr(target) + str(target.model_dump())
    assert values == ["from-env-123", "from-file-123", "from-command-123"]


@pytest.mark.parametrize(
    ("base", "domains", "names"),
    [
        ("https://shop.example:8443", "", ("shop.example",)),
        ("https://shop.example", 'domains = ["www.shop.example"]', ("www.shop.example",)),
        ("https://localhost:8443", "", ()),
        ("https://192.0.2.1", "", ()),
        ("https://[2001:db8::1]:8443", "", ()),
    ],
)
def test_public_names(tmp_path: Path, base: str, domains: str, names: tuple[str, ...]) -> None:
    """The domains given, or else the base URL's host where that is a name that DNS could know."""
    text = GOOD.replace('"https://api.example.test"', f'"{base}"\n{domains}')
    assert load(write(tmp_path, text)).public_names == names
