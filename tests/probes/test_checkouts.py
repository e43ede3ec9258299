"""The checkout on a server and what runs of it, at servers of other shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.demo.repository import git
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.checkouts import REVISION, dirty, in_checkout, running
from pytest_deploycheck.probes.remotes import same_repository, shown
from pytest_deploycheck.transports.shell import Done, refuse_writes
from tests.probes.repositories import repository
from tests.probes.service import look

NEW, OLD = "a" * 40, "b" * 40
DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("declared", "found", "same"),
    [
        ("https://github.com/shop/api.git", "git@github.com:shop/api.git", True),
        ("https://github.com/shop/api", "https://github.com/Shop/api/", True),
        ("git@gitlab.example:team/shop/api.git", "ssh://git@gitlab.example:2222/team/shop/api", True),
        ("https://github.com/shop/api", "git@github.com-deploy:shop/api.git", True),
        ("https://github.com/shop/api", "deploykey:shop/api.git", True),
        ("https://github.com/shop/api", "https://x-token:abc@github.com/shop/api.git", True),
        ("https://github.com/shop/api", "git@github.com:fork/api.git", False),
        ("https://github.com/shop/api", "https://gitlab.com/shop/api", False),
        ("https://github.com/shop/api", "https://mirror/shop/api", False),
        ("https://github.com/shop/api", "/srv/git/shop/api", False),
        ("https://github.com/shop/api", "", False),
        ("https://github.com/", "https://github.com/", False),
    ],
)
def test_addresses_of_one_repository(declared: str, found: str, same: bool) -> None:
    """Each form of an address, and names that an ssh configuration gives; forks and mirrors are others."""
    assert same_repository(declared, found) is same


def test_addresses_are_shown_without_credentials() -> None:
    """A deploy token in a remote is not shown."""
    assert shown("https://glpat-0123456789@gitlab.example/x.git") == "https://gitlab.example/x.git"
    assert shown("git@gitlab.example:x.git") == "git@gitlab.example:x.git"


@pytest.mark.parametrize(
    ("status", "allowed", "left"),
    [
        ("", [], ()),
        (" M app.py\n?? backups/\n", ["backups/*"], (" M app.py",)),
        ("?? backups/\n", ["uploads/*"], ("?? backups/",)),
        (' M "odd name.py"\nD  old.py\n', ["*"], (' M "odd name.py"', "D  old.py")),
    ],
)
def test_what_differs_from_the_commit(status: str, allowed: list[str], left: tuple[str, ...]) -> None:
    """Untracked files may be allowed, changed ones never."""
    assert dirty(status, allowed) == left


def container(name: str, image: str = "sha256:id1", reference: str = "x", **more: Any) -> dict[str, Any]:
    """Return what `docker inspect` shows of a container, with Compose's labels as keywords."""
    labels = {f"com.docker.compose.{key}": value for key, value in more.pop("compose", {}).items()}
    return {
        "Name": f"/{name}",
        "Image": image,
        "State": {"Running": True},
        "Config": {"Image": reference, "Labels": {**labels, **more.pop("labels", {})}},
        **more,
    }


IMAGES = [
    {
        "Id": "sha256:id1",
        "RepoDigests": [f"r.example/shop/api@{DIGEST}"],
        "Config": {"Labels": {REVISION: NEW.upper()}},
    },
    {"Id": "sha256:id2", "RepoDigests": [], "Config": {"Labels": {REVISION: OLD}}},
    {"Id": "sha256:id3", "RepoDigests": [], "Config": {"Labels": None}},
]


def found(containers: list[Any], project: str = "", images: Any = IMAGES) -> dict[str, str] | None:
    """Return container -> revision for a release of `api`."""
    listed = running(
        Done(0, json.dumps(containers), ""), Done(0, json.dumps(images), ""), {"api": DIGEST}, project
    )
    return None if listed is None else {one.container: one.revision for one in listed}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (container("x-api-1", compose={"service": "api"}), {"x-api-1": NEW}),
        (container("api"), {"api": NEW}),
        (container("web", reference="r.example/shop/api:1.4.2@sha256:00"), {"web": NEW}),
        (container("web"), {"web": NEW}),  # by the image's digest
        (container("web", image="sha256:id2"), {}),
        (container("api", image="sha256:id2"), {"api": OLD}),
        (container("api", image="sha256:id3"), {"api": ""}),
        (container("api", image="sha256:gone", labels={REVISION: OLD}), {"api": OLD}),
        (container("api", State={"Running": False}), {}),
    ],
)
def test_containers_of_released_images(one: dict[str, Any], expected: dict[str, str]) -> None:
    """By Compose's label, by name, by the image's name or digest; the revision is the image's own label."""
    assert found([one]) == expected


def test_another_project_on_the_same_server() -> None:
    """A staging project beside the judged one may run what it likes."""
    both = [
        container("prod-api-1", compose={"service": "api", "project": "prod"}),
        container("stage-api-1", image="sha256:id2", compose={"service": "api", "project": "stage"}),
    ]
    assert found(both, "prod") == {"prod-api-1": NEW}


@pytest.mark.parametrize("text", ["", "docker: not found", "{}", "null", "["])
def test_no_engine_is_unknown(text: str) -> None:
    """Where nothing answers, nothing is known; an empty list is an answer."""
    assert running(Done(127, text, ""), Done(127, "", ""), {"api": DIGEST}, "") is None
    assert running(Done(0, "[]", ""), Done(1, "", ""), {"api": DIGEST}, "") == ()


@pytest.mark.parametrize("value", [None, 7, [], {}, "x"])
@pytest.mark.parametrize("key", ["Name", "Image", "State", "Config"])
def test_odd_answers_break_nothing(key: str, value: Any) -> None:
    """Entries with holes are no containers of ours, or have no revision."""
    assert (
        found(
            [{**container("api"), key: value}, 7], images=[7, {}, {"Id": None, "Config": 7, "RepoDigests": 7}]
        )
        is not None
    )


def test_reads_of_a_checkout_are_reads() -> None:
    """Each command is on the list, and writes no index."""
    for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain=v1"), ("remote", "get-url", "origin")):
        command = in_checkout("/srv/shop", *arguments)
        refuse_writes(command)
        assert "--no-optional-locks" in command


def seen(folder: Path, commit: str, repo: str) -> Observation:
    """Look at this machine as if it were the server."""
    more = f'[release]\ncommit = "{commit}"\nimages = {{ api = "{DIGEST}" }}\n[host]\nuri = "local://"\n[repo]\n{repo}'
    return look(folder, "http://127.0.0.1:1", "checkout", more)


def test_a_checkout_without_an_origin(tmp_path: Path) -> None:
    """A clone by archive or of a single tag has no origin/main: what can be seen is."""
    (commit,) = repository(tmp_path / "srv", {"a": "1"})
    git(tmp_path / "srv", "checkout", "--quiet", "--detach")
    facts = seen(tmp_path, commit, f'path = "{tmp_path}/srv"\nremote = "https://git.example/shop"\n').facts
    assert (facts.head, facts.dirty, facts.ahead, facts.remote_as_declared) == (commit, (), None, None)


def test_commits_that_nobody_else_has(tmp_path: Path) -> None:
    """They are counted against what was fetched last."""
    repository(tmp_path / "far", {"a": "1"})
    git(tmp_path, "clone", "--quiet", (tmp_path / "far").as_uri(), "srv")
    git(tmp_path / "srv", "commit", "--quiet", "--allow-empty", "-m", "local")
    facts = seen(
        tmp_path, "a" * 40, f'path = "{tmp_path}/srv"\nremote = "{(tmp_path / "far").as_uri()}"\n'
    ).facts
    assert facts.ahead == 1 and facts.remote_as_declared is True


def test_a_folder_that_is_no_checkout(tmp_path: Path) -> None:
    """What Git says of it is kept."""
    (tmp_path / "srv").mkdir()
    facts = seen(tmp_path, "a" * 40, f'path = "{tmp_path}/srv"\n').facts
    assert facts.head == "" and "not a git repository" in facts.said and facts.dirty is None


def test_a_server_with_images_only(tmp_path: Path) -> None:
    """There is no checkout to look at, and nothing is said of one."""
    facts = seen(tmp_path, "a" * 40, "image_only = true\n").facts
    assert facts.path == "" and facts.built == ("api",)


def test_a_server_whose_checkout_is_nowhere(tmp_path: Path) -> None:
    """It is said what to add."""
    found = seen(tmp_path, "a" * 40, "")
    assert (found.state, found.reason) == ("unseen", "no_config") and "image_only" in found.detail
