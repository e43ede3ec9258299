"""The stand-in registry: what a client of the OCI distribution API asks for, and the images behind it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.demo import images
from pytest_deploycheck.demo.deployment import Deployment


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return a deployment of the registry alone."""
    with Deployment.only(tmp_path_factory.mktemp("registry"), "registry") as deployment:
        yield deployment


def ask(demo: Deployment, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of one request."""
    request = urllib.request.Request(demo.world.url("registry") + path, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


@pytest.mark.parametrize("name", [recipe.name for recipe in images.RECIPES])
def test_a_tag_leads_to_its_bytes(demo: Deployment, name: str) -> None:
    """Tag, digest header, manifest, configuration and layer agree, each blob under the hash of its content."""
    built = images.ensure(demo.world)[name]
    status, headers, body = ask(demo, f"/v2/{name}/manifests/{built.tag}")
    assert status == 200
    assert headers["Docker-Content-Digest"] == built.digest == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert ask(demo, f"/v2/{name}/manifests/{built.digest}")[2] == body
    manifest = json.loads(body)
    assert manifest["config"]["digest"] == built.id
    for blob in (manifest["config"], *manifest["layers"]):
        content = ask(demo, f"/v2/{name}/blobs/{blob['digest']}")[2]
        assert (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}") == (
            blob["size"],
            blob["digest"],
        )
    config = json.loads(ask(demo, f"/v2/{name}/blobs/{built.id}")[2])
    plain = gzip.decompress(content)
    assert config["rootfs"]["diff_ids"][-1] == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    with tarfile.open(fileobj=io.BytesIO(plain)) as files:
        assert "srv/serve" in files.getnames()


def test_the_product_names_its_commit(demo: Deployment) -> None:
    """The product's image has the release's commit and version, and every image runs as somebody but root."""
    for recipe in images.RECIPES:
        config = json.loads(
            ask(demo, f"/v2/{recipe.name}/blobs/{images.ensure(demo.world)[recipe.name].id}")[2]
        )
        labels = config["config"]["Labels"]
        own = labels["org.opencontainers.image.revision"] == demo.world.release.commit
        assert own is (recipe.name == images.PRODUCT)
        assert config["config"]["User"] not in ("", "0", "root")


def test_a_moved_tag_is_seen(demo: Deployment) -> None:
    """Where a tag is pushed again, HEAD tells the new digest, and the old one is still to be had."""
    old = images.ensure(demo.world)["token-api"]
    other = images.add(
        demo.world, images.recipe_of("token-api"), labels={"org.opencontainers.image.revision": "0" * 40}
    )
    try:
        assert (
            ask(demo, f"/v2/token-api/manifests/{old.tag}", "HEAD")[1]["Docker-Content-Digest"]
            == other.digest
        )
        assert other.digest != old.digest
        assert ask(demo, f"/v2/token-api/manifests/{old.digest}")[0] == 200
    finally:
        images.point(demo.world, "token-api", old.tag, old.digest)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v2/", "GET", 200),
        ("/v2/none/manifests/1", "GET", 404),
        ("/v2/nginx/manifests/latest", "HEAD", 404),
        ("/v2/nginx/blobs/sha256:" + "0" * 64, "GET", 404),
        ("/v2/../manifests/1", "GET", 404),
        ("/v2/nginx/blobs/..%2Ftags%2Fnginx.json", "GET", 404),
        ("/v2/nginx/manifests/1", "PUT", 405),
    ],
)
def test_other_requests(demo: Deployment, path: str, method: str, status: int) -> None:
    """What is not there is 404, a way out of the folder too, and nothing can be pushed."""
    assert ask(demo, path, method)[0] == status


def test_the_same_folder_builds_the_same_bytes(demo: Deployment, tmp_path: Path) -> None:
    """Digests do not change from one start to the next."""
    before = images.digests(demo.world)
    images.forget(demo.world)
    assert images.digests(demo.world) == before
