"""The release's container images: OCI manifests, configurations and layers, built without any engine.

They lie in DIR/registry as a registry keeps them. The same folder always builds the same bytes, so that their
digests are known before anything pulls them. What is in them stands in for the service's servers: BusyBox and
the small programs in `files/containers/`.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo.docker import tools
from pytest_deploycheck.demo.world import World

SOURCE = "https://git.tokens.example/token-service"
BUILD_TOOK = timedelta(minutes=10)
"""How long before the deployment the images were built."""

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"

_PROGRAMS = Path(__file__).parent / "files" / "containers"
_APPLETS = "sh httpd nc wget grep sleep touch date stat test cat true echo timeout".split()


@dataclass(frozen=True)
class Recipe:
    """What an image is made of; `version`: None for the release's own."""

    name: str
    command: tuple[str, ...]
    user: str
    port: int
    version: str | None = None
    source: str = SOURCE


RECIPES = (
    Recipe("token-api", ("/srv/serve",), "10001", 8000),
    Recipe(
        "nginx", ("/srv/serve",), "101", 8080, "1.29.3", "https://github.com/nginx/docker-nginx-unprivileged"
    ),
    Recipe("postgres", ("/srv/serve",), "999", 5432, "17.2", "https://github.com/docker-library/postgres"),
    Recipe("valkey", ("/srv/serve",), "999", 6379, "8.1.4", "https://github.com/valkey-io/valkey-container"),
    Recipe("rpc", ("/srv/serve",), "10002", 8545, "1.3.0", "https://github.com/example/rpc-proxy"),
)
BASE = "base"
"""The layer that every image stands on."""
PRODUCT = "token-api"
"""The image that the product's own build makes; the others are somebody else's."""


@dataclass(frozen=True)
class Built:
    """An image in the registry: `digest` is its manifest's, `id` its configuration's."""

    name: str
    tag: str
    digest: str
    id: str
    repository: str

    @property
    def reference(self) -> str:
        """The reference that a Compose file names: the product's by its version, others' by digest as well."""
        return f"{self.repository}:{self.tag}" + ("" if self.name == PRODUCT else f"@{self.digest}")


def ensure(world: World) -> dict[str, Built]:
    """Write the release's images into DIR/registry, where they are missing, and return them by name."""
    return {recipe.name: add(world, recipe) for recipe in RECIPES}


def digests(world: World) -> dict[str, str]:
    """Return the digest of each image of the release."""
    return {name: built.digest for name, built in ensure(world).items()}


def built_at(world: World) -> datetime:
    """Return when the images say that they were made."""
    return datetime.fromisoformat(world.release.deployed_at) - BUILD_TOOK


def add(
    world: World,
    recipe: Recipe,
    *,
    tag: str = "",
    user: str | None = None,
    labels: dict[str, str] | None = None,
    created: datetime | None = None,
) -> Built:
    """Build one image and point its tag at it; the keywords make another one than the release's, for a fault."""
    at = (created or built_at(world)).isoformat().replace("+00:00", "Z")
    release = world.release
    own = recipe.version is None
    told = {
        "org.opencontainers.image.title": recipe.name,
        "org.opencontainers.image.source": recipe.source,
        "org.opencontainers.image.version": recipe.version or release.version,
        "org.opencontainers.image.revision": release.commit if own else _foreign_commit(recipe),
        "org.opencontainers.image.created": at,
        **(labels or {}),
    }
    layers = [layer(BASE), layer(recipe.name)]
    config = {
        "created": at,
        "architecture": tools.architecture(),
        "os": "linux",
        "config": {
            "User": recipe.user if user is None else user,
            "Env": ["PATH=/usr/bin:/bin"],
            "Cmd": list(recipe.command),
            "ExposedPorts": {f"{recipe.port}/tcp": {}},
            "Labels": told,
        },
        "rootfs": {"type": "layers", "diff_ids": [plain for plain, _ in layers]},
        "history": [
            {"created": at, "created_by": "COPY busybox /bin/ # stand-in"},
            {"created": at, "created_by": f"COPY {recipe.name}/ / # stand-in"},
            {"created": at, "created_by": f"CMD {json.dumps(list(recipe.command))}", "empty_layer": True},
        ],
    }
    config_bytes = json.dumps(config, sort_keys=True).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(world, CONFIG_TYPE, config_bytes),
        "layers": [_descriptor(world, LAYER_TYPE, packed) for _, packed in layers],
    }
    digest = store(world, json.dumps(manifest, sort_keys=True).encode())
    tag = tag or recipe.version or release.version
    point(world, recipe.name, tag, digest)
    repository = f"127.0.0.1:{world.port('registry')}/{recipe.name}"
    return Built(recipe.name, tag, digest, f"sha256:{hashlib.sha256(config_bytes).hexdigest()}", repository)


def recipe_of(name: str) -> Recipe:
    """Return what an image is made of; KeyError for an unknown one."""
    return {recipe.name: recipe for recipe in RECIPES}[name]


def store(world: World, content: bytes) -> str:
    """Keep a blob in the registry, and return its digest."""
    hexadecimal = hashlib.sha256(content).hexdigest()
    path = world.path("registry", "blobs", "sha256", hexadecimal)
    if not path.exists():
        _replace(path, content)
    return f"sha256:{hexadecimal}"


def point(world: World, name: str, tag: str, digest: str) -> None:
    """Let a tag of a repository name a manifest, as a push does."""
    path = world.path("registry", "tags", f"{name}.json")
    tags = json.loads(path.read_text()) if path.exists() else {}
    if tags.get(tag) != digest:
        _replace(path, json.dumps({**tags, tag: digest}, indent=1, sort_keys=True).encode())


def _replace(path: Path, content: bytes) -> None:
    """Write a file in one step, whoever else writes it at the same time."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    scratch.write_bytes(content)
    scratch.replace(path)


def _descriptor(world: World, kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": store(world, content), "size": len(content)}


def _foreign_commit(recipe: Recipe) -> str:
    """Return a commit in somebody else's repository: their images say theirs, as real ones do."""
    return hashlib.sha1(f"{recipe.source}@{recipe.version}".encode(), usedforsecurity=False).hexdigest()


@functools.cache
def layer(name: str) -> tuple[str, bytes]:
    """Return the digest of one layer as a tar archive, and the archive packed: BusyBox, or an image's programs.

    Without a static BusyBox on this machine the programs are there and nothing that could run them.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        if name == BASE:
            _add_base(archive)
        else:
            for path in sorted((_PROGRAMS / name).rglob("*")):
                inside = str(path.relative_to(_PROGRAMS / name))
                if path.is_dir():
                    _add(archive, inside, kind=tarfile.DIRTYPE, mode=0o755)
                else:
                    _add(archive, inside, path.read_bytes(), mode=0o755)
    plain = buffer.getvalue()
    return f"sha256:{hashlib.sha256(plain).hexdigest()}", gzip.compress(plain, compresslevel=1, mtime=0)


def _add_base(archive: tarfile.TarFile) -> None:
    for folder in ("bin", "etc", "srv", "tmp", "usr", "usr/bin"):
        _add(archive, folder, kind=tarfile.DIRTYPE, mode=0o1777 if folder == "tmp" else 0o755)
    busybox = tools.busybox()
    if busybox is not None:
        _add(archive, "bin/busybox", busybox.read_bytes(), mode=0o755)
        for applet in _APPLETS:
            _add(archive, f"bin/{applet}", kind=tarfile.SYMTYPE, link="busybox")
    _add(archive, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\nservice:x:10001:10001::/:/bin/sh\n")


def _add(
    archive: tarfile.TarFile,
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    link: str = "",
) -> None:
    """Add one entry without anything of this machine in it: no time, no owner."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(content)
    archive.addfile(entry, io.BytesIO(content))


def forget(world: World) -> None:
    """Delete the registry's content, so that the next start writes it afresh."""
    shutil.rmtree(world.path("registry", "tags"), ignore_errors=True)
