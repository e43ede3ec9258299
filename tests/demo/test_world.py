"""The folder of a deployment: ports, secrets and release are files that any process reads back."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_deploycheck.demo.world import World, is_free


def test_a_port_is_remembered(tmp_path: Path) -> None:
    """A second look at the folder, also by another process, sees the same port."""
    port = World(tmp_path).port("edge")
    assert World.load(tmp_path).port("edge") == port
    code = (
        "import sys; from pytest_deploycheck.demo.world import World;"
        " print(World.load(sys.argv[1]).port('edge'))"
    )
    other = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert int(other.stdout) == port


def test_worlds_do_not_share_ports(tmp_path: Path) -> None:
    """Worlds open side by side get distinct ports although nothing listens on them yet."""
    worlds = [World(tmp_path / str(number)) for number in range(60)]
    ports = [world.port(name) for world in worlds for name in ("edge", "postgres")]
    assert len(set(ports)) == len(ports)


def test_a_taken_port_is_passed_over(tmp_path: Path) -> None:
    """A port that somebody listens on is not handed out."""
    world = World(tmp_path)
    first = world.port("first")
    with socket.socket() as other:
        other.bind(("127.0.0.1", first + 1))
        other.listen()
        assert not is_free(first + 1)
        assert world.port("second") != first + 1


def test_secrets_are_private_and_kept(tmp_path: Path) -> None:
    """A secret is long, differs from others, is read back, and only its owner may read file and folder."""
    world = World(tmp_path)
    secret = world.secret("redis_password")
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{23,}", secret)
    assert World.load(tmp_path).secret("redis_password") == secret
    assert world.secret("jwt_secret") != secret
    assert stat.S_IMODE((tmp_path / "secrets" / "redis_password").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_the_signer_key_is_a_private_key(tmp_path: Path) -> None:
    """The signer's secret is 32 bytes in hex."""
    assert re.fullmatch(r"0x[0-9a-f]{64}", World(tmp_path).secret("signer_key"))


def test_the_release_stays(tmp_path: Path) -> None:
    """Version, commit and time of deployment are set once."""
    release = World(tmp_path).release
    assert re.fullmatch(r"[0-9a-f]{40}", release.commit)
    assert World.load(tmp_path).release == release


def test_loading_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    """A folder without a deployment is refused with the command that makes one."""
    with pytest.raises(FileNotFoundError, match=r"holds no deployment.*deploycheck demo up"):
        World.load(tmp_path)


def test_the_edge_is_named_as_in_its_certificate(tmp_path: Path) -> None:
    """The edge's address is https://localhost, other services are on 127.0.0.1."""
    world = World(tmp_path)
    assert world.url("edge") == f"https://localhost:{world.port('edge')}"
    assert world.url("prometheus") == f"http://127.0.0.1:{world.port('prometheus')}"
