"""Stand-in for a container registry: the reading half of the OCI distribution API, over DIR/registry.

Manifests by tag and digest, blobs, tags and the catalogue, with the headers that clients rely on. Nothing can
be pushed: `images.add` and `images.point` write what a push would.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
from pathlib import Path

from pytest_deploycheck.demo import images
from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.demo.standin_http import Listener, Request, Response, method_not_allowed
from pytest_deploycheck.demo.world import World

LABEL = "registry"
_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ROUTE = re.compile(r"/v2/(?P<name>[a-z0-9._/-]+)/(?P<kind>manifests|blobs|tags)/(?P<reference>[\w.:-]+)")


class Registry:
    """Answers from the folder as it is now."""

    def __init__(self, world: World) -> None:
        self._blobs = world.path("registry", "blobs", "sha256", "any").parent
        self._tags = world.path("registry", "tags", "any").parent

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if request.method not in ("GET", "HEAD"):
            return method_not_allowed("GET, HEAD")
        if request.path in ("/v2", "/v2/"):
            return Response({}, headers=_VERSION)
        if request.path == "/v2/_catalog":
            names = sorted(path.stem for path in self._tags.glob("*.json"))
            return Response({"repositories": names}, headers=_VERSION)
        match = _ROUTE.fullmatch(request.path)
        tags = self._read_tags(match["name"]) if match else None
        if match is None or tags is None:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        if match["kind"] == "tags":
            return Response({"name": match["name"], "tags": sorted(tags)}, headers=_VERSION)
        if match["kind"] == "blobs":
            return self._content(match["reference"], "BLOB_UNKNOWN")
        return self._content(tags.get(match["reference"], match["reference"]), "MANIFEST_UNKNOWN")

    def _read_tags(self, name: str) -> dict[str, str] | None:
        path = self._tags / f"{name}.json"
        if "/" in name or not path.is_file():
            return None
        tags: dict[str, str] = json.loads(path.read_text())
        return tags

    def _content(self, digest: str, unknown: str) -> Response:
        path = self._blobs / digest.removeprefix("sha256:")
        if not _DIGEST.fullmatch(digest) or not path.is_file():
            return _error(404, unknown, f"{digest} is not known to registry")
        manifest = unknown == "MANIFEST_UNKNOWN"
        kind = images.MANIFEST_TYPE if manifest else "application/octet-stream"
        headers = {**_VERSION, "Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
        return Response(path.read_bytes(), content_type=kind, headers=headers)


def _error(status: int, code: str, message: str) -> Response:
    return Response({"errors": [{"code": code, "message": message}]}, status, headers=_VERSION)


def available() -> str | None:
    """Return None: this needs nothing but Python."""
    return None


def daemon(world: World) -> Daemon:
    """Write the release's images and describe the process."""
    images.ensure(world)
    port = world.port("registry")
    return Daemon(
        "registry",
        [sys.executable, "-m", "pytest_deploycheck.demo.registry", world.dir],
        home=world.path("registry"),
        log=world.path("logs", "registry.log"),
        ready=lambda: answers(port),
    )


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Return the digests that were released, and where they can be asked for."""
    return {
        "release": {"images": images.digests(world)},
        "build": {"registry_url": world.url("registry")},
        "standins": {"registry": "a small server answers for a container registry"},
    }


def listener(world: World) -> Listener:
    """Return the stand-in on its port."""
    return Listener(world.port("registry"), Registry(world), LABEL)


def main(directory: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    listener(World.load(Path(directory))).start()
    ended.wait()


if __name__ == "__main__":
    main(sys.argv[1])
