"""The docker probe over recorded answers: both shapes of Compose's list, podman, and servers that refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes import docker_engine
from pytest_deploycheck.probes.docker import entries, events
from pytest_deploycheck.probes.docker_compose import declaration, listed, services
from pytest_deploycheck.probes.docker_containers import container, image
from pytest_deploycheck.probes.docker_facts import DockerFacts, same_source
from pytest_deploycheck.probes.docker_steady import read
from pytest_deploycheck.rules.startup_order import COMPLETED, HEALTHY, STARTED
from pytest_deploycheck.target import load
from pytest_deploycheck.transports.shell import Done
from tests.faults.harness import look
from tests.probes.docker_samples import entries as sample
from tests.probes.docker_samples import facts, shim, text, the

TARGET = """
[target]
name = "shop"
environment = "staging"
base_url = "http://127.0.0.1:1"
[host]
uri = "local://"
[release]
commit = "0000000000000000000000000000000000000000"
"""


def seen(
    folder: Path, monkeypatch: pytest.MonkeyPatch, maker: str = "docker-26.1", more: str = "", **instead: str
) -> dict[str, Observation]:
    """Look with the docker probe at a server whose docker command prints what was recorded."""
    path = shim(folder, maker, **instead)
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    (folder / "target.toml").write_text(TARGET + more)
    return look(load(folder / "target.toml"), ["docker"])[1]


def seen_facts(observations: dict[str, Observation]) -> DockerFacts:
    """Return the facts of a look that saw something."""
    found = observations["docker"]
    assert found.state == "seen", found
    assert isinstance(found.facts, DockerFacts)
    return found.facts


def test_the_recorded_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of a small project comes out of the answers: engine, services, containers, images, events."""
    found = seen_facts(seen(tmp_path, monkeypatch))
    assert (found.engine.kind, found.engine.version, found.compose.version) == (
        "docker",
        "26.1.5+dfsg1",
        "2.26.1",
    )
    assert found.engine.root_dir == "/var/lib/docker"
    assert (found.project, found.projects) == ("shop", ("shop",))
    assert {one.name: one.replicas for one in found.services or ()} == {"api": 1, "db": 1, "migrate": 1}
    assert found.product == ("api", "migrate")
    assert found.oneshots == {"migrate"}
    api = the(found, "api")
    assert (api.running, api.health, api.user, api.restart_policy) == (
        True,
        "healthy",
        "10001",
        "unless-stopped",
    )
    assert (api.memory_bytes, api.cpus) == (64 * 2**20, 0.5)
    assert [(one.address, one.port, one.container_port) for one in api.published] == [
        ("127.0.0.1", 8080, 8000)
    ]
    assert (the(found, "migrate").state, the(found, "migrate").exit_code) == ("exited", 0)
    assert the(found, "db").log_max_size == "10m"
    assert {one.action for one in found.events} == {"start", "die", "health_status: healthy"}
    built = found.image(api.image_id)
    assert built is not None and len(built.label("revision")) == 40 and not built.root
    assert {len(one.config_hashes) for one in found.services or ()} == {1, 2}
    assert all(
        one.config_hash in (found.service(one.service) or pytest.fail()).config_hashes for one in found.own
    )


def test_no_secret_of_the_environment_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What inspect and config print of the environment is in no fact."""
    assert "not-a-secret-1" in text("docker-26.1-inspect.json") and "not-a-secret-1" in text(
        "compose-2.26-declared.txt"
    )
    found = seen(tmp_path, monkeypatch)["docker"]
    assert "not-a-secret-1" not in json.dumps(found.to_json())


def test_both_shapes_of_the_list_say_the_same() -> None:
    """The array of Compose before 2.21 and the lines since then give the same containers."""
    lines, array = listed(text("compose-2.26-ps.ndjson")), listed(text("compose-2.20-ps.json"))
    assert lines == array
    assert {(one.service, one.state, one.health) for one in lines or ()} == {
        ("api", "running", "healthy"),
        ("db", "running", "healthy"),
        ("migrate", "exited", "none"),
    }


@pytest.mark.parametrize(
    ("answer", "found"), [("", ()), ("[]", ()), ("NAME  IMAGE", None), ("[1]", None), ('{"a":', None)]
)
def test_other_lists(answer: str, found: object) -> None:
    """Nothing is no container; a table, or what broke off, is no list."""
    assert listed(answer) == found


def test_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Podman behind the docker command is an engine; its containers are read from its own shapes."""
    found = seen_facts(
        seen(tmp_path, monkeypatch, "podman-4.3", compose_version="exit 125", declared="exit 125")
    )
    assert (found.engine.kind, found.engine.version, found.engine.log_driver) == (
        "podman",
        "4.3.1",
        "k8s-file",
    )
    assert found.compose.version == ""
    assert (found.project, found.services) == ("shop", None)
    api = the(found, "api")
    assert (api.running, api.health, api.log_max_size, api.memory_bytes) == (
        True,
        "healthy",
        "1MB",
        64 * 2**20,
    )
    kept = found.image(api.image_id)
    assert kept is not None and kept.digests


@pytest.mark.parametrize(
    ("said", "state", "about"),
    [
        (
            "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 1",
            "dead",
            "docker",
        ),
        (
            "echo 'permission denied while trying to connect to the Docker daemon' >&2; exit 1",
            "unseen",
            "no_access",
        ),
        ("exit 127", "dead", "docker"),
        ("echo not json", "dead", "docker"),
    ],
)
def test_no_engine(
    said: str, state: str, about: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client without an engine is a dead gate; a closed socket says nothing of the engine."""
    found = seen(tmp_path, monkeypatch, version=said, info=said)["docker"]
    assert (found.state, found.gate or found.reason) == (state, about)


def test_no_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine without a container is seen, and is no project."""
    nothing = "echo '\"docker inspect\" requires at least 1 argument.' >&2; exit 1"
    found = seen_facts(
        seen(
            tmp_path, monkeypatch, ids="true", inspect=nothing, images=nothing, labels=nothing, events="true"
        )
    )
    assert (found.containers, found.images, found.project, found.services) == ((), (), "", None)
    assert "docker.compose_files" in found.services_unseen


def test_inspect_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An inspect that says neither containers nor that there are none is unparseable, and quoted."""
    found = seen(tmp_path, monkeypatch, inspect="echo 'daemon is shutting down' >&2; exit 1")["docker"]
    assert (found.state, found.reason) == ("unseen", "unparseable")
    assert "daemon is shutting down" in found.detail


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers are seen all the same, and Compose's last line says why the services are not."""
    denied = "echo 'open /srv/shop/.env: permission denied' >&2; exit 1"
    found = seen_facts(seen(tmp_path, monkeypatch, declared=denied))
    assert found.services is None and len(found.own) == 3
    assert "open /srv/shop/.env: permission denied" in found.services_unseen


def test_several_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where several run, none is guessed; the target file's is taken."""
    both = sample("docker-26.1-inspect.json")
    other = json.loads(json.dumps(both[0]))
    other["Config"]["Labels"]["com.docker.compose.project"] = "monitoring"
    (tmp_path / "both.json").write_text(json.dumps([*both, other]))
    instead = {"inspect": f"cat {tmp_path / 'both.json'}"}
    found = seen_facts(seen(tmp_path, monkeypatch, **instead))
    assert (found.project, found.projects, found.services) == ("", ("monitoring", "shop"), None)
    assert "docker.project" in found.services_unseen
    named = seen_facts(seen(tmp_path, monkeypatch, more='[docker]\nproject = "shop"\n', **instead))
    assert (named.project, len(named.own)) == ("shop", 3)


def test_an_engine_with_an_open_door_says_so() -> None:
    """The engine's own warnings name the addresses of an API without encryption."""
    info = docker_engine.document(text("docker-26.1-info.json"))
    info["Warnings"] = [
        "[DEPRECATION NOTICE]: API is accessible on http://0.0.0.0:2375 without encryption.",
        "WARNING: No swap limit support",
    ]
    found = docker_engine.engine(text("docker-26.1-version.json"), json.dumps(info))
    assert found is not None
    assert (found.plain_api, found.warnings) == (
        ("http://0.0.0.0:2375",),
        ("WARNING: No swap limit support",),
    )


def test_a_rootless_engine_is_known() -> None:
    """The engine says that it runs without rights."""
    info = docker_engine.document(text("docker-26.1-info.json"))
    info["SecurityOptions"] = ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]
    found = docker_engine.engine(text("docker-26.1-version.json"), json.dumps(info))
    assert found is not None and found.rootless
    assert not facts().engine.rootless


@pytest.mark.parametrize(
    ("status", "text", "version"),
    [
        (0, "2.26.1-4\n", "2.26.1-4"),
        (0, "v2.32.4\n", "2.32.4"),
        (0, "5.0.1", "5.0.1"),
        (0, "podman-compose version 1.0.3\n", "1.0.3"),
        (1, "docker: 'compose' is not a docker command", ""),
        (0, "", ""),
    ],
)
def test_versions_of_compose(status: int, text: str, version: str) -> None:
    """The version is found among other words; a command that failed tells none."""
    assert docker_engine.compose_tool((status, text), (127, "")).plugin == version


def test_the_legacy_program_is_no_compose() -> None:
    """docker-compose 1 counts for nothing, its successor under the same name does."""
    assert docker_engine.compose_tool((1, ""), (0, "1.29.2")).version == ""
    assert docker_engine.compose_tool((1, ""), (0, "2.32.4")).version == "2.32.4"


def test_units() -> None:
    """Loaded units are read, those that do not exist are not; without systemd nothing is known."""
    blocks = (
        "Id=docker.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\n"
        "Id=podman.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n"
    )
    assert [one.name for one in docker_engine.units(0, blocks) or ()] == ["docker.service"]
    assert docker_engine.units(1, "System has not been booted with systemd as init system") is None


def test_listeners() -> None:
    """The plain API's port is found in either family, and no port that only ends like it."""
    table = (
        "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n"
        "LISTEN 0 4096 0.0.0.0:2375 0.0.0.0:*\nLISTEN 0 4096 [::]:2375 [::]:*\nLISTEN 0 9 127.0.0.1:12375 0.0.0.0:*\n"
    )
    assert docker_engine.listeners(0, table) == ("0.0.0.0:2375", "[::]:2375")
    assert docker_engine.listeners(127, "") is None


def test_services_in_their_writings() -> None:
    """Both forms of depends_on, scale and replicas, profiles and builds are read."""
    declared = {
        "services": {
            "a": {"image": "x:1", "scale": 3, "depends_on": ["b"], "profiles": ["tools"]},
            "b": {"build": ".", "deploy": {"replicas": 0}},
            "c": {"image": "y:1", "depends_on": {"b": {"condition": HEALTHY}, "a": {"condition": COMPLETED}}},
            "d": {"image": "z:1", "deploy": {"mode": "global"}, "healthcheck": {"disable": True}},
        }
    }
    a, b, c, d = services(declared, {"a": ("0" * 64,)})
    assert (a.replicas, a.depends_on[0].condition, a.profiles, a.config_hashes) == (
        3,
        STARTED,
        ("tools",),
        ("0" * 64,),
    )
    assert (b.replicas, b.built, b.image) == (0, True, "")
    assert [edge.condition for edge in c.depends_on] == [HEALTHY, COMPLETED]
    assert (d.replicas, d.healthcheck) == (1, None)


@pytest.mark.parametrize("answer", ["", "no such file", '{"services": ', "[]"])
def test_no_declaration(answer: str) -> None:
    """What is no JSON object declares nothing."""
    assert declaration(answer) == ({}, {})


def test_hostile_answers() -> None:
    """Values of other kinds than expected neither break the parsers nor count as anything."""
    odd = container(
        {"Id": 1, "State": None, "Config": {"Labels": []}, "HostConfig": {"LogConfig": "x"}, "Created": 3}
    )
    assert (odd.id, odd.state, odd.health, odd.log_driver, odd.created_at) == ("1", "", "none", "", "")
    assert image({"RepoDigests": None, "Config": None}).digests == ()
    assert events('{"id": "a", "status": "start"}\n') == ()
    assert read("abc 1 {") is read("abc x {}") is None
    assert entries(Done(1, "[]", "Error: no names or ids specified"), "docker inspect") == []


@pytest.mark.parametrize(
    ("label", "remote", "same"),
    [
        ("https://github.com/shop/api", "git@github.com:shop/api.git", True),
        ("https://github.com/shop/api/", "https://token@github.com/shop/api", True),
        ("https://github.com/shop/web", "git@github.com:shop/api.git", False),
        ("", "", False),
    ],
)
def test_sources(label: str, remote: str, same: bool) -> None:
    """One repository is known by all its addresses; no label is no repository."""
    assert same_source(label, remote) is same
