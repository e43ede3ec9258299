"""Reads on servers: one command a server for all that a run wants, framed so that nothing can be mistaken."""

from __future__ import annotations

import subprocess

import pytest

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.transports.servers import Servers, parse, script
from pytest_deploycheck.transports.shell import COMPOSED, Done, Shell, refuse_writes


def run_here(text: str) -> Done:
    """Run a script in a POSIX shell on this machine."""
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_batch_keeps_status_output_and_errors_apart() -> None:
    """Each command's own status, output and errors come back, whatever the others print."""
    commands = ["printf 'a\\n\\nb'", "echo bad >&2; exit 3", "true", "cat", "echo '0123 =0'"]
    found = parse(run_here(script(commands, "f00d")), len(commands), "f00d")
    assert found == [
        Done(0, "a\n\nb", ""),
        Done(3, "", "bad"),
        Done(0, "", ""),
        Done(0, "", ""),
        Done(0, "0123 =0\n", ""),
    ]


def test_a_batch_that_broke_off_is_no_answer() -> None:
    """Where the connection broke off, nothing is taken for an answer."""
    whole = run_here(script(["echo a", "echo b"], "f00d"))
    cut = Done(0, whole.stdout[: whole.stdout.rindex("f00d") - 2], whole.stderr)
    assert parse(cut, 2, "f00d") is None


def test_one_command_a_server() -> None:
    """What was declared is fetched by one command; reading it afterwards costs none, another read one more."""
    servers = Servers(["local://"], Shell)
    servers.expect(main=["uname -s"], every=["cat /proc/meminfo", "nproc --all"])
    servers.collect()
    shell = servers._shells["local://"]
    assert "MemTotal" in servers.read("cat /proc/meminfo", "local://").stdout
    assert servers.read("uname -s", "local://").stdout == "Linux\n"
    assert shell.commands == 1
    assert servers.read("uname -m", "local://").status == 0
    assert shell.commands == 2


def test_a_server_that_runs_nothing_is_dead() -> None:
    """A server without a shell behind it is named with what it said."""
    servers = Servers(["local://", "ssh://nobody@127.0.0.1:1"], Shell)
    servers.collect()
    assert list(servers.dead) == ["ssh://nobody@127.0.0.1:1"]
    with pytest.raises(Dead, match="runs no command"):
        servers.read("true", "ssh://nobody@127.0.0.1:1")


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf /srv",
        "cat /etc/shadow",
        "cat /root/.ssh/id_ed25519",
        "cat /etc/letsencrypt/live/a/privkey.pem",
        "cat /proc/meminfo; reboot",
        "docker run x",
        "docker compose up",
        "docker inspect $(reboot)",
        "systemctl restart docker",
        "nginx -s reload",
        "ip -j link set eth0 down",
        "ip -j route flush default",
        "ip -b /tmp/changes route show default",
        "nft -j flush ruleset",
        "iptables-save -f /etc/passwd",
        "journalctl --vacuum-size=1",
        "git -C /srv pull",
        "git -C /srv remote set-url origin https://elsewhere.example/x",
        "git -C /srv tag -d v1",
        "git -C /srv log --output=/etc/cron.d/x",
        "git -c core.fsmonitor=/tmp/x -C /srv status",
        "git -c core.pager=/tmp/x -C /srv log",
        "restic -r /srv backup /",
        "restic -r /srv snapshots",
        "restic -r /srv --password-command=reboot --no-cache --no-lock snapshots --json",
        "restic -r /srv --no-cache --no-lock snapshots --json --password-command=reboot",
        "pgbackrest --stanza=main stop",
        "apt-get upgrade",
        "apt-get -s -o APT::Update::Pre-Invoke::=reboot dist-upgrade",
        "dnf -C -q update",
        "cat /proc/meminfo\nreboot",
    ],
)
def test_writes_are_refused(command: str) -> None:
    """Nothing that changes a server, or shows a key, passes the list of reads."""
    with pytest.raises(CannotLook, match="not on the list of reads"):
        refuse_writes(command)


@pytest.mark.parametrize(
    "command",
    [
        *sorted(COMPOSED),
        "df -B1 --output=size,avail,itotal,iavail,source,target /var/lib/docker",
        "openssl pkey -pubout -in /etc/letsencrypt/live/a/privkey.pem",
        "systemctl list-timers --all --output=json",
        "apt-config dump",
        "apt-get -s -o Debug::NoLocking=true dist-upgrade",
        "dnf -C -q updateinfo list --security",
        "needs-restarting -r",
        "nft -j list ruleset",
        "ip -j -6 route show default",
        "ip6tables-legacy-save",
        "ip -j addr show scope global",
        "docker compose -p shop ps --all --no-trunc --format json",
        "git -c safe.directory=* -C /srv/shop status --porcelain=v1",
        "git --no-optional-locks -c safe.directory=* -c core.fsmonitor=false -C /srv/shop rev-list --count origin/main..HEAD",
        "git --no-optional-locks -C /srv/shop remote get-url origin",
        "git -C /srv/shop log --all --format=%H -- .env",
        "pgbackrest --stanza=main --output=json info",
        "restic -r sftp:nas:/srv --password-file=/etc/restic.pw --no-cache --no-lock snapshots --json",
    ],
)
def test_reads_pass(command: str) -> None:
    """What the probes read is on the list."""
    refuse_writes(command)
