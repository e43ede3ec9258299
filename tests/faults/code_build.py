"""Faults of Code Preparation: how the released image was built, and what is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from pytest_deploycheck.demo import history, images
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.code_tools import parent, reported, rewritten
from tests.faults.harness import fault
from tests.faults.tools import edited, stopped

BUILD = "deploy.code.build"
RECORD = f"builds/{images.PRODUCT}.json"


@contextmanager
def recorded(demo: Deployment, **changes: Any) -> Iterator[None]:
    """Change the record of the build."""
    said = {"commit": changes["commit"]} if "commit" in changes else {}
    with reported(demo, RECORD, rewritten(lambda body: body.update(changes)), **said):
        yield


@contextmanager
def released(demo: Deployment, **made: Any) -> Iterator[None]:
    """Release another image, with its record: everything is in order but the image."""
    recipe = images.recipe_of(images.PRODUCT)
    before = images.digests(demo.world)[images.PRODUCT]
    other = images.add(demo.world, recipe, **made)
    try:
        with recorded(demo, digest=other.digest), edited(demo.target, (before, other.digest)):
            yield
    finally:
        images.add(demo.world, recipe)


@contextmanager
def configured(demo: Deployment, **changes: Any) -> Iterator[None]:
    """Release an image whose configuration differs in what `images.add` has no keyword for."""
    world, name = demo.world, images.PRODUCT
    before = images.digests(world)[name]
    blobs = world.path("registry", "blobs", "sha256", "any").parent
    manifest = json.loads((blobs / before.removeprefix("sha256:")).read_bytes())
    config = json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes())
    for key, value in changes.items():
        config[key] = [*config[key], *value] if isinstance(value, list) else value
    manifest["config"]["digest"] = images.store(world, json.dumps(config).encode())
    digest = images.store(world, json.dumps(manifest).encode())
    images.point(world, name, world.release.version, digest)
    try:
        with recorded(demo, digest=digest), edited(demo.target, (before, digest)):
            yield
    finally:
        images.point(world, name, world.release.version, before)


@fault(BUILD, "the tag was pushed again", probes=("builds", "registry"))
@contextmanager
def pushed_again(demo: Deployment) -> Iterator[None]:
    """Let the release's tag name another image than was recorded."""
    recipe = images.recipe_of(images.PRODUCT)
    images.add(demo.world, recipe, user="10009")
    try:
        yield
    finally:
        images.add(demo.world, recipe)


@fault(BUILD, "the image names the commit before", probes=("builds", "registry"))
@contextmanager
def old_revision(demo: Deployment) -> Iterator[None]:
    """Build with a label that was left over, as a cache does."""
    with released(demo, labels={"org.opencontainers.image.revision": parent(demo)}):
        yield


@fault(BUILD, "the image runs as root", probes=("builds", "registry"))
@contextmanager
def root(demo: Deployment) -> Iterator[None]:
    """Name no user in the image."""
    with released(demo, user=""):
        yield


@fault(BUILD, "a token lies in the image's history", probes=("builds", "registry"))
@contextmanager
def token_in_history(demo: Deployment) -> Iterator[None]:
    """Give a token as an argument of the build, which is kept."""
    step = "RUN |1 PRIVATE_INDEX_TOKEN=k2J8vQ0sLr5TzX1w /bin/sh -c pip install -r requirements.lock"
    with configured(demo, history=[{"created_by": step, "empty_layer": True}]):
        yield


@fault(BUILD, "the image is made for another processor", probes=("builds", "registry"))
@contextmanager
def other_architecture(demo: Deployment) -> Iterator[None]:
    """Build on a laptop of another kind."""
    with configured(demo, architecture="s390x"):
        yield


@fault(BUILD, "the registry does not have the image", probes=("builds", "registry"))
@contextmanager
def never_pushed(demo: Deployment) -> Iterator[None]:
    """Build it and push nothing."""
    with recorded(demo, image="token-api:0.0.0-local"):
        yield


@fault(BUILD, "the registry does not answer", probes=("builds", "registry"), becomes=Verdict.UNPROVEN)
@contextmanager
def registry_away(demo: Deployment) -> Iterator[None]:
    """Stop the registry: what the tag names cannot be seen."""
    with stopped(demo, "registry"):
        yield


@fault(BUILD, "the build was of a working tree with changes", probes=("builds",))
@contextmanager
def dirty_tree(demo: Deployment) -> Iterator[None]:
    """Build on a laptop, in the middle of something."""
    with recorded(demo, clean=False):
        yield


@fault(BUILD, "the build failed", probes=("builds",))
@contextmanager
def failed(demo: Deployment) -> Iterator[None]:
    """End the build with an error, and release what an earlier one had left."""
    with recorded(demo, exit_status=1):
        yield


@fault(BUILD, "the commit before was built", probes=("builds",))
@contextmanager
def other_commit(demo: Deployment) -> Iterator[None]:
    """Build before the pull."""
    with recorded(demo, commit=parent(demo)):
        yield


@fault(BUILD, "the build was before the commit", probes=("builds",))
@contextmanager
def before_commit(demo: Deployment) -> Iterator[None]:
    """Say that an image of yesterday is of today's commit."""
    committed = history.committed_at(images.built_at(demo.world) + images.BUILD_TOOK)
    with recorded(demo, started_at=(committed - timedelta(hours=1)).isoformat()):
        yield


@fault(BUILD, "the build made another image", probes=("builds",))
@contextmanager
def other_digest(demo: Deployment) -> Iterator[None]:
    """Release a digest that no recorded build has made."""
    with recorded(demo, digest=f"sha256:{'0' * 64}"):
        yield


@fault(BUILD, "an image of others is released by its tag", probes=("builds",))
@contextmanager
def third_party_tag(demo: Deployment) -> Iterator[None]:
    """Release a database by a tag, which names another image tomorrow."""
    digest = images.digests(demo.world)["postgres"]
    with edited(demo.target, (digest, "17")):
        yield


@fault(BUILD, "nobody says whether the tree was clean", probes=("builds",), becomes=Verdict.UNPROVEN)
@contextmanager
def unsaid(demo: Deployment) -> Iterator[None]:
    """Leave it out of record and envelope."""
    with reported(demo, RECORD, rewritten(lambda body: body.pop("clean")), clean=None):
        yield
