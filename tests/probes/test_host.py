"""What servers answer, as captured, made into facts; and a look at this machine as a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes import host_parse as parse
from pytest_deploycheck.probes import registry
from pytest_deploycheck.probes.host_facts import FileSystem, HostFacts, Listener, OperatingSystem
from pytest_deploycheck.rules import os_support
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.transports.shell import refuse_writes

STAT = """cpu  10132153 290696 3084719 46828483 16683 0 25195 175628 0 0
cpu0 1393280 32966 572056 13343292 6130 0 17875 23933 0 0
cpu1 1335143 28128 566324 13367013 6155 0 1563 23816 0 0
intr 8688370
"""
SS = """udp   UNCONN 0      0         127.0.0.53%lo:53        0.0.0.0:*    users:(("systemd-resolve",pid=601,fd=13))
udp   UNCONN 0      0      10.0.0.5%eth0:68        0.0.0.0:*    users:(("systemd-network",pid=599,fd=17))
tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=812,fd=3))
tcp   LISTEN 0      244        127.0.0.1:5432      0.0.0.0:*    users:(("postgres",pid=900,fd=6))
tcp   LISTEN 0      511                *:80              *:*    users:(("nginx",pid=1,fd=6),("nginx",pid=2,fd=6))
tcp   LISTEN 0      128             [::]:22           [::]:*
tcp   LISTEN 0      128            [::1]:631          [::]:*
"""
NETSTAT = """Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      812/sshd
tcp        0      0 :::80                   :::*                    LISTEN      1/nginx: master pro
udp        0      0 127.0.0.1:323           0.0.0.0:*                           700/chronyd
tcp        0      0 127.0.0.1:5432          0.0.0.0:*               LISTEN      -
"""
UNITS = """Result=success
NextElapseUSecRealtime=Tue 2026-11-24 22:13:02 UTC
LastTriggerUSec=Tue 2026-11-24 08:44:11 UTC
Id=certbot.timer
Triggers=certbot.service
LoadState=loaded
ActiveState=active
SubState=waiting
UnitFileState=enabled

Result=success
ExecMainStartTimestamp=Tue 2026-11-24 08:44:11 UTC
ExecMainExitTimestamp=Tue 2026-11-24 08:44:13 UTC
ExecMainStatus=0
Id=certbot.service
Triggers=
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=static

Result=exit-code
ExecMainStatus=3
ExecMainExitTimestamp=
Id=shop-report.service
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled

Id=rsyslog.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled

Id=ufw.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=

NextElapseUSecRealtime=
LastTriggerUSec=n/a
Id=certbot.timer
Triggers=certbot.service
LoadState=loaded
ActiveState=active
SubState=waiting
UnitFileState=enabled
"""
DF = """File                                Filesystem     Type      1B-blocks       Avail   Inodes    IFree Mounted on
/                                   /dev/vda1      ext4     52574613504 31457280000  3276800  3000000 /
/var/lib/docker                     /dev/vdb       xfs     107374182400 90000000000        0        0 /var/lib/docker
/srv                                rpool/data     btrfs   107374182400 90000000000        -        - /srv/with space
"""


def test_processors_and_stolen_time() -> None:
    """Of /proc/stat come all ticks, guests' among them once, the stolen ones, and how many processors are online."""
    assert parse.cpu_ticks(STAT) == (60553557, 175628, 2)
    assert parse.cpu_ticks("") is None
    assert parse.cpu_ticks("cpu  1 2 3\n") is None


@pytest.mark.parametrize(
    ("v2", "v1", "cores"),
    [
        ("150000 100000\n", "", 1.5),
        ("max 100000\n", "", None),
        ("", "-1\n100000\n", None),
        ("", "50000\n100000\n", 0.5),
        ("", "", None),
        ("1 0", "", None),
    ],
)
def test_quotas(v2: str, v1: str, cores: float | None) -> None:
    """A control group's quota is in cores, in both versions; "max", -1 and nothing are no quota."""
    assert parse.quota(v2, v1) == cores


def test_listeners() -> None:
    """Sockets are read with address, port and process, of `ss` and of the older netstat."""
    found = parse.listeners(SS, "")
    assert found[0] == Listener("udp", "127.0.0.53", 53, "systemd-resolve")
    assert found[2:] == (
        Listener("tcp", "0.0.0.0", 22, "sshd"),  # noqa: S104
        Listener("tcp", "127.0.0.1", 5432, "postgres"),
        Listener("tcp", "*", 80, "nginx"),
        Listener("tcp", "::", 22, ""),
        Listener("tcp", "::1", 631, ""),
    )
    assert [one.loopback for one in found] == [True, False, False, True, False, False, True]
    assert parse.listeners("", NETSTAT) == (
        Listener("tcp", "0.0.0.0", 22, "sshd"),  # noqa: S104
        Listener("tcp", "::", 80, "nginx"),
        Listener("udp", "127.0.0.1", 323, "chronyd"),
        Listener("tcp", "127.0.0.1", 5432, ""),
    )


def test_units() -> None:
    """Timers with what they start, what failed and what was named are kept, once each; the rest is left out."""
    found = {unit.name: unit for unit in parse.units(UNITS, ("ufw.service",))}
    assert set(found) == {"certbot.timer", "certbot.service", "shop-report.service"}
    assert found["certbot.service"].ended_at == "2026-11-24T08:44:13+00:00"
    assert found["certbot.service"].status == 0
    assert found["shop-report.service"].result == "exit-code"
    assert "rsyslog.service" in {unit.name for unit in parse.units(UNITS, ("rsyslog.service",))}
    (timer,) = parse.units(UNITS.partition("\n\n")[0], ())
    assert (timer.last_trigger_at, timer.next_at) == (
        "2026-11-24T08:44:11+00:00",
        "2026-11-24T22:13:02+00:00",
    )
    assert (timer.enabled, timer.triggers) == ("enabled", "certbot.service")


def test_file_systems() -> None:
    """Bytes and inodes are read; a file system that makes inodes as needed has none to run out of."""
    holds = {"/": "system", "/var/lib/docker": "containers", "/srv": "data"}
    root, docker, srv = parse.filesystems(DF, "", holds)
    assert root == FileSystem(
        "/", "system", "/", "/dev/vda1", "ext4", 52574613504, 31457280000, 3276800, 3000000
    )
    assert (docker.holds, docker.inodes, docker.inodes_available) == ("containers", None, None)
    assert (srv.mount, srv.inodes) == ("/srv/with space", None)


def test_file_systems_of_an_older_df() -> None:
    """Where df knows no --output, the plain form tells of bytes; rows that cannot be told apart tell nothing."""
    plain = (
        "Filesystem 1024-blocks Used Available Capacity Mounted on\n"
        "/dev/vda1 51342396 20000000 30720000 40% /\n"
    )
    (root,) = parse.filesystems("", plain, {"/": "system"})
    assert (root.size_bytes, root.available_bytes, root.inodes) == (52574613504, 31457280000, None)
    assert parse.filesystems("", plain, {"/": "system", "/gone": "data"}) == ()


def test_operating_systems() -> None:
    """os-release is read with and without quotes, and the table knows until when there are updates."""
    text = 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nNAME="Ubuntu"\nVERSION_ID="22.04"\nID=ubuntu\nID_LIKE=debian\n'
    assert parse.os_release(text) == OperatingSystem("ubuntu", "22.04", "Ubuntu 22.04.5 LTS", "2027-06-01")
    assert parse.os_release("nothing") is None
    assert os_support.ends("alpine", "3.21.3") == "2026-11-01"
    assert os_support.ends("rhel", "9.4") == "2032-05-31"
    assert os_support.ends("nixos", "25.05") == ""


def test_engine_and_containers() -> None:
    """Where docker or podman keep data, what running containers may take, and where databases' volumes are."""
    assert parse.engine_root({"DockerRootDir": "/var/lib/docker"}) == "/var/lib/docker"
    assert (
        parse.engine_root({"store": {"graphRoot": "/var/lib/containers/storage"}})
        == "/var/lib/containers/storage"
    )
    assert parse.engine_root({"DockerRootDir": "", "ServerErrors": ["no"]}) == ""
    assert parse.engine_root(None) == ""

    def container(memory: int, running: bool, source: str, destination: str, writable: bool = True) -> object:
        mount = {"Type": "bind", "Source": source, "Destination": destination, "RW": writable}
        return {"State": {"Running": running}, "HostConfig": {"Memory": memory}, "Mounts": [mount]}

    found = parse.containers(
        [
            container(2**30, True, "/srv/pg", "/var/lib/postgresql/data"),
            container(0, True, "/srv/conf", "/etc/app"),
            container(2**31, False, "/srv/old", "/var/lib/mysql"),
            container(2**29, True, "/srv/ro", "/data/db", writable=False),
        ]
    )
    assert found == (2**30 + 2**29, 1, ("/srv/pg",))
    assert parse.containers(None) is None


def test_settings_of_sshd() -> None:
    """Keywords and values of `sshd -T`; a keyword with several lines keeps them all."""
    text = "port 22\npermitrootlogin without-password\nhostkey /a\nhostkey /b\nsubsystem sftp /usr/lib/sftp-server\n"
    assert parse.settings(text) == {
        "port": "22",
        "permitrootlogin": "without-password",
        "hostkey": "/a /b",
        "subsystem": "sftp /usr/lib/sftp-server",
    }


@pytest.mark.parametrize("text", ["", "n/a", "infinity", "Tue 2026-11-24 08:44:11 CET", "1700000000"])
def test_moments_that_are_none(text: str) -> None:
    """What is no moment in UTC is none."""
    assert parse.moment(text) == ""


def test_a_look_at_this_machine(tmp_path: Path) -> None:
    """This machine as a server: what its own kernel says, within what can change meanwhile."""
    path = tmp_path / "target.toml"
    path.write_text(
        '[target]\nname = "t"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
        f'[host]\nuri = "local://"\ndata_dirs = ["{tmp_path}", "/nowhere"]\n'
        "[limits]\nhost_steal_window_s = 0.2\n"
    )
    seen = Run(load(path)).gather(["host"], registry())["host"]
    assert seen.state == "seen", seen.detail
    facts: HostFacts = seen.facts
    meminfo = parse.memory(Path("/proc/meminfo").read_text())
    assert facts.main.mem_total_bytes is not None
    assert facts.main.mem_total_bytes <= meminfo["MemTotal"]
    assert facts.main.cpus is not None and facts.main.cpus > 0
    assert facts.main.steal is not None and 0 <= facts.main.steal <= 1
    assert {disk.path for disk in facts.main.filesystems} >= {"/", str(tmp_path)}
    assert facts.data_dirs == (str(tmp_path), "/nowhere")
    assert facts.main.clock_skew_s is not None and abs(facts.main.clock_skew_s) < 5
    assert abs((datetime.now(UTC) - datetime.fromisoformat(facts.main.boot_at)).total_seconds()) > 0
    again = registry()["host"].revive(json.loads(json.dumps(_values(facts))))
    assert again == facts


def _values(facts: HostFacts) -> object:
    from pytest_deploycheck.record import jsonable

    return jsonable(facts)


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("systemctl show --no-pager --property=Id '*.timer' '*.service' ssh.service", True),
        ("systemctl show '*.timer; reboot'", False),
        ("systemctl stop '*.timer'", False),
        ("netstat -ltunp", True),
        ("date +%s%N", True),
        ("date 010100002030", False),
        ("hostname", True),
        ("hostname other", False),
        ("journalctl -u ssh --no-pager -n 50 --output=json", True),
        ("journalctl --update-catalog", False),
        ("journalctl --setup-keys", False),
        ("restic --password-command=/sbin/reboot --no-lock snapshots", False),
        ("pgbackrest --cmd-ssh=/tmp/x info", False),
        ("ss -K", False),
        ("ss -tK", False),
        ("ss -K dst 10.0.0.1", False),
        ("timedatectl set-ntp false", False),
        ("df -B1 --output=file,size,target / /srv/data", True),
        ("df / > /etc/passwd", False),
    ],
)
def test_reads_of_a_server(command: str, allowed: bool) -> None:
    """What the probe reads is on the list, and what looks like it but changes something is not."""
    if allowed:
        refuse_writes(command)
        return
    with pytest.raises(CannotLook, match="not on the list of reads"):
        refuse_writes(command)
