"""SSH against a real server: one connection a run, bounded in every way, nothing left behind, clear refusals."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.transports import processes, shell
from pytest_deploycheck.transports.processes import Processes, TooMuch
from pytest_deploycheck.transports.servers import Servers
from pytest_deploycheck.transports.shell import Shell
from pytest_deploycheck.transports.ssh import Multiplexer, explain


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Run the demo's SSH server."""
    with Deployment.only(tmp_path_factory.mktemp("server"), "server") as deployment:
        yield deployment


@contextmanager
def shared(config: str) -> Iterator[Multiplexer]:
    """Share connections for a while, and see that none of them stays."""
    multiplexer = Multiplexer()
    folder = Path(multiplexer.config(config)).parent
    try:
        yield multiplexer
    finally:
        multiplexer.close()
    assert not folder.exists()
    assert not clients(str(folder))


def clients(folder: str) -> list[str]:
    """Return the command lines of processes that name a folder, a moment after they were asked to end."""
    deadline = time.monotonic() + 5
    found = [folder]
    while found and time.monotonic() < deadline:
        found = []
        for entry in Path("/proc").iterdir():
            try:
                line = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if entry.name.isdigit()
                    else ""
                )
            except OSError:
                continue
            if folder in line:
                found.append(line)
        time.sleep(0.05)
    return found


def address(server: Deployment) -> str:
    """Return the server's testinfra address."""
    return f"ssh://{getpass.getuser()}@127.0.0.1:{server.world.port('ssh')}"


def config(server: Deployment) -> str:
    """Return the configuration by which it is reached."""
    return str(server.world.path("server", "ssh_config"))


def logged(server: Deployment) -> tuple[int, int]:
    """Return how many logins and how many commands the server has seen."""
    log = server.world.path("logs", "sshd.log").read_text()
    return log.count("Accepted publickey"), log.count("Starting session")


def test_one_connection_for_all_commands(server: Deployment) -> None:
    """Three commands of a run are three sessions of one connection, as the server itself counts them."""
    logins, sessions = logged(server)
    with shared(config(server)) as multiplexer:
        servers = Servers(
            [address(server)], lambda uri: Shell(uri, multiplexer=multiplexer, ssh_config=config(server))
        )
        servers.expect(main=["uname -s", "id -un"], every=["cat /proc/meminfo"])
        servers.collect()
        assert servers.dead == {}
        assert "MemTotal" in servers.read("cat /proc/meminfo", address(server)).stdout
        assert servers.read("uname -m", address(server)).status == 0
        servers.fetch({address(server): ["cat /proc/uptime", "date +%s%N"]})
        assert servers.read("date +%s%N", address(server)).stdout.strip().isdigit()
    assert logged(server) == (logins + 1, sessions + 3)


def test_without_sharing_each_command_connects(server: Deployment) -> None:
    """The count above can tell: testinfra by itself connects for each command."""
    logins, _ = logged(server)
    alone = Shell(address(server), ssh_config=config(server))
    alone.run("true; echo")
    alone.run("true; echo")
    assert logged(server)[0] == logins + 2


def test_the_users_file_cannot_switch_sharing_off(server: Deployment, tmp_path: Path) -> None:
    """Of each option the first value counts, and the run's own come first; the rest of the file stays in force."""
    own = tmp_path / "with space"
    own.write_text(f'Host *\n  ControlMaster no\n  ControlPath none\nInclude "{config(server)}"\n')
    logins, _ = logged(server)
    with shared(str(own)) as multiplexer:
        one = Shell(address(server), multiplexer=multiplexer, ssh_config=str(own))
        assert one.run("echo a").stdout == "a\n"
        assert one.run("echo b").stdout == "b\n"
    assert logged(server)[0] == logins + 1


def test_a_file_in_the_address_is_included_too(server: Deployment) -> None:
    """`?ssh_config=` of a testinfra address names the user's file, and does not replace the run's."""
    logins, _ = logged(server)
    with shared(config(server)) as multiplexer:
        one = Shell(f"{address(server)}?ssh_config={config(server)}", multiplexer=multiplexer)
        assert one.run("echo a").stdout == "a\n"
        one.run("echo b")
    assert logged(server)[0] == logins + 1


def test_a_config_that_is_not_there_is_named() -> None:
    """A file that does not exist is a mistake in the target file, which ssh itself would pass over."""
    with pytest.raises(CannotLook, match=r"host\.ssh_config: there is no file /nowhere"):
        Multiplexer().config("/nowhere")


def test_a_file_in_use_is_never_written_again(tmp_path: Path) -> None:
    """Clients read the run's file at any time: half of it would let them run by their defaults."""
    own = tmp_path / "config"
    own.touch()
    multiplexer = Multiplexer()
    try:
        path = Path(multiplexer.config(str(own)))
        written = path.stat()
        assert multiplexer.config(str(own)) == str(path)
        assert path.stat() == written
        assert multiplexer.config("") != str(path)
    finally:
        multiplexer.close()


def test_sockets_have_short_names_wherever_temporary_files_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the folder for temporary files has a long name, another is used: a socket's path has 104 characters."""
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    multiplexer = Multiplexer()
    try:
        assert len(str(Path(multiplexer.config("")).parent)) + 1 + 40 + 17 < 104
    finally:
        multiplexer.close()


def test_output_in_another_encoding_costs_no_command(server: Deployment) -> None:
    """Bytes that are no text are replaced here, without asking the server how it writes."""
    one = Shell(address(server), ssh_config=config(server))
    logins, _ = logged(server)
    assert one.run("printf 'a\\377\\303\\251'").stdout == "a\N{REPLACEMENT CHARACTER}é"
    assert logged(server)[0] == logins + 1


def test_a_command_without_end_is_given_up(server: Deployment) -> None:
    """A command that takes too long ends here, with its client, and the sentence says how long it was given."""
    with shared(config(server)) as multiplexer:
        one = Shell(address(server), multiplexer=multiplexer, ssh_config=config(server))
        one.run("echo")
        begun = time.monotonic()
        with pytest.raises(Dead, match="it gave no answer within 1 s"):
            one.run("sleep 20; echo", timeout=1)
        assert time.monotonic() - begun < 10
        assert one.run("echo back").stdout == "back\n"


def test_output_without_end_is_given_up(server: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that prints and prints cannot fill the runner's memory."""
    monkeypatch.setattr(processes, "LARGEST_OUTPUT", 1_000_000)
    one = Shell(address(server), ssh_config=config(server))
    with pytest.raises(Dead, match="more than 1 MB of output"):
        one.run("yes", timeout=30)


def test_a_server_that_accepts_and_never_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A port behind which nobody speaks SSH is said to give no answer, within the time for connecting."""
    monkeypatch.setattr(shell, "CONNECT_TIMEOUT_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent, shared("") as multiplexer:
        uri = f"ssh://nobody@127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(Dead, match="runs no command: it gives no answer to SSH"):
            Shell(uri, multiplexer=multiplexer).run("true", timeout=20)
        assert time.monotonic() - begun < 15


def test_a_slow_server_holds_up_no_other(server: Deployment) -> None:
    """All servers together get the time of the gate; one that does not answer in it is dead, the others are seen."""
    with socket.create_server(("127.0.0.1", 0)) as silent, shared(config(server)) as multiplexer:
        slow = f"ssh://nobody@127.0.0.1:{silent.getsockname()[1]}"
        servers = Servers(
            [address(server), slow],
            lambda uri: Shell(uri, multiplexer=multiplexer, ssh_config=config(server)),
        )
        begun = time.monotonic()
        servers.collect(4)
        assert time.monotonic() - begun < 9
        assert servers.dead == {slow: f"{slow} runs no command: it gave no answer within 4 s"}


def test_refusals_are_told_apart(server: Deployment, tmp_path: Path) -> None:
    """An unknown host key, another host key and a refused login each have a sentence of their own."""
    port = server.world.port("ssh")
    other = server.world.path("server", "client_key.pub").read_text().rsplit(maxsplit=1)[0]
    sentences = {
        "": "its host key is not known",
        f"[127.0.0.1]:{port} {other}\n": "it shows another host key than the one that is known",
    }
    for known, sentence in sentences.items():
        hosts, own = tmp_path / "known_hosts", tmp_path / "config"
        hosts.write_text(known)
        own.write_text(f'UserKnownHostsFile "{hosts}"\nInclude "{config(server)}"\n')
        with shared(str(own)) as multiplexer, pytest.raises(Dead, match=sentence):
            Shell(address(server), multiplexer=multiplexer, ssh_config=str(own)).run("true")
    own.write_text(f'IdentityFile "{tmp_path}/none"\nIdentitiesOnly yes\nInclude "{config(server)}"\n')
    with shared(str(own)) as multiplexer, pytest.raises(Dead, match="it refuses the login"):
        Shell(address(server).replace("//", "//x"), multiplexer=multiplexer, ssh_config=str(own)).run("true")


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        ("ssh: Could not resolve hostname a.example: Name or service not known", "its name has no address"),
        ("ssh: connect to host 10.0.0.1 port 22: No route to host", "there is no way to it from here"),
        ("kex_exchange_identification: Connection closed by remote host", "it ends the connection at once"),
        ("/bin/sh: 1: ssh: not found", "there is no ssh on this machine"),
        ("sudo: a terminal is required to read the password; either use", "sudo asks for a password"),
        ("/x/config: line 3: Bad configuration option: foo", "host.ssh_config is not good"),
        ("something else\nand more", "something else"),
        ("", "no word why"),
    ],
)
def test_sentences(printed: str, sentence: str) -> None:
    """What the client prints becomes a sentence that says what is wrong; its own line stays with it."""
    assert explain(printed).startswith(sentence)


def test_nothing_stays_after_an_interrupt(server: Deployment, tmp_path: Path) -> None:
    """After Ctrl-C in the middle of a look, neither a client nor a socket nor a folder is left."""
    target = tmp_path / "target.toml"
    target.write_text(
        '[target]\nname = "t"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
        f'[host]\nuri = "{address(server)}"\nssh_config = "{config(server)}"\n'
    )
    program = (
        "import sys\nfrom pathlib import Path\nfrom pytest_deploycheck.probes import registry\n"
        "from pytest_deploycheck.run import Run\nfrom pytest_deploycheck.target import load\n"
        "from pytest_deploycheck.transports import servers\n"
        "whole = servers.script\n"
        "servers.script = lambda *given: whole(*given) + '\\nsleep 60'\n"
        "Run(load(Path(sys.argv[1]))).gather(['ssh_gate'], registry())\n"
    )
    _, before = logged(server)
    with tempfile.TemporaryDirectory(prefix="dc", dir="/tmp") as short:
        command = [sys.executable, "-c", program, str(target)]
        with subprocess.Popen(
            command, env={**os.environ, "TMPDIR": short}, stderr=subprocess.DEVNULL
        ) as process:
            deadline = time.monotonic() + 30
            while logged(server)[1] == before and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            (folder,) = Path(short).glob("deploycheck-ssh-*")
            assert any(entry.is_socket() for entry in folder.iterdir())
            process.send_signal(signal.SIGINT)
            assert process.wait(20) != 0
        assert not folder.exists()
        assert not clients(short)


def test_what_runs_is_ended_from_another_thread() -> None:
    """Closing ends a command that runs in another thread at once, and nothing can be started afterwards."""
    running = Processes()
    ended: list[tuple[int, bytes, bytes]] = []
    thread = threading.Thread(target=lambda: ended.append(running.run("sleep 30", 60)))
    thread.start()
    while not running._running:
        time.sleep(0.01)
    running.close()
    thread.join(10)
    assert ended[0][0] == -signal.SIGKILL
    with pytest.raises(OSError, match="the run is over"):
        running.run("true", 1)


def test_a_child_that_keeps_the_output_open_does_not_hold_us_up() -> None:
    """A command that leaves a child behind with its output is given up when its time is over."""
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        Processes().run("sleep 30 & exit 0", 0.5)
    assert time.monotonic() - begun < 10
    with pytest.raises(TooMuch):
        Processes().run("head -c 40000000 /dev/zero", 30)
