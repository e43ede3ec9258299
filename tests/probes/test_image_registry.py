"""The registry probe at registries of several makes: tokens, redirects, indexes, and those that lie about a digest."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.image_registry import RegistryImage
from tests.probes.repositories import repository
from tests.probes.service import Asked, Reply, look, serving

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LABELS = {"org.opencontainers.image.revision": "a" * 40}


def digest(text: str) -> str:
    """Return a text's digest."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class Store:
    """An image for two processors and an attestation, in a registry's terms: content by digest."""

    def __init__(self, *, index: bool = True) -> None:
        self.content: dict[str, str] = {}
        manifests = []
        for architecture in ("amd64", "arm64"):
            config = self.put({"architecture": architecture, "config": {"User": "app", "Labels": LABELS}})
            made = self.put(
                {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": config}, "layers": []}
            )
            manifests.append({"digest": made, "platform": {"os": "linux", "architecture": architecture}})
        self.single = str(manifests[0]["digest"])
        unknown = {"digest": digest("x"), "platform": {"os": "unknown", "architecture": "unknown"}}
        whole = self.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": [*manifests, unknown]})
        self.released = whole if index else self.single

    def put(self, value: Any) -> str:
        """Keep a document."""
        text = json.dumps(value)
        self.content[digest(text)] = text
        return digest(text)

    def answer(self, asked: Asked) -> Reply:
        """Answer as a registry without any access control does."""
        kind, reference = asked.path.split("/")[-2:]
        if not asked.path.startswith("/v2/shop/api/"):
            return Reply(404, {"errors": [{"code": "NAME_UNKNOWN"}]})
        found = self.released if reference == "1.4.2" and kind == "manifests" else reference
        if found not in self.content:
            return Reply(404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]})
        return Reply(200, self.content[found], {"Docker-Content-Digest": found, "Content-Type": MANIFEST})


def seen(
    folder: Path, base: str, released: str, more: str = "", image: str = 'api = "shop/api:1.4.2"'
) -> Observation:
    """Look at a registry as for a release of `api`."""
    (commit,) = repository(folder / "code", {"a": ""})
    (folder / "record.json").write_text(json.dumps({"service": "api", "digest": released, "commit": commit}))
    (folder / "password").write_text("registry-password-1")
    text = (
        f'[release]\nversion = "1.4.2"\ncommit = "{commit}"\nimages = {{ api = "{released}" }}\n'
        f'[reports]\nbuild = "record.json"\n[repo]\nclone = "code"\n'
        f'[build]\nregistry_url = "{base}"\nimages = {{ {image} }}\n{more}'
    )
    return look(folder, base, "registry", text)


def only(found: Observation) -> RegistryImage:
    """Return the one image of the facts."""
    assert found.state == "seen", found
    (image,) = found.facts.images
    assert isinstance(image, RegistryImage)
    return image


@pytest.mark.parametrize("index", [True, False])
def test_an_image_and_its_configuration(tmp_path: Path, index: bool) -> None:
    """The tag's digest, and of an index the configuration for the target's processor, attestations left out."""
    store = Store(index=index)
    with serving(store.answer) as base:
        image = only(seen(tmp_path, base, store.released))
    assert image.tagged == store.released and image.config is not None
    assert (image.config.architecture, image.config.user, image.config.revision) == ("amd64", "app", "a" * 40)
    assert image.architectures == (("amd64", "arm64") if index else ("amd64",))


def test_an_index_without_the_processor(tmp_path: Path) -> None:
    """It is said for which it is made."""
    store = Store()
    with serving(store.answer) as base:
        image = only(seen(tmp_path, base, store.released, 'architecture = "s390x"\n'))
    assert image.config is None and image.architectures == ("amd64", "arm64") and not image.why


def test_a_registry_that_tells_no_digest(tmp_path: Path) -> None:
    """Without the header the content is digested."""
    store = Store()

    def bare(asked: Asked) -> Reply:
        reply = store.answer(asked)
        return Reply(reply.status, reply.body, {"Content-Type": MANIFEST})

    with serving(bare) as base:
        assert only(seen(tmp_path, base, store.released)).tagged == store.released


def test_a_tag_that_is_not_there(tmp_path: Path) -> None:
    """No such tag is a fact, and the released digest may be there all the same."""
    store = Store()
    with serving(store.answer) as base:
        image = only(seen(tmp_path, base, store.released, image='api = "shop/api:9"'))
    assert image.tagged == "" and image.config is not None


def guarded(store: Store, realm: str) -> Callable[[Asked], Reply]:
    """Answer as registries with tokens do: a challenge, and what the token is for."""
    basic = "Basic " + base64.b64encode(b"ci:registry-password-1").decode()

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            good = asked.headers.get("authorization") == basic and asked.query["scope"] == [
                "repository:shop/api:pull"
            ]
            return Reply(200, {"token": "a-registry-token-1"}) if good else Reply(401)
        if asked.headers.get("authorization") != "Bearer a-registry-token-1":
            challenge = (
                f'Bearer realm="{realm or "http://" + asked.headers["host"]}/token",service="r",scope="x"'
            )
            return Reply(401, {}, {"WWW-Authenticate": challenge})
        return store.answer(asked)

    return answer


USER = 'registry_user = "ci"\nregistry_password = { file = "password" }\n'


def test_a_registry_with_tokens(tmp_path: Path) -> None:
    """A token is fetched with the password, once, and is nowhere in the facts."""
    store = Store()
    with serving(guarded(store, "")) as base:
        found = seen(tmp_path, base, store.released, USER)
    assert only(found).config is not None
    assert "a-registry-token-1" not in json.dumps(found.to_json())


def test_tokens_of_another_host_need_its_name(tmp_path: Path) -> None:
    """The password goes nowhere that the target file does not name, whatever the registry says."""
    store = Store()
    asked: list[Asked] = []

    def elsewhere(request: Asked) -> Reply:
        asked.append(request)
        return guarded(store, "")(request)

    with serving(elsewhere) as other, serving(guarded(store, other)) as base:
        (tmp_path / "1").mkdir()
        image = only(seen(tmp_path / "1", base, store.released, USER))
        assert image.tagged is None and "build.token_url" in image.why and not asked
        (tmp_path / "2").mkdir()
        known = only(seen(tmp_path / "2", base, store.released, f'{USER}token_url = "{other}"\n'))
        assert known.tagged == store.released and [one.path for one in asked] == ["/token"]


@pytest.mark.parametrize("status", [401, 403, 500, 429])
def test_a_registry_that_refuses(tmp_path: Path, status: int) -> None:
    """What the tag names stays unknown, with the answer."""
    with serving(lambda asked: Reply(status)) as base:
        image = only(seen(tmp_path, base, digest("x")))
    assert image.tagged is None and image.config is None
    assert str(status) in image.why or "registry_user" in image.why


def test_blobs_are_fetched_from_known_hosts_only(tmp_path: Path) -> None:
    """A registry may keep blobs elsewhere; where that is must be on the list, and credentials stay behind."""
    store = Store()

    def redirecting(asked: Asked) -> Reply:
        if "/blobs/" in asked.path and "where" not in asked.query:
            return Reply(307, "", {"Location": "https://evil.example/blob?sig=1"})
        return store.answer(asked)

    with serving(redirecting) as base:
        image = only(seen(tmp_path, base, store.released))
    assert image.tagged == store.released and image.config is None
    assert "build.blob_hosts" in image.why and "evil.example" in image.why


def test_blobs_behind_a_redirect(tmp_path: Path) -> None:
    """Within the registry's own host the redirect is followed, without the token."""
    store = Store()
    followed: list[Asked] = []

    def redirecting(asked: Asked) -> Reply:
        if asked.path.startswith("/storage/"):
            followed.append(asked)
            return Reply(200, store.content[asked.path.rpartition("/")[2]])
        if "/blobs/" in asked.path and asked.headers.get("authorization"):
            return Reply(307, "", {"Location": f"/storage/{asked.path.rpartition('/')[2]}?sig=1"})
        return guarded(store, "")(asked)

    with serving(redirecting) as base:
        image = only(seen(tmp_path, base, store.released, USER))
    assert image.config is not None and [one.headers.get("authorization") for one in followed] == [None]
    assert followed[0].query == {"sig": ["1"]}


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
def test_content_that_is_not_its_digests(tmp_path: Path, kind: str) -> None:
    """What does not have the digest that it was asked for by is not believed."""
    store = Store()

    def lying(asked: Asked) -> Reply:
        reply = store.answer(asked)
        if asked.method == "GET" and f"/{kind}/" in asked.path:
            return Reply(reply.status, f"{reply.body} ", reply.headers)
        return reply

    with serving(lying) as base:
        image = only(seen(tmp_path, base, store.released))
    assert image.config is None and "something else" in image.why


@pytest.mark.parametrize(
    "body", ["", "[]", "null", "{}", '{"manifests": 7}', '{"config": {"digest": 7}}', "x" * 100]
)
def test_odd_manifests_break_nothing(tmp_path: Path, body: str) -> None:
    """A manifest that is none gives no configuration, or an empty one."""
    with serving(lambda asked: Reply(200, body, {"Docker-Content-Digest": digest(body)})) as base:
        image = only(seen(tmp_path, base, digest(body)))
    assert image.tagged == digest(body)
    assert image.config is None or image.config.revision == ""


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ('api = "shop/api:1.4.2"', ("shop/api", "1.4.2")),
        ('api = "HOST/shop/api:1.4.2"', ("shop/api", "1.4.2")),
        ('api = "shop/api"', ("shop/api", "1.4.2")),
        ('api = "team/shop/api:v2@sha256:00"', ("team/shop/api", "v2")),
        ("", ("api", "1.4.2")),
    ],
)
def test_where_an_image_is_looked_for(tmp_path: Path, image: str, expected: tuple[str, str]) -> None:
    """By the target file with or without the registry's host; else by the service's name and the release's version."""
    store = Store()
    with serving(store.answer) as base:
        found = seen(tmp_path, base, store.released, image=image.replace("HOST", base.partition("//")[2]))
    assert (only(found).repository, only(found).tag) == expected


def test_an_image_of_another_registry(tmp_path: Path) -> None:
    """Where the build pushed elsewhere, asking this registry proves nothing."""
    with serving(Store().answer) as base:
        found = seen(tmp_path, base, digest("x"), image='api = "ghcr.io/shop/api:1"')
    assert (found.state, found.reason) == ("unseen", "no_config") and "ghcr.io" in found.detail
