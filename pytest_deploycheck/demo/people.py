"""The demo's people: one for each role, with a key of her own, and what they have signed."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pytest_deploycheck.checklist import default
from pytest_deploycheck.claims import write as writer
from pytest_deploycheck.claims.envelope import Kind, Producer, Release, Where
from pytest_deploycheck.claims.roles import ROLES
from pytest_deploycheck.demo import records, reports
from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

DOMAIN = "token.test"


def available() -> str | None:
    """Return None, or why nobody can sign on this machine."""
    return (
        None if shutil.which("ssh-keygen") else "no ssh-keygen; Debian has it in the package openssh-client"
    )


def daemons(world: World) -> list[Daemon]:
    """Write keys, roles and everything that is signed; there is no server."""
    people = People(world)
    people.prepare()
    for found in pkgutil.iter_modules(records.__path__):
        importlib.import_module(f"{records.__name__}.{found.name}").write(world, people)
    return []


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Return where claims and the ledger are."""
    return {
        "claims": {
            "dir": "people/claims",
            "roles": "people/roles.toml",
            "allowed_signers": "people/allowed_signers",
        },
        "ledger": {"path": "ledger.jsonl"},
        "standins": {
            "people": "nobody works here: contacts, roster, and that somebody read or did something"
        },
        "migrations": {"tool": "golang-migrate", "dir": "migrations"},
        "docs": {"runbook_dir": "docs/runbooks"},
        "contacts": {
            "file": "people/contacts.yaml",
            "roles": ["operations", "security", "backend", "communication"],
        },
        "maintenance": {
            "calendar": "people/maintenance.yaml",
            "peak_hours": ["mon-fri 08:00-20:00 Europe/Berlin"],
        },
        "comms": {
            "stakeholder_groups": ["customers", "investors", "support"],
            "support_roster": ["mia", "noah", "lea", "tom", "zoe"],
            "support_leads": ["mia"],
            "documents": {
                "security runbook": f"{world.url('runbooks')}/security.md",
                "chain runbook": f"{world.url('runbooks')}/chain.md",
                "API reference": "docs/runbooks/api.md",
            },
            "docs_base": [world.url("runbooks")],
            "teams": ["operations", "support"],
            "roster": "people/roster.toml",
        },
    }


class People:
    """Everybody who may sign in the demo, called `<role>@token.test`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.home = world.dir / "people"
        self.claims = self.home / "claims"
        self.now = datetime.now(UTC).replace(microsecond=0)

    def prepare(self) -> None:
        """Make missing keys, write who may sign as what, and start with no claims but those that are made now."""
        self.home.mkdir(exist_ok=True)
        shutil.rmtree(self.claims, ignore_errors=True)
        self.claims.mkdir()
        signers = "".join(f"{principal(role)} {self._public(role)}\n" for role in ROLES)
        (self.home / "allowed_signers").write_text(signers)
        lines = [f'{role} = ["{principal(role)}"]' for role in ROLES]
        (self.home / "roles.toml").write_text("\n".join(["[roles]", *lines, ""]))

    def key(self, role: str) -> Path:
        """Return a role's private key."""
        return self.home / f"key-{role}"

    def record(
        self,
        item: str,
        role: str,
        statement: str,
        facts: Mapping[str, Any],
        files: Sequence[Path] = (),
        **more: Any,
    ) -> Path:
        """Sign a record of an item; see `say` for the rest."""
        return self.say("record", item, role, statement, facts=facts, files=files, **more)

    def say(
        self,
        kind: Kind,
        item: str,
        role: str,
        statement: str,
        *,
        facts: Mapping[str, Any] | None = None,
        files: Sequence[Path] = (),
        covers: Mapping[str, str] | None = None,
        ago: timedelta = timedelta(),
        valid: timedelta = timedelta(days=30),
        requested_by: str = "",
    ) -> Path:
        """Sign something as it would have been some time ago; `files` are copied beside it."""
        made = writer.envelope(
            item,
            checklist=default(),
            where=Where(name="demo", environment="demo"),
            release=release(self.world),
            kind=kind,
            producer=Producer(principal=principal(role), role=role),
            statement=statement,
            now=self.now - ago,
            valid=valid,
            facts=facts,
            artifacts=[writer.keep(file, self.claims) for file in files],
            covers=covers,
            requested_by=requested_by,
        )
        return writer.write(made, self.claims, self.key(role))

    def _public(self, role: str) -> str:
        path = self.key(role)
        if not path.exists():
            private = Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
            path.touch(mode=0o600)
            path.write_bytes(private)
        loaded = serialization.load_ssh_private_key(path.read_bytes(), None)
        return (
            loaded.public_key()
            .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
            .decode()
        )


def principal(role: str) -> str:
    """Return the address of whoever holds a role."""
    return f"{role}@{DOMAIN}"


def release(world: World) -> Release:
    """Return the demo's release, as its target file names it."""
    return Release(
        version=world.release.version,
        commit=world.release.commit,
        images=reports.images(world),
        contract=deploy.token_address(world),
    )
