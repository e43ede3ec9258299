"""Commands of a drill: where they run, what they are given, what they tell, and that none of them is left behind."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from pytest_deploycheck.drill.commands import Commands, Ran, end_leftover, permit, start_of
from pytest_deploycheck.drill.state import wait
from pytest_deploycheck.target import load

TARGET = """\
[target]
name = "small"
environment = "staging"
base_url = "http://127.0.0.1:1"
[rollback]
on = "{on}"
"""


def commands(folder: Path, on: str = "local", host: str = "") -> Commands:
    """Return the hands of a drill of a target in a folder; a secret is taken out of what they show."""
    text = TARGET.format(on=on) + (f"[host]\n{host}\n" if host else "")
    (folder / "target.toml").write_text(text)
    target = load(folder / "target.toml")
    return Commands(permit(target, asked=True), target, lambda text: text.replace("s3cret", "***"))


def run(folder: Path, command: str, timeout: float = 60.0) -> Ran:
    """Run a command here."""
    return commands(folder).run(command, timeout=timeout, given={"DEPLOYCHECK_SNAPSHOT": "a b"})


def test_what_a_command_tells(tmp_path: Path) -> None:
    """The JSON object of the last line is what it told; the rest is a digest and the end of the text."""
    ran = run(tmp_path, """echo working s3cret; echo '{"id": "s1", "items": {"env": {}}}'""")
    assert ran.status == 0
    assert dict(ran.said) == {"id": "s1", "items": {"env": {}}}
    assert len(ran.output_sha256) == 64
    assert "s3cret" not in ran.tail


@pytest.mark.parametrize("last", ["done", "[1]", "{", ""])
def test_a_command_that_tells_nothing(tmp_path: Path, last: str) -> None:
    """A last line that is no JSON object tells nothing."""
    assert run(tmp_path, f"echo {shlex.quote(last)}").said == {}


def test_what_a_command_is_given(tmp_path: Path) -> None:
    """Variables arrive as they are, blanks and all, and the folder is that of the target file."""
    ran = run(tmp_path, 'echo "$DEPLOYCHECK_SNAPSHOT" > given; pwd')
    assert (tmp_path / "given").read_text() == "a b\n"
    assert ran.tail == str(tmp_path)


def test_a_command_that_does_not_end(tmp_path: Path) -> None:
    """When its time is over, it is ended with all that it started, and its status says so."""
    ran = run(tmp_path, "echo $$ > pid; sleep 600 & echo $! > child; wait", timeout=5.0)
    assert ran.status == 124
    left = [int((tmp_path / name).read_text()) for name in ("pid", "child")]
    assert wait(lambda: not any(map(start_of, left)), 30) is not None, "what it started still runs"


def test_a_process_of_another_time_is_left_alone() -> None:
    """A number that was given to another process since is not ended."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        assert not end_leftover(process.pid, "1")
        assert start_of(process.pid)
        assert end_leftover(process.pid, start_of(process.pid))
    finally:
        process.kill()
        process.wait()
    assert not end_leftover(process.pid, "")


def test_where_a_command_runs(tmp_path: Path) -> None:
    """On the server it goes through ssh or the engine, with its variables in front of it, quoted."""
    given = {"DEPLOYCHECK_SNAPSHOT": "a b"}
    over_ssh = commands(
        tmp_path, "host", 'uri = "ssh://ops@db.example:2222"\nssh_config = "cfg"\nsudo = true'
    )
    argv = over_ssh._argv("restore now", given)
    assert argv[:3] == ["ssh", "-F", str(tmp_path / "cfg")]
    assert argv[-4:-1] == ["-p", "2222", "ops@db.example"]
    assert argv[-1].startswith("sudo -n /bin/sh -c ")
    script = shlex.split(argv[-1])[-1]
    assert script == "export DEPLOYCHECK_SNAPSHOT='a b'; restore now"
    in_container = commands(tmp_path, "host", 'uri = "docker://app"')._argv("restore now", given)
    assert in_container[:3] == ["docker", "exec", "app"]
    here = commands(tmp_path, "host", 'uri = "local://"')._argv("restore now", given)
    assert here[0] == "/bin/sh"
