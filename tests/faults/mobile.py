"""Faults of the mobile app: another build, other sites, other tests, other stores than those that were released."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pytest_deploycheck.demo import mobile, testnet
from pytest_deploycheck.demo.contract.deploy import CHAIN_ID, token_address
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.mobile import apk, ipa
from pytest_deploycheck.demo.mobile.apk import Manifest
from pytest_deploycheck.demo.mobile.keys import Signer
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault

ENDPOINTS = "go_live.mobile.endpoints"
TESTED = "go_live.mobile.tested"
STORES = "go_live.mobile.stores"
NEEDS = ("mobile",)
APP = ("mobile",)
# Another build is not the one that was tried, and not the one that the stores have.
ALSO = (TESTED, STORES)
OTHER = "0x" + "5e" * 20


@contextmanager
def other_files(demo: Deployment) -> Iterator[World]:
    """Let the released files and the sites' be changed; put them back afterwards."""
    paths = (*mobile.artifacts(demo.world), *mobile.association_files(demo.world))
    before = {path: path.read_bytes() for path in paths}
    try:
        yield demo.world
    finally:
        for path, data in before.items():
            path.write_bytes(data)


def manifest(world: World) -> Manifest:
    """Return what the released app says of itself."""
    return Manifest(mobile.PACKAGE, world.release.version, mobile.build_number(world), links=("tokens.test",))


def script(change: Callable[[World, str], str]) -> Any:
    """Return an injection that builds both apps with a script that was changed."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with other_files(demo) as world:
            before = mobile.script(world)
            after = change(world, before)
            assert after != before
            mobile.build(world, script=after)
            yield

    return inject


def described(**changes: Any) -> Any:
    """Return an injection that builds the package with another manifest."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with other_files(demo) as world:
            mobile.build(world, replace(manifest(world), **changes))
            yield

    return inject


def swapped(old: str, new: str) -> Callable[[World, str], str]:
    """Return a change of the script."""
    return lambda world, text: text.replace(old, new)


def added(line: str) -> Callable[[World, str], str]:
    """Return a change that adds a line to the script."""
    return lambda world, text: text + line


API = "https://tokens.test"
for name, change in (
    ("it asks the staging host", swapped(API, "https://staging.tokens.test")),
    ("a second configuration has the old host", added(f'var o="{API.replace("//", "//v1.")}/api";')),
    ("the old host stands there without a scheme", added('var h="old-api.tokens.test";')),
    ("it reports to a tunnel", added('var t="https://4f1c2a9b.ngrok-free.app/log";')),
    ("an address of the office", added('var d="http://192.168.178.20:8000";')),
    ("the developer's own machine", added('var d="http://localhost:3000/api";')),
    ("a node of the test network", added('var n="https://rpc.sepolia.org";')),
    ("it asks nobody", swapped(API, "")),
    ("the old contract", lambda world, text: text.replace(token_address(world), OTHER)),
    ("the chain of the test network", swapped(f'"chainId": {CHAIN_ID}', '"chainId": 11155111')),
    ("a secret of the server", lambda world, text: f'{text}var p="{world.secret("jwt_secret")}";'),
    ("a node's key", added('var r="https://mainnet.infura.io/v3/0123456789abcdef0123456789abcdef";')),
    ("a private key", added('var k="-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC";')),
):
    fault(ENDPOINTS, name, probes=APP, also=ALSO, needs=NEEDS)(script(change))

fault(ENDPOINTS, "the test network's contract beside it", probes=APP, also=ALSO, needs=(*NEEDS, "testnet"))(
    script(lambda world, text: f'{text}var s="{testnet.address(world)}";')
)

BUILDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("everybody can debug it", {"debuggable": True}),
    ("a build for tests", {"test_only": True}),
    ("it may speak plain HTTP", {"cleartext": True}),
    ("an old system level permits plain HTTP", {"cleartext": None, "target_sdk": 27}),
    ("the package of the preview", {"package": "test.tokens.app.preview"}),
    ("the API does not serve this version any more", {"version": "1.2.9"}),
)
for name, changes in BUILDS:
    fault(ENDPOINTS, name, probes=APP, also=ALSO, needs=NEEDS)(described(**changes))


def packed(change: Callable[[World, bytes], bytes]) -> Any:
    """Return an injection that changes the bytes of the released package."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with other_files(demo) as world:
            path = mobile.artifacts(world)[0]
            path.write_bytes(change(world, path.read_bytes()))
            yield

    return inject


def unsigned(world: World, data: bytes) -> bytes:
    """Return the package without a signature."""
    return apk.package(manifest(world), {"assets/index.android.bundle": mobile.script(world).encode()})


def signed_by(subject: str) -> Callable[[World, bytes], bytes]:
    """Return a change to another key."""
    return lambda world, data: apk.signed(unsigned(world, data), Signer.make(subject))


def patched(world: World, data: bytes) -> bytes:
    """Return the package with a file's time changed after it was signed."""
    at = data.find(b"PK\3\4") + 10
    return data[:at] + bytes([data[at] ^ 2]) + data[at + 1 :]


def twice(world: World, data: bytes) -> bytes:
    """Return a package with a second manifest, of which some installers take the first and some the last."""
    out = io.BytesIO(unsigned(world, data))
    with zipfile.ZipFile(out, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the name is there already
        archive.writestr(zipfile.ZipInfo("AndroidManifest.xml"), archive.read("AndroidManifest.xml"))
    return apk.signed(out.getvalue(), Signer.of(world.path("mobile", "signer.pem"), ""))


def bomb(world: World, data: bytes) -> bytes:
    """Return a package of a few hundred kilobytes that would unpack to more than any entry may have."""
    out = io.BytesIO(unsigned(world, data))
    with (
        zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("assets/data.bin", "w") as entry,
    ):
        for _ in range(100):
            entry.write(bytes(2**20))
    return out.getvalue()


for name, spoil in (
    ("it is not signed", unsigned),
    ("it is signed with a developer's key", signed_by("CN=Android Debug,O=Android,C=US")),
    ("it is signed with another key", signed_by("CN=Token app,O=Tokens")),
    ("it was changed after it was signed", patched),
    ("it has two manifests", twice),
    ("half of it is missing", lambda world, data: data[: len(data) // 2]),
    ("it is a zip bomb", bomb),
):
    fault(ENDPOINTS, name, probes=APP, also=ALSO, needs=NEEDS)(packed(spoil))


def apple(**changes: Any) -> Any:
    """Return an injection that builds Apple's archive otherwise."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with other_files(demo) as world:
            signer = Signer.of(world.path("mobile", "signer.pem"), "")
            content = {"main.jsbundle": mobile.script(world).encode()}
            given = {"team_app": mobile.TEAM_APP, **changes}
            build = str(mobile.build_number(world))
            made = ipa.package(
                mobile.BUNDLE,
                version=world.release.version,
                build=build,
                files=content,
                signer=signer,
                **given,
            )
            mobile.artifacts(world)[1].write_bytes(made)
            yield

    return inject


EXCEPTION = {"NSExceptionDomains": {"tokens.test": {"NSExceptionAllowsInsecureHTTPLoads": True}}}
APPLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Apple's app may speak plain HTTP", {"info": {"NSAppTransportSecurity": {"NSAllowsArbitraryLoads": True}}}),
    ("Apple's app may speak plain HTTP to the API", {"info": {"NSAppTransportSecurity": EXCEPTION}}),
    ("Apple's app can be debugged", {"rights": {"get-task-allow": True}}),
    ("Apple's app is another team's", {"team_app": f"0THERTEAM1.{mobile.BUNDLE}"}),
    ("Apple's app is the preview", {"info": {"CFBundleIdentifier": "test.tokens.app.preview"}}),
    ("Apple's app has a node's key in its property list", {"info": {"Node": "https://mainnet.infura.io/v3/" + "0a" * 16}}),
)  # fmt: skip
for name, changes in APPLES:
    fault(ENDPOINTS, name, probes=APP, also=ALSO, needs=NEEDS)(apple(**changes))


def pinned(*keys: str) -> dict[str, Any]:
    """Return rules that pin keys of the public name."""
    said = {"localhost": {"NSPinnedCAIdentities": [{"SPKI-SHA256-BASE64": key} for key in keys]}}
    return {"info": {"NSAppTransportSecurity": {"NSPinnedDomains": said}}}


for name, changes in (
    ("it pins keys that nobody serves", pinned("A" * 43 + "=", "B" * 43 + "=")),
    ("it pins one key", pinned("A" * 43 + "=")),
):
    fault(ENDPOINTS, name, probes=(*APP, "mobile_pins"), also=ALSO, needs=NEEDS)(apple(**changes))


@fault(
    ENDPOINTS, "the released file is not there", probes=APP, also=ALSO, needs=NEEDS, becomes=Verdict.UNPROVEN
)
@contextmanager
def file_away(demo: Deployment) -> Iterator[None]:
    """Take the package away."""
    with other_files(demo) as world:
        mobile.artifacts(world)[0].unlink()
        yield
