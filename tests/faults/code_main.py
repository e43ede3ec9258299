"""Faults of Code Preparation: which commit is released."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_deploycheck.demo import history
from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.repository import checkout, git, remote, tag
from pytest_deploycheck.verdict import Verdict
from tests.faults.code_tools import parent
from tests.faults.containers import deployed
from tests.faults.harness import fault
from tests.faults.services import another_build
from tests.faults.tools import edited

MAIN = "deploy.code.main"
HEALTH = "post_deploy.functional.health"


@contextmanager
def pushed(demo: Deployment, ref: str, commit: str) -> Iterator[None]:
    """Let the remote's ref name another commit, as a push does."""
    path = remote(demo.world) / ref
    with edited(path, (path.read_text(), f"{commit}\n")):
        yield


def newer(demo: Deployment) -> str:
    """Put a commit on top of the released one into the remote, and name it nowhere."""
    folder, commit = remote(demo.world), demo.world.release.commit
    tree = git(folder, "rev-parse", f"{commit}^{{tree}}")
    return git(folder, "commit-tree", tree, "-p", commit, "-m", "Not released")


@fault(MAIN, "somebody pushed a commit since", probes=("repo",))
@contextmanager
def pushed_since(demo: Deployment) -> Iterator[None]:
    """Let main move on at the remote; the checkout's own origin/main knows nothing of it."""
    with pushed(demo, f"refs/heads/{history.BRANCH}", newer(demo)):
        yield


@fault(MAIN, "the tag was moved", probes=("repo",))
@contextmanager
def moved_tag(demo: Deployment) -> Iterator[None]:
    """Let the release's tag name another commit."""
    with pushed(demo, f"refs/tags/{tag(demo.world)}", parent(demo)):
        yield


@fault(MAIN, "the remote answers nobody", probes=("repo",), becomes=Verdict.UNPROVEN)
@contextmanager
def remote_gone(demo: Deployment) -> Iterator[None]:
    """Take the remote away: what main is now cannot be seen, which says nothing of the release."""
    folder = remote(demo.world)
    away = folder.rename(folder.with_suffix(".away"))
    try:
        yield
    finally:
        away.rename(folder)


@fault(MAIN, "a tracked file was edited on the server", probes=("checkout",))
@contextmanager
def dirty(demo: Deployment) -> Iterator[None]:
    """Mend something in place, at the right commit."""
    with edited(checkout(demo.world) / "app" / "health.py", ("from __future__", "# hotfix\nfrom __future__")):
        yield


@fault(MAIN, "a file lies in the checkout that is in no commit", probes=("checkout",))
@contextmanager
def stray(demo: Deployment) -> Iterator[None]:
    """Override the Compose file with one that nobody committed."""
    path = checkout(demo.world) / "compose.override.yaml"
    path.write_text("services: {}\n")
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def at(demo: Deployment, *arguments: str) -> Iterator[None]:
    """Run Git in the checkout, and go back to the release."""
    place = checkout(demo.world)
    git(place, *arguments)
    try:
        yield
    finally:
        git(place, "reset", "--quiet", "--hard", demo.world.release.commit)


@fault(MAIN, "the server was not pulled", probes=("checkout",))
@contextmanager
def not_pulled(demo: Deployment) -> Iterator[None]:
    """Stay at the commit before."""
    with at(demo, "reset", "--quiet", "--hard", "HEAD^"):
        yield


@fault(MAIN, "a commit was made on the server", probes=("checkout",))
@contextmanager
def made_there(demo: Deployment) -> Iterator[None]:
    """Commit in place, and push it nowhere."""
    with at(demo, "commit", "--quiet", "--allow-empty", "-m", "On the server"):
        yield


@fault(MAIN, "the server pulls from a fork", probes=("checkout",))
@contextmanager
def fork(demo: Deployment) -> Iterator[None]:
    """Have the right commit out of another repository, whose next one may be anybody's."""
    place = checkout(demo.world)
    git(place, "remote", "set-url", "origin", "https://git.example/somebody/token-service.git")
    try:
        yield
    finally:
        git(place, "remote", "set-url", "origin", remote(demo.world).as_uri())


@fault(MAIN, "the code was pulled and the service not restarted", probes=("health",), also=(HEALTH,))
@contextmanager
def old_process(demo: Deployment) -> Iterator[None]:
    """Let the service run the commit before, as it says itself."""
    service.set_env(demo.world, RELEASE_COMMIT=parent(demo))
    for name in service.INSTANCES:
        demo.restart(name)
    try:
        yield
    finally:
        service.set_env(demo.world, RELEASE_COMMIT=demo.world.release.commit)
        for name in service.INSTANCES:
            demo.restart(name)


@fault(
    MAIN, "one service still runs the image of the commit before", probes=("checkout",), needs=("containers",)
)
@contextmanager
def old_image(demo: Deployment) -> Iterator[None]:
    """Deploy one service of two from an image whose label names another commit."""
    with (
        another_build(demo, "1.4.1", revision=parent(demo)) as other,
        deployed(demo, image=f"{other.repository}:{other.tag}"),
    ):
        yield
