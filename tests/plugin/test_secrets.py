"""Canary secrets in every channel appear in no output, in no encoding; and the scanner is shown to find one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_deploycheck.redact import forms

CANARIES = {
    "env": "canary-Env/8f3e+77=&<a>",
    "file": "canary-File-41c0b2d9",
    "command": "canary-Command-90aa1b",
    "dsn": "canary-Dsn-5512fe",
    "url": "canaryurl0123456789abcdef0123456789",
    "token": "canary-Token-a81be2",
}
TARGET = """
[target]
name = "leaky"
environment = "staging"
base_url = "http://127.0.0.1:1"
[auth]
jwt_secret = {{ env = "DC_CANARY" }}
test_account = {{ username = "u", password = {{ file = "password" }} }}
canary_account = {{ username = "c", password = {{ command = ["cat", "{folder}/other"] }} }}
[db]
dsn = {{ file = "dsn" }}
[rpc]
url = {{ file = "rpc" }}
"""
CONFTEST = '''
from dataclasses import dataclass
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.verdict import Reason

@dataclass(frozen=True)
class Leak:
    """Everything that a careless probe could return."""
    headers: dict[str, str]
    body: str
    encoded: str

@probe(facts=Leak, deadline=5)
def leak(target, connect):
    """Return every secret, in several encodings."""
    import base64, json
    env = connect.secret(target.auth.jwt_secret)
    dsn = connect.secret(target.db.dsn)
    connect.secret(target.rpc.url)
    connect.learn_secret("canary-Token-a81be2")
    return Leak(
        {"Authorization": "Bearer canary-Token-a81be2", "Cookie": f"session={env}"},
        json.dumps({"dsn": dsn, "again": json.dumps(env)}),
        base64.b64encode(b"user:" + env.encode()).decode() + " " + env.encode().hex(),
    )

@probe(facts=Leak, deadline=5)
def raising(target, connect):
    """Have a bug whose message holds a secret."""
    raise ValueError("could not use " + connect.secret(target.auth.test_account.password))

@probe(facts=Leak, deadline=5)
def refusing(target, connect):
    """Say why in words that hold a secret."""
    raise CannotLook(Reason.NO_ACCESS, "refused with " + connect.secret(target.auth.canary_account.password))
'''
TESTS = """
def test_shows(leak_facts, target):
    local = target.auth.jwt_secret.resolve().get_secret_value()
    print("printed", local)
    assert leak_facts.body == local, f"not {local}"

def test_raises(raising_facts):
    assert raising_facts

def test_refuses(refusing_facts):
    assert refusing_facts
"""


def leaks(folder: Path, texts: dict[str, str]) -> list[tuple[str, str]]:
    """Return (output, channel) of every canary that stands anywhere, in any form."""
    outputs = dict(texts)
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in (".pyc",):
            outputs[path.name] = path.read_text(errors="replace")
    return [
        (name, channel)
        for name, text in outputs.items()
        for channel, secret in CANARIES.items()
        if any(form in text for form in forms(secret) if form != secret[::-1])
    ]


@pytest.mark.parametrize("more", [(), ("-vv", "--showlocals"), ("-rA", "--tb=long"), ("-n", "2")])
def test_no_canary_leaves_the_process(pytester: pytest.Pytester, more: tuple[str, ...]) -> None:
    """Terminal, evidence, JUnit and pytest-html hold no secret of any channel."""
    folder = pytester.path
    (folder / "targets").mkdir()
    (folder / "targets" / "leaky.toml").write_text(TARGET.format(folder=folder / "targets"))
    (folder / "targets" / "password").write_text(CANARIES["file"])
    (folder / "targets" / "other").write_text(CANARIES["command"])
    (folder / "targets" / "dsn").write_text(f"postgresql://u:{CANARIES['dsn']}@127.0.0.1:1/d")
    (folder / "targets" / "rpc").write_text(f"http://127.0.0.1:1/v3/{CANARIES['url']}")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_leaky=TESTS)
    out = folder / "out"
    out.mkdir()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "test_leaky.py",
        "--target",
        "leaky",
        "--evidence",
        str(out / "ev"),
    ]
    command += [
        "--junitxml",
        str(out / "j.xml"),
        "--html",
        str(out / "h.html"),
        "--self-contained-html",
        *more,
    ]
    env = {"DC_CANARY": CANARIES["env"], "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert (out / "ev" / "evidence.json").exists()
    assert "[redacted]" in (out / "ev" / "evidence.json").read_text()
    assert leaks(out, {"stdout": done.stdout, "stderr": done.stderr}) == []


def test_the_scanner_finds_a_planted_one(tmp_path: Path) -> None:
    """The search above is no formality: it finds a canary in Base64 in a file."""
    import base64

    (tmp_path / "x.html").write_text(base64.b64encode(CANARIES["file"].encode()).decode())
    assert leaks(tmp_path, {"stdout": CANARIES["env"]}) == [("stdout", "env"), ("x.html", "file")]
