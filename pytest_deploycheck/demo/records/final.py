"""An audit of the demo's contract that nobody made, about the contract as it is; `[standins]` says so."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from pytest_deploycheck.demo.contract import artifact
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.world import World


def write(world: World, people: People) -> None:
    """Sign, as security, what an audit would have said of this very contract."""
    code = bytes.fromhex(artifact()["bytecode"].removeprefix("0x"))
    digest = hashlib.sha256(code).hexdigest()
    report = people.home / "contract-audit.txt"
    report.write_text(
        f"Stand-in for an audit of the contract with creation code of sha256 {digest},\n"
        f"release {world.release.version}. Nobody audited it.\n"
    )
    people.record(
        "go_live.final.scans",
        "security",
        "The contract was audited; the audit is a stand-in.",
        {"auditor": "a stand-in, nobody", "artifact_sha256": digest, "open_findings": 0},
        files=[report],
        ago=timedelta(hours=1),
    )
