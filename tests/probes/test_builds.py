"""Records of builds of each kind, signed provenance, and what is baked into images."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.build_records import RecordError, read
from pytest_deploycheck.probes.image_configs import ImageConfig
from pytest_deploycheck.probes.image_configs import read as read_config
from pytest_deploycheck.rules import provenance
from tests.probes.repositories import repository
from tests.probes.service import look

DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
SHA = "a9ba846486420e07d30db1107411ac3697ecab68"

OURS = {
    "service": "api",
    "image": "registry.example/shop/api:1.4.2",
    "digest": DIGEST,
    "commit": SHA,
    "clean": True,
    "exit_status": 0,
    "started_at": "2026-11-24T08:00:00Z",
    "finished_at": "2026-11-24T08:05:00Z",
    "builder": "ci",
}
BUILDX = {
    "buildx.build.provenance": {
        "builder": {"id": "https://ci.example/run/7"},
        "buildType": "https://mobyproject.org/buildkit@v1",
        "materials": [{"uri": "pkg:docker/python@3.12", "digest": {"sha256": "00"}}],
        "invocation": {
            "configSource": {"entryPoint": "Dockerfile"},
            "environment": {"platform": "linux/amd64"},
        },
        "metadata": {
            "buildInvocationID": "c4a87v0s",
            "buildStartedOn": "2026-11-24T08:00:00.651359794Z",
            "buildFinishedOn": "2026-11-24T08:05:00.6Z",
            "https://mobyproject.org/buildkit@v1#metadata": {
                "vcs": {"revision": SHA, "source": "https://git.example/shop/api.git"}
            },
        },
    },
    "containerimage.config.digest": OTHER,
    "containerimage.digest": DIGEST,
    "image.name": "registry.example/shop/api:1.4.2,registry.example/shop/api:latest",
}
SLSA: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "registry.example/shop/api", "digest": {"sha256": "ab" * 32}}],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "resolvedDependencies": [
                {"uri": "git+https://git.example/shop/api@refs/heads/main", "digest": {"gitCommit": SHA}}
            ],
        },
        "runDetails": {
            "builder": {"id": "https://github.com/actions/runner/github-hosted"},
            "metadata": {"startedOn": "2026-11-24T08:00:00Z", "finishedOn": "2026-11-24T08:05:00Z"},
        },
    },
}


@pytest.mark.parametrize(
    ("document", "service"), [(OURS, "api"), (BUILDX, ""), (SLSA, "")], ids=["ours", "buildx", "slsa"]
)
def test_each_kind_says_the_same(document: dict[str, Any], service: str) -> None:
    """Digest, commit, a clean tree, success and times, whoever wrote the record."""
    (found,) = read(document)
    assert (found.service, found.digests, found.commit) == (service, (DIGEST,), SHA)
    assert (found.clean, found.succeeded) == (True, True) and found.builder
    assert found.started_at.startswith("2026-11-24T08:00:00") and found.ended_at.startswith(
        "2026-11-24T08:05:00"
    )
    assert found.image.startswith("registry.example/shop/api")


def test_a_dirty_tree_is_marked_by_buildx() -> None:
    """BuildKit appends a word to the revision."""
    text = json.dumps(BUILDX).replace(SHA, f"{SHA}-dirty")
    (found,) = read(json.loads(text))
    assert (found.commit, found.clean) == (SHA, False)


def test_buildx_outside_a_repository_says_no_commit() -> None:
    """Without a revision nothing is known of the tree."""
    (found,) = read({"containerimage.digest": DIGEST})
    assert (found.commit, found.clean, found.started_at) == ("", None, "")


def test_a_bake_of_several_targets() -> None:
    """Each target is a service."""
    found = read({"api": BUILDX, "web": {**BUILDX, "containerimage.digest": OTHER}})
    assert [(one.service, one.digests) for one in found] == [("api", (DIGEST,)), ("web", (OTHER,))]


def test_provenance_of_several_sources_names_none() -> None:
    """Of two commits nobody can say which was built."""
    text = json.loads(json.dumps(SLSA))
    text["predicate"]["buildDefinition"]["resolvedDependencies"].append({"digest": {"gitCommit": "f" * 40}})
    (found,) = read(text)
    assert (found.commit, found.clean) == ("", None)


@pytest.mark.parametrize(
    "document", [None, [], {}, {"x": 1}, {"_type": "https://in-toto.io/Statement/v1", "predicateType": "vsa"}]
)
def test_what_is_no_record_is_refused(document: Any) -> None:
    """A document without a digest records no build."""
    with pytest.raises(RecordError):
        read(document)


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, True])
@pytest.mark.parametrize("key", [*OURS])
def test_a_record_with_holes_claims_nothing(key: str, value: Any) -> None:
    """What is missing or of another type is not said, or names nothing."""
    (found,) = read({**OURS, key: value})
    if key == "exit_status" and value is not True:
        assert found.succeeded is (False if value == 7 else None)
    if key == "clean" and value is not True:
        assert found.clean is None
    if key == "digest":
        assert found.digests == ()


KEYS = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def public(name: str) -> bytes:
    """Return a key's public half as PEM."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return KEYS[name].public_key().public_bytes(serialization.Encoding.PEM, kind)


def sign(name: str, message: bytes) -> bytes:
    """Sign as cosign and others do with each kind of key."""
    key = KEYS[name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(hashes.SHA256()))
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def sealed(name: str, statement: Any = SLSA, *, over: bytes | None = None) -> dict[str, Any]:
    """Return a DSSE envelope around a statement."""
    payload = json.dumps(statement).encode()
    message = provenance.encoded(provenance.PAYLOAD_TYPE, payload) if over is None else over
    return {
        "payloadType": provenance.PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": "", "sig": base64.b64encode(sign(name, message)).decode()}],
    }


@pytest.mark.parametrize("name", KEYS)
def test_signed_provenance_is_verified(name: str) -> None:
    """With the key it was signed with, also inside of a bundle; with another one it is not."""
    document = sealed(name)
    assert provenance.unwrap(document, public(name)) == (SLSA, True)
    assert provenance.unwrap({"mediaType": "x", "dsseEnvelope": document}, public(name)) == (SLSA, True)
    other = next(key for key in KEYS if key != name)
    assert provenance.unwrap(document, public(other)) == (SLSA, False)
    assert provenance.unwrap(document, None) == (SLSA, None)


def test_provenance_that_was_touched_is_not_signed() -> None:
    """Another payload, another type, a signature over the payload alone, and none at all."""
    key, document = public("ed25519"), sealed("ed25519")
    payload = base64.b64encode(json.dumps({**SLSA, "x": 1}).encode()).decode()
    assert provenance.unwrap({**document, "payload": payload}, key)[1] is False
    assert provenance.unwrap({**document, "payloadType": "text/plain"}, key)[1] is False
    assert provenance.unwrap(sealed("ed25519", over=json.dumps(SLSA).encode()), key)[1] is False
    assert provenance.unwrap({**document, "signatures": []}, key)[1] is False
    assert provenance.unwrap(SLSA, key) == (SLSA, False)
    assert provenance.unwrap({**document, "payload": "?"}, key) == (None, False)


def test_the_encoding_that_is_signed() -> None:
    """The example of the DSSE protocol's own text."""
    assert provenance.encoded("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def config(env: list[str] | None = None, history: list[str] | None = None, **own: Any) -> ImageConfig:
    """Return the facts of an image's configuration; every secret found must have been learned."""
    learned: list[str] = []
    document = {
        "architecture": "amd64",
        "created": "2026-11-24T08:00:00Z",
        "config": {"User": "10001", "Env": env or [], "Labels": {}, **own},
        "history": [{"created_by": step} for step in history or []],
    }
    found = read_config(document, learned.append)
    assert len(learned) >= len(found.secrets)
    return found


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ("DB_PASSWORD=correct-horse-battery", "DB_PASSWORD"),
        ("JWT_SECRET=0123456789abcdef", "JWT_SECRET"),
        ("api_key=k2J8vQ0sLr5TzX1w", "api_key"),
        ("SIGNER_PRIVATE_KEY=0x4f3edf983ac636a65a842ce7c78d9aa7", "SIGNER_PRIVATE_KEY"),
        ("DATABASE_URL=postgres://app:s3cr3t-pw@db/shop", "a URL with a password"),
        ("X=ghp_0123456789abcdefghijABCDEFGHIJ012345", "a GitHub token"),
        ("GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305", ""),
        ("PYTHON_SHA256=8b59e1d4a5d4b5b1a2c3d4e5f6a7b8c9", ""),
        ("PATH=/usr/local/bin:/usr/bin", ""),
        ("DB_PASSWORD_FILE=/run/secrets/db", ""),
        ("DB_PASSWORD=/run/secrets/db", ""),
        ("JWT_SECRET=changeme-please", ""),
        ("SECRET_KEY_BASE=1", ""),
        ("TOKEN_CONTRACT=0x5FbDB2315678afecb367f032d93F642f64180aa3", ""),
        ("DATABASE_URL=postgres://db/shop", ""),
        ("PASSWORD=$DB_PASSWORD", ""),
    ],
)
def test_secrets_in_an_images_environment(env: str, name: str) -> None:
    """By name and by shape; fingerprints, paths, switches and placeholders are none."""
    assert config([env]).secrets == ((("environment", name),) if name else ())


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("RUN |1 NPM_TOKEN=k2J8vQ0sLr5TzX1w /bin/sh -c npm ci", "NPM_TOKEN"),
        ("ARG BUILD_PASSWORD='correct horse battery'", "BUILD_PASSWORD"),
        (
            "RUN /bin/sh -c pip install -i https://ci:k2J8vQ0sLr5T@pypi.example/simple x",
            "a URL with a password",
        ),
        ("RUN /bin/sh -c echo '-----BEGIN RSA PRIVATE KEY-----' > /key", "a private key"),
        ("RUN --mount=type=secret,id=NPM_TOKEN npm ci # buildkit", ""),
        ("RUN /bin/sh -c NPM_TOKEN=$(cat /run/secrets/t) npm ci", ""),
        ("ENV PYTHON_VERSION=3.12.1", ""),
        ("COPY . /srv # buildkit", ""),
    ],
)
def test_secrets_in_an_images_history(step: str, name: str) -> None:
    """Arguments of builds are kept; secrets that were mounted are not."""
    assert config(history=[step]).secrets == ((("history", name),) if name else ())


@pytest.mark.parametrize(
    ("user", "root"),
    [
        ("", True),
        ("0", True),
        ("root", True),
        ("0:0", True),
        ("root:app", True),
        ("10001:0", False),
        ("app", False),
    ],
)
def test_who_runs_an_image(user: str, root: bool) -> None:
    """User 0 under any name is root; nobody named is, too."""
    assert config(User=user).root is root


def seen(
    folder: Path, records: dict[str, Any], more: str = "", tree: dict[str, str] | None = None
) -> Observation:
    """Look at records of builds, of a release of `api` at the commit of a tree, and of somebody's `db`."""
    (commit,) = repository(folder / "code", tree or {"a": ""})
    (folder / "builds").mkdir()
    for name, record in records.items():
        text = "\n".join(map(json.dumps, record)) if isinstance(record, list) else json.dumps(record)
        (folder / "builds" / name).write_text(text.replace(SHA, commit))
    (folder / "key.pem").write_bytes(public("ecdsa"))
    text = (
        f'[release]\ncommit = "{commit}"\nimages = {{ api = "{DIGEST}", db = "{OTHER}" }}\n'
        f'[repo]\nclone = "code"\n[reports]\nbuild = "builds/*"\n[build]\nthird_party = ["db"]\n{more}'
    )
    return look(folder, "http://127.0.0.1:1", "builds", text)


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("x.json", OURS),
        ("x.json", BUILDX),
        ("api.json", {**BUILDX, "containerimage.digest": OTHER.replace("c", "e")}),
        ("x.jsonl", [sealed("ecdsa")]),
    ],
)
def test_builds_belong_to_services(tmp_path: Path, name: str, record: Any) -> None:
    """As the record says, else by its digest, else by the file's name."""
    facts = seen(tmp_path, {name: record}).facts
    assert [build.service for build in facts.builds] == ["api"] and facts.committed_at


def test_the_key_of_the_target_file_decides(tmp_path: Path) -> None:
    """What it signed is signed; what nobody signed is not."""
    facts = seen(
        tmp_path,
        {"a.jsonl": [sealed("ecdsa"), sealed("rsa")], "b.json": OURS},
        'provenance_key = "key.pem"\n',
    ).facts
    assert [build.signed for build in facts.builds] == [True, False, False]


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        (f"postgres:17@{OTHER}", True),
        (f"${{DB_IMAGE:-postgres@{OTHER}}}", True),
        ("postgres:17", False),
        ("${DB_IMAGE}", None),
        ("postgres:${VERSION:-17}", None),
    ],
)
def test_what_compose_files_run_of_others(tmp_path: Path, image: str, pinned: bool | None) -> None:
    """Pinned by digest, by a tag, or by a variable that nobody has set yet."""
    tree = {
        "compose.yaml": json.dumps(
            {"services": {"db": {"image": image}, "api": {"image": "x", "build": "."}}}
        )
    }
    (one,) = seen(tmp_path, {"a.json": OURS}, tree=tree).facts.references
    assert (one.service, one.pinned) == ("db", pinned)


def test_a_record_that_is_none_is_unparseable(tmp_path: Path) -> None:
    """It is named."""
    found = seen(tmp_path, {"a.json": {"x": 1}})
    assert (found.state, found.reason) == ("unseen", "unparseable") and "a.json" in found.detail
