"""The demo's mobile app: an APK and an IPA made in pure Python, and a client that stands in for a device with it.

The package holds what an app has that can be looked at: a manifest, a script, a signature. There is no code
in it that a telephone would run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import people, stores
from pytest_deploycheck.demo.contract.deploy import CHAIN_ID, token_address
from pytest_deploycheck.demo.mobile import apk, device, ipa
from pytest_deploycheck.demo.mobile.apk import Manifest
from pytest_deploycheck.demo.mobile.keys import Signer
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.records import mobile as records
from pytest_deploycheck.demo.world import DOMAINS, World

PACKAGE = BUNDLE = "test.tokens.app"
TEAM_APP = f"T0KENSTEAM.{BUNDLE}"
MIN_OS = {"android": 26, "ios": "16.0"}


def available() -> str | None:
    """Return None, or why nobody can sign that the app was tried."""
    return people.available()


def build_number(world: World) -> int:
    """Return what stores compare: 1.4.2 is 10402."""
    major, minor, patch = map(int, world.release.version.split("."))
    return (major * 100 + minor) * 100 + patch


def artifacts(world: World) -> tuple[Path, Path]:
    """Return the released files: for Android, for Apple."""
    return world.path("mobile", "token-app.apk"), world.path("mobile", "token-app.ipa")


def daemons(world: World) -> list[Daemon]:
    """Build and sign both apps, publish whose they are, use the service as the app does, and have it signed."""
    build(world)
    device.run(world)
    records.write(world, People(world))
    return []


def script(world: World) -> str:
    """Return the app's script."""
    config = {
        "api": f"https://{DOMAINS[0]}",
        "contract": token_address(world),
        "chainId": CHAIN_ID,
        "version": world.release.version,
    }
    return (
        f"var c={json.dumps(config)};async function r(e,t){{const n=await fetch(c.api+e,t);"
        'if(!n.ok)throw Error("status "+n.status);return n.json()}globalThis.tokens={config:c,load:r};\n'
    )


def build(world: World, manifest: Manifest | None = None, **files: str) -> None:
    """Write the apps and the association files; `manifest` and `files` (script=…, info=…) change what is in them."""
    android, apple = artifacts(world)
    signer = Signer.of(world.path("mobile", "signer.pem"), "CN=Token app,O=Tokens")
    text = files.get("script", script(world))
    made = manifest or Manifest(PACKAGE, world.release.version, build_number(world), links=(DOMAINS[0],))
    android.write_bytes(apk.signed(apk.package(made, {"assets/index.android.bundle": text.encode()}), signer))
    apple.write_bytes(
        ipa.package(
            BUNDLE,
            TEAM_APP,
            world.release.version,
            str(build_number(world)),
            {"main.jsbundle": text.encode()},
            links=(DOMAINS[0],),
            signer=signer,
        )
    )
    associations(world, signer.fingerprint)


def association_files(world: World) -> tuple[Path, Path]:
    """Return the files that nginx serves: for Android, for Apple."""
    folder = world.path("nginx", "www", ".well-known", "x").parent
    return folder / "assetlinks.json", folder / "apple-app-site-association"


def associations(world: World, fingerprint: str) -> None:
    """Write which apps may open the site's links."""
    colons = ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2)).upper()
    app = {"namespace": "android_app", "package_name": PACKAGE, "sha256_cert_fingerprints": [colons]}
    links: list[dict[str, Any]] = [
        {"relation": ["delegate_permission/common.handle_all_urls"], "target": app},
    ]
    apple = {"applinks": {"details": [{"appIDs": [TEAM_APP], "components": [{"/": "/pay/*"}]}]}}
    for path, content in zip(association_files(world), (links, apple), strict=True):
        for folder in (path.parent.parent, path.parent):
            folder.chmod(0o755)
        path.write_text(json.dumps(content, indent=2) + "\n")
        path.chmod(0o644)


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return `[mobile]`, and what of it is invented."""
    return {
        "mobile": {
            "artifacts": [str(path.relative_to(world.dir)) for path in artifacts(world)],
            "package": PACKAGE,
            "bundle_id": BUNDLE,
            "team_app_id": TEAM_APP,
            "api_hosts": [DOMAINS[0]],
            "apple_cdn": world.url("stores"),
            "store_url": world.url("stores"),
            "min_version_path": "/config",
            "min_version_field": "min_app_version",
            "e2e_report": "mobile/e2e.xml",
            "user_agent_pattern": r"TokenApp/{version} ",
            "required_flows": list(device.FLOWS),
            "os_majors": {"android": [14, 15], "ios": [18]},
        },
        "standins": {
            stores.LABEL: "Apple's lookup and its copies of association files: documented answers about the demo's app",
            "app": "a package without code; a client asks the service as such an app would",
            "app.tests": "the devices that the app was tried on, and what Google's store has of it",
        },
    }
