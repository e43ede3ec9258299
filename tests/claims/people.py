"""People with keys, who sign: for the tests of claims."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.checklist import default
from pytest_deploycheck.claims.envelope import Envelope, Producer, Release, Where
from pytest_deploycheck.claims.roles import ROLES, Roles
from pytest_deploycheck.claims.signatures import Trust, sign
from pytest_deploycheck.claims.signed import Context

NOW = datetime.now(UTC).replace(microsecond=0)
RELEASE = Release(version="1.4.2", commit="c" * 40, images={"app": "sha256:aa"}, contract="0x01")


class People:
    """One person for each role, called `<role>@test`, with a key of her own below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.claims = folder / "claims"
        self.claims.mkdir(parents=True)
        self.trust = Trust(folder / "allowed_signers")
        self.roles = Roles(roles={role: [f"{role}@test"] for role in ROLES})
        lines = [f"{role}@test {self.key(role).with_suffix('.pub').read_text()}" for role in ROLES]
        self.trust.allowed_signers.write_text("".join(lines))

    def key(self, name: str) -> Path:
        """Return a person's private key, made at first use."""
        path = self.folder / f"key-{name}"
        if not path.exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
            subprocess.run(command, check=True)
        return path

    def context(self, **changes: Any) -> Context:
        """Return what files are compared with."""
        values: dict[str, Any] = {
            "fingerprints": {item.id: item.fingerprint for item in default().items},
            "target": "prod",
            "environment": "production",
            "release": RELEASE,
            "roles": self.roles,
            "now": NOW,
        }
        return Context(**{**values, **changes})

    def envelope(self, item: str, role: str, /, **changes: Any) -> Envelope:
        """Return an envelope that counts, but for the changes."""
        values: dict[str, Any] = {
            "kind": "record",
            "item": item,
            "item_fingerprint": default().by_id[item].fingerprint if item in default().by_id else "0",
            "target": Where(name="prod", environment="production"),
            "release": RELEASE,
            "produced_at": NOW - timedelta(hours=1),
            "valid_until": NOW + timedelta(days=30),
            "producer": Producer(principal=f"{role}@test", role=role),
            "statement": "It is so.",
        }
        return Envelope(**{**values, **changes})

    def write(self, name: str, envelope: Envelope, key: str = "") -> Path:
        """Write an envelope and sign it, by its producer unless another key is named."""
        path = self.claims / f"{name}.json"
        path.write_bytes(envelope.to_bytes())
        sign(path, self.key(key or envelope.producer.role))
        return path
