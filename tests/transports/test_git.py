"""Git on the runner: no remote but those that are meant, no program of a repository's, no secret where others see it."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from pytest_deploycheck.demo.repository import git as run_git
from pytest_deploycheck.observe import CannotLook, Observation
from pytest_deploycheck.transports.git import Git
from pytest_deploycheck.verdict import Reason
from tests.probes.repositories import repository
from tests.probes.service import Asked, Reply, look, serving


def client(token: str = "", *, seconds: float = 10, local: bool = True) -> Git:
    """Return a client that declares everything."""
    return Git(enter=lambda action: None, remaining=lambda: seconds, token=lambda: token, local_remotes=local)


def test_heads_of_a_remote(tmp_path: Path) -> None:
    """Branch and annotated tag are listed as they are now."""
    (commit,) = repository(tmp_path / "code", {"a": "1"})
    run_git(tmp_path / "code", "tag", "-a", "v1", "-m", "v1")
    done = client().heads((tmp_path / "code").as_uri(), "refs/heads/main", "refs/tags/v1", "refs/tags/v1^{}")
    assert done.status == 0
    assert f"{commit}\trefs/heads/main\n" in done.text and f"{commit}\trefs/tags/v1^{{}}\n" in done.text


@pytest.mark.parametrize(
    ("remote", "words"),
    [("http://git.example/x.git", "http://"), ("file:///srv/x.git", "file://")],
)
def test_remotes_that_prove_nothing_are_refused(remote: str, words: str) -> None:
    """Plain HTTP could be answered by anybody, and a folder is no remote outside a demo."""
    with pytest.raises(CannotLook, match=words) as caught:
        client(local=False).heads(remote, "refs/heads/main")
    assert caught.value.reason is Reason.NOT_ALLOWED


@pytest.mark.parametrize(
    "remote", ["ext::sh -c touch% {mark}", "-oProxyCommand=touch {mark}", "--upload-pack=touch {mark}"]
)
def test_nothing_is_run_for_a_remote(tmp_path: Path, remote: str) -> None:
    """Transports that are programs, and options in the place of an address, end in a refusal."""
    mark = tmp_path / "mark"
    done = client().heads(remote.format(mark=mark), "refs/heads/main")
    assert done.status != 0 and not mark.exists()


def test_a_clones_programs_are_not_run(tmp_path: Path) -> None:
    """Monitor, hooks and pagers of a clone's configuration do nothing when it is read."""
    (commit,) = repository(tmp_path / "code", {"a": "1"})
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/mark\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "gpg.program", "diff.external"):
        run_git(tmp_path / "code", "config", key, str(program))
    for command in (("cat-file", "blob", f"{commit}:a"), ("ls-tree", commit), ("merge-base", commit, commit)):
        assert client().read(tmp_path / "code", *command).status == 0
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("command", ["fetch", "pull", "push", "commit", "config", "checkout", "gc", "status"])
def test_a_clone_is_only_read(tmp_path: Path, command: str) -> None:
    """What could change a clone, or reach out of it, is not on the list."""
    with pytest.raises(CannotLook, match="not on the list of reads"):
        client().read(tmp_path, command)


def test_settings_of_the_runner_do_not_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GIT_DIR of the surrounding job does not change which clone is read."""
    first = repository(tmp_path / "one", {"a": "1"})
    repository(tmp_path / "two", {"a": "2"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "two" / ".git"))
    assert client().read(tmp_path / "one", "rev-parse", "HEAD").text.strip() == first[0]


def test_a_token_is_sent_and_not_shown(tmp_path: Path) -> None:
    """The token arrives as a password, and stands in no list of processes meanwhile."""
    asked: list[Asked] = []
    shown: list[bytes] = []

    def answer(request: Asked) -> Reply:
        asked.append(request)
        shown.extend(
            path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)
        )
        return Reply(404)

    with serving(answer) as base:
        done = client("secret-token-1").heads(f"{base}/shop.git", "refs/heads/main")
    expected = base64.b64encode(b"x-access-token:secret-token-1").decode()
    assert done.status != 0 and asked[0].headers["authorization"] == f"Basic {expected}"
    assert shown and not any(expected.encode() in line or b"secret-token-1" in line for line in shown)


def test_redirects_are_not_followed() -> None:
    """A remote cannot send our credentials to somebody else."""
    asked: list[Asked] = []
    with serving(lambda request: asked.append(request) or Reply(404)) as other:

        def redirect(request: Asked) -> Reply:
            return Reply(302, "", {"Location": f"{other}{request.path}"})

        with serving(redirect) as base:
            assert client("secret-token-1").heads(f"{base}/shop.git", "refs/heads/main").status != 0
    assert not asked


@pytest.fixture
def silent() -> Iterator[int]:
    """Listen on a port, accept, and say nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        kept: list[socket.socket] = []
        threading.Thread(target=lambda: kept.append(server.accept()[0]), daemon=True).start()
        yield server.getsockname()[1]
        for one in kept:
            one.close()


@pytest.mark.parametrize("address", ["http://127.0.0.1:{}/x.git", "ssh://git@127.0.0.1:{}/x.git"])
def test_a_silent_remote_ends_in_time(silent: int, address: str) -> None:
    """Git and its helpers are ended, and nothing of them stays."""
    began = time.monotonic()
    with pytest.raises(CannotLook) as caught:
        client(seconds=1).heads(address.format(silent), "refs/heads/main")
    assert caught.value.reason is Reason.TIMEOUT and time.monotonic() - began < 20
    until = time.monotonic() + 20
    while left := _git_processes(f":{silent}/"):
        assert time.monotonic() < until, left
        time.sleep(0.05)


def _git_processes(naming: str) -> list[bytes]:
    """Return the command lines of Git's processes that name something; one that ends as we look is none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return [line for line in found if naming.encode() in line and b"git" in line]


def test_nobody_is_asked_for_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote that wants credentials is refused at once; no helper program is started."""
    program = tmp_path / "ask"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/mark\necho x\n")
    program.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(program))
    monkeypatch.setenv("GIT_ASKPASS", str(program))
    with serving(lambda asked: Reply(401, "", {"WWW-Authenticate": "Basic realm=x"})) as base:
        assert client().heads(f"{base}/x.git", "refs/heads/main").status != 0
    assert not (tmp_path / "mark").exists()


def seen(folder: Path, commit: str, more: str) -> Observation:
    """Look at the remote `far`, from the clone `code`, with the repo probe."""
    (folder / "token").write_text("secret-token-1")
    text = f'[release]\ncommit = "{commit}"\n{more}'
    return look(folder, "http://127.0.0.1:1", "repo", text)


def cloned(folder: Path) -> tuple[str, str]:
    """Make a remote with a tag and a clone of it; return the tagged commit, and the branch's newer one."""
    old, new = repository(folder / "far", {"a": "1"}, {"a": "2"})
    run_git(folder / "far", "tag", "-a", "v1", "-m", "v1", old)
    run_git(folder, "clone", "--quiet", (folder / "far").as_uri(), "code")
    return old, new


def test_a_clone_needs_no_token(tmp_path: Path) -> None:
    """A token that is not there hinders the remote, and no probe that only reads the clone."""
    old, _ = cloned(tmp_path)
    repo = '[repo]\nremote = "https://127.0.0.1:1/x"\nclone = "code"\ntoken = { env = "DC_NO_SUCH_TOKEN" }\n'
    text = f'[release]\ncommit = "{old}"\n{repo}'
    assert look(tmp_path, "http://127.0.0.1:1", "dependencies", text).facts.locks == ()
    found = look(tmp_path, "http://127.0.0.1:1", "repo", text)
    assert (found.state, found.reason) == ("unseen", "no_config") and "DC_NO_SUCH_TOKEN" in found.detail


def test_a_release_that_the_branch_has_left_behind(tmp_path: Path) -> None:
    """The clone tells that the tag's commit is an ancestor of the remote's head."""
    old, new = cloned(tmp_path)
    repo = f'tag = "v1"\n[repo]\nremote = "file://{quote(str(tmp_path))}/far"\nclone = "code"\nallow_tagged_ancestor = true\n'
    facts = seen(tmp_path, old, repo).facts
    assert (facts.remote_head, facts.tag_commit, facts.ancestor) == (new, old, True)
    assert facts.tag_object not in ("", old, None) and facts.committed_at


def test_a_release_that_was_never_on_the_branch(tmp_path: Path) -> None:
    """A commit beside the branch is no ancestor; one that the clone lacks the head for is unknown."""
    cloned(tmp_path)
    run_git(tmp_path / "code", "checkout", "--quiet", "-b", "side", "HEAD^")
    run_git(tmp_path / "code", "commit", "--quiet", "--allow-empty", "-m", "side")
    side = run_git(tmp_path / "code", "rev-parse", "HEAD")
    repo = f'[repo]\nremote = "file://{quote(str(tmp_path))}/far"\nclone = "code"\n'
    assert seen(tmp_path, side, repo).facts.ancestor is False
    run_git(tmp_path / "far", "commit", "--quiet", "--allow-empty", "-m", "newer")
    assert seen(tmp_path, side, repo).facts.ancestor is None


def test_a_remote_that_is_not_there_is_a_fact(tmp_path: Path) -> None:
    """The clone's facts stay, and what Git said is kept without a token."""
    old, _ = cloned(tmp_path)
    facts = seen(
        tmp_path, old, f'[repo]\nremote = "file://{quote(str(tmp_path))}/gone"\nclone = "code"\n'
    ).facts
    assert facts.remote_head is None and "gone" in facts.refused and facts.clone


def test_a_branch_that_only_ends_alike_is_another_one(tmp_path: Path) -> None:
    """Git's patterns match the end of a ref; the whole ref counts."""
    (commit,) = repository(tmp_path / "far", {"a": "1"}, branch="main")
    run_git(tmp_path / "far", "update-ref", "refs/heads/x/refs/heads/live", commit)
    repo = f'[repo]\nremote = "file://{quote(str(tmp_path))}/far"\nbranch = "live"\n'
    assert seen(tmp_path, commit, repo).facts.remote_head == ""


@pytest.mark.parametrize("signed_by", ["ann", "eve", ""])
def test_signed_tags(tmp_path: Path, signed_by: str) -> None:
    """Signed by somebody on the list, by somebody else, or by nobody."""
    for name in ("ann", "eve"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    (tmp_path / "signers").write_text(f"ann@x {(tmp_path / 'ann.pub').read_text()}")
    (commit,) = repository(tmp_path / "far", {"a": "1"})
    sign = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={tmp_path}/{signed_by}"]
    run_git(
        tmp_path / "far", *(sign if signed_by else ()), "tag", "-s" if signed_by else "-a", "v1", "-m", "v1"
    )
    run_git(tmp_path, "clone", "--quiet", (tmp_path / "far").as_uri(), "code")
    repo = (
        f'tag = "v1"\n[repo]\nremote = "file://{quote(str(tmp_path))}/far"\nclone = "code"\n'
        'require_signed_tag = true\nallowed_signers = "signers"\n'
    )
    assert seen(tmp_path, commit, repo).facts.tag_signed is (signed_by == "ann")


@pytest.mark.parametrize("more", ["", '[repo]\nremote = "https://x/y"\nbranch = "--upload-pack=x"\n'])
def test_what_names_no_repository_is_said(tmp_path: Path, more: str) -> None:
    """Without a remote, or with an odd branch, nothing is asked."""
    found = seen(tmp_path, "a" * 40, more)
    assert (found.state, found.reason) == ("unseen", "no_config")
