"""Environment files: our readings against the real readers', and what is wrong with lines."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path

import dotenv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck.demo.docker import tools
from pytest_deploycheck.rules.dotenv import parse

PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----"
RAW = st.text(alphabet="ab $#{}'\"\\\\=:-n\t", max_size=10)


def kinds(text: str, reader: str = "any") -> list[tuple[int, str]]:
    """Return line and kind of every issue."""
    return [(issue.line, issue.kind) for issue in parse(text).problems(reader)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("KEY=value", "value"),
        ("KEY=", ""),
        ("export KEY=value", "value"),
        ("KEY = value", "value"),
        ('KEY="two words"', "two words"),
        ("KEY='two words' # why", "two words"),
        ("KEY=value # why", "value"),
        ("KEY=a#b", "a#b"),
        ("KEY='a$b'", "a$b"),
        (f'KEY="{PEM}"', PEM),
        ("KEY=postgresql://u:p=q@h/d?sslmode=verify-full", "postgresql://u:p=q@h/d?sslmode=verify-full"),
    ],
)
def test_good_lines(text: str, value: str) -> None:
    """Quoted values, comments, keys in PEM and addresses are read as both readers do, without an issue."""
    file = f"# a comment\n\n# OLD=1\n{text}\n"
    assert parse(file).values() == {"KEY": value}
    assert parse(file).values("python-dotenv") == {"KEY": value}
    assert kinds(file) == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("\ufeffKEY=1\n", 1, "byte order mark"),
        ("KEY=1\r\nB=2\r\n", 1, "carriage return"),
        ("KEY=1\nKEY=2\n", 2, "given already in line 1"),
        ("A=1\nKEY=1 \n", 2, "blank at the end"),
        ('KEY="1\nB=2\n', 1, "never closed"),
        ('KEY="1"2\n', 1, "after the closing quote"),
        ("export KEY\n", 1, "export without a value"),
        ("KEY\n", 1, "no assignment"),
        ("2KEY=1\n", 1, "no name"),
        ("KEY=a$b\n", 1, "different values"),
        ("KEY=a${NOWHERE}\n", 1, "does not have"),
        ("KEY=$2b$12$abcdef\n", 1, "begins no reference"),
    ],
)
def test_bad_lines(text: str, line: int, words: str) -> None:
    """Each fault is told with its line and its kind."""
    assert any(at == line and words in kind for at, kind in kinds(text)), kinds(text)


def test_issues_hold_no_value() -> None:
    """Whatever is wrong with a line, its value is not told."""
    text = 'A="x7Secret\nB=x7Secret \nB=x7Secret\nx7Secret\nC=$x7Secret\n'
    assert "x7Secret" not in repr(parse(text))
    assert "x7Secret" not in repr(parse(text).problems())


def test_one_bad_line_hides_no_other() -> None:
    """The lines after a fault are read as they are."""
    assert parse("A=1\nnonsense\nB=2\n").values() == {"A": "1", "B": "2"}


def test_docker_run_and_systemd_read_differently() -> None:
    """`docker run --env-file` keeps quotes and comments; systemd keeps comments."""
    text = 'A="1"\nB=2 # why\nexport C=3\n'
    assert parse(text).values("docker") == {"A": '"1"', "B": "2 # why", "C": "3"}
    assert {line for line, _ in kinds(text, "docker")} == {1, 2, 3}
    assert {line for line, _ in kinds(text, "systemd")} == {2, 3}


@given(raw=RAW, quote=st.sampled_from(("", "'", '"')), pad=st.sampled_from(("", " ")))
def test_python_dotenv_reads_the_same(raw: str, quote: str, pad: str) -> None:
    """What python-dotenv itself makes of a line that it accepts is what we say that it makes of it."""
    text = f"A=1\nKEY={pad}{quote}{raw}{quote}\n"
    found = parse(text)
    if found.issues:
        return
    theirs = dotenv.dotenv_values(stream=io.StringIO(text), interpolate=True)
    if theirs.get("KEY") is not None:
        assert found.values("python-dotenv")["KEY"] == theirs["KEY"]


CORPUS = r"""A=1
B=plain
C=a # comment
D=a#b
E='single $A'
F="double $A ${A}"
G=${A}/x
H=${NONE:-fallback}
I="line\nbreak"
J=$$literal
K="quote \" inside"
L=${A:+set}
M="two
lines"
export N=7
"""


@pytest.mark.skipif(tools.missing() is not None, reason="no docker compose on this machine")
def test_docker_compose_reads_the_same(tmp_path: Path) -> None:
    """What docker compose itself makes of a file is what we say that it makes of it."""
    (tmp_path / "file.env").write_text(CORPUS)
    (tmp_path / "compose.yml").write_text("services:\n  one:\n    image: x\n    env_file: [file.env]\n")
    folder = tools.plugins()
    assert folder is not None
    command = [str(folder / "docker-compose"), "--file", "compose.yml", "config", "--format", "json"]
    environment = {**os.environ, "PATH": tools.search_path()}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)["services"]["one"]["environment"]
    # It writes a dollar sign as two, since its output is a Compose file again.
    assert parse(CORPUS).values("compose") == {key: value.replace("$$", "$") for key, value in theirs.items()}
