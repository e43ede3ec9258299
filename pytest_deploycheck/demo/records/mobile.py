"""What quality assurance and the product have signed of the demo's app; devices and Google's store are invented."""

from __future__ import annotations

from datetime import datetime, timedelta

from pytest_deploycheck.claims.cited import sha256_of
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.world import World

TESTED, STORES = "go_live.mobile.tested", "go_live.mobile.stores"
DEVICES = (
    {"kind": "device", "platform": "android", "os_major": 15, "model": "Pixel 8"},
    {"kind": "device", "platform": "android", "os_major": 14, "model": "Galaxy S22"},
    {"kind": "device", "platform": "ios", "os_major": 18, "model": "iPhone 15"},
)


def write(world: World, people: People) -> None:
    """Sign what was tried and what the stores have; nothing where no app was built."""
    from pytest_deploycheck.demo import mobile
    from pytest_deploycheck.demo.mobile import device

    if not (world.dir / "mobile" / "e2e.json").exists():
        return
    for item in (TESTED, STORES):
        for old in people.claims.glob(f"record-{item.replace('.', '-').replace('_', '-')}-*"):
            old.unlink()
    version, build = world.release.version, mobile.build_number(world)
    android, apple = mobile.artifacts(world)
    tried = device.newest(world)
    people.record(
        TESTED,
        "qa",
        "The released app was tried against the service, and worked.",
        {
            "environment": "demo",
            "backend_commit": world.release.commit,
            "apps": [
                {"sha256": sha256_of(file), "file": file.name, "version": version, "build": str(build)}
                for file in (android, apple)
            ],
            "devices": list(DEVICES),
            "flows": tried.flows,
            "tests": len(tried.flows),
            "failures": sum(word != "passed" for word in tried.flows.values()),
            "reports": [{"file": device.report(world).name, "sha256": sha256_of(device.report(world))}],
            "started_at": tried.began,
            "finished_at": tried.ended,
        },
        files=[device.report(world)],
    )
    go_live = datetime.fromisoformat(world.release.deployed_at)
    people.record(
        STORES,
        "product",
        "Both stores have the version; it comes out with the service.",
        {
            "go_live_at": go_live.isoformat(),
            "release_at": (go_live - timedelta(minutes=30)).isoformat(),
            "app_store": {"version": version, "state": "READY_FOR_DISTRIBUTION", "phased": False},
            "play": {
                "package": mobile.PACKAGE,
                "track": "production",
                "status": "completed",
                "version": version,
                "version_code": build,
                "rollout": 1.0,
            },
            "listing": {"privacy": True, "export": True},
        },
    )
