"""The demo's server: a hardened sshd, its own tools first, and a stand-in for systemd that only reads."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.server import standin
from pytest_deploycheck.probes import host_parse
from pytest_deploycheck.target import load
from tests.demo.conftest import gone


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Run the server and the edge that its tools ask about."""
    with Deployment.only(tmp_path_factory.mktemp("server"), "server", "nginx") as deployment:
        assert not deployment.absent
        yield deployment


def ssh(server: Deployment, *words: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command on the server as a client with its key."""
    host = load(server.target).host
    assert host is not None
    user, _, place = host.uri.removeprefix("ssh://").partition("@")
    name, _, port = place.partition(":")
    config = server.world.path("server", "ssh_config")
    return subprocess.run(
        ["ssh", "-F", str(config), *options, "-l", user, "-p", port, name, *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )


def test_the_demos_own_tools_come_first(server: Deployment) -> None:
    """What a client runs finds the demo's nginx, sshd and systemctl before the machine's."""
    done = ssh(
        server,
        "for name in nginx sshd systemctl timedatectl; do command -v $name; done; nginx -T; sshd -T; echo $HOME",
    )
    assert done.returncode == 0, done.stderr
    folder = server.world.path("server", "bin")
    for name in ("nginx", "sshd", "systemctl", "timedatectl"):
        assert f"{folder}/{name}\n" in done.stdout
    assert f"# configuration file {server.world.path('nginx', 'nginx.conf')}:" in done.stdout
    assert f"listenaddress 127.0.0.1:{server.world.port('ssh')}" in done.stdout
    assert done.stdout.endswith(f"{server.world.path('server')}\n")


def test_the_server_is_hardened(server: Deployment) -> None:
    """No passwords, no root by password, nothing forwarded; and these are what it runs with."""
    settings = host_parse.settings(ssh(server, "sshd -T").stdout)
    assert settings["passwordauthentication"] == "no"
    assert settings["kbdinteractiveauthentication"] == "no"
    assert settings["permitrootlogin"] in ("no", "without-password")
    assert settings["disableforwarding"] == "yes"
    refused = ssh(
        server, "true", options=("-o", "PubkeyAuthentication=no", "-o", "PasswordAuthentication=yes")
    )
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr


def test_a_status_comes_back(server: Deployment) -> None:
    """The status of what ran is the client's, and without a command there is a shell."""
    assert ssh(server, "exit 7").returncode == 7
    assert ssh(server).returncode == 0


def test_only_we_can_read_what_opens_it(server: Deployment) -> None:
    """Keys are for their owner alone."""
    folder = server.world.path("server")
    assert folder.stat().st_mode & 0o077 == 0
    for name in ("client_key", "host_key"):
        assert (folder / name).stat().st_mode & 0o077 == 0


def test_units_answer_as_systemd_does(server: Deployment) -> None:
    """The stand-in's answers are read by the parser of the real ones, and tell of a healthy machine."""
    text = ssh(server, "TZ=UTC systemctl show '*.timer' '*.service' nothing.timer").stdout
    units = {unit.name: unit for unit in host_parse.units(text, ("ssh.service",))}
    assert "nothing.timer" not in units
    timer = units["certbot.timer"]
    assert (timer.active, timer.enabled, timer.triggers) == ("active", "enabled", "certbot.service")
    assert datetime.fromisoformat(timer.last_trigger_at) < datetime.fromisoformat(timer.next_at)
    assert (units["certbot.service"].result, units["certbot.service"].status) == ("success", 0)
    assert units["ssh.service"].active == "active"
    (row,) = [
        entry
        for entry in json.loads(ssh(server, "systemctl list-timers --all --output=json").stdout)
        if entry["unit"] == "certbot.timer"
    ]
    assert row["activates"] == "certbot.service"
    assert row["last"] < row["next"]
    assert ssh(server, "timedatectl show -p NTPSynchronized").stdout == "NTPSynchronized=yes\n"


def folder_with(tmp_path: Path, **units: Mapping[str, object]) -> Path:
    """Write units for the stand-in."""
    (tmp_path / "units.json").write_text(
        json.dumps({name.replace("_", "."): row for name, row in units.items()})
    )
    return tmp_path


def test_statuses_are_systemctls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """is-active gives 3 for what does not run, is-enabled 1 for what is disabled or unknown; each says its state."""
    on = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled"}
    off = {**on, "ActiveState": "inactive", "SubState": "dead", "UnitFileState": "disabled"}
    folder = folder_with(tmp_path, a_service=on, b_service=off)
    answers = {
        ("is-active", "a"): (0, "active\n"),
        ("is-active", "b"): (3, "inactive\n"),
        ("is-active", "nothing"): (3, "inactive\n"),
        ("is-enabled", "a.service"): (0, "enabled\n"),
        ("is-enabled", "b"): (1, "disabled\n"),
        ("is-enabled", "nothing"): (1, ""),
        ("show", "-p", "Id,ActiveState", "b"): (0, "Id=b.service\nActiveState=inactive\n"),
        ("show", "--property=LoadState", "nothing"): (0, "LoadState=not-found\n"),
    }
    for words, (status, printed) in answers.items():
        assert standin.systemctl(folder, list(words)) == status, words
        assert capsys.readouterr().out == printed, words


@pytest.mark.parametrize("verb", ["restart", "stop", "enable", "daemon-reload", "kill"])
def test_the_stand_in_changes_nothing(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What would change a machine is refused, and said to be a stand-in's refusal."""
    folder = folder_with(tmp_path, a_service={"ActiveState": "active"})
    before = (folder / "units.json").read_bytes()
    assert standin.systemctl(folder, [verb, "a"]) == 1
    assert "stand-in" in capsys.readouterr().err
    assert (folder / "units.json").read_bytes() == before


def test_stand_ins_are_labelled(server: Deployment) -> None:
    """The target file says what is not real about this server."""
    assert {"systemd", "certbot"} <= set(load(server.target).standins)


def test_it_starts_again_with_the_same_keys(tmp_path: Path) -> None:
    """A second start keeps the keys, so that clients still know the server; nothing runs on after a stop."""
    with Deployment.only(tmp_path, "server") as first:
        key = first.world.path("server", "host_key.pub").read_text()
    assert not gone(tmp_path)
    with Deployment.only(tmp_path, "server") as again:
        assert again.world.path("server", "host_key.pub").read_text() == key
        assert ssh(again, "true").returncode == 0
    assert not gone(tmp_path)
