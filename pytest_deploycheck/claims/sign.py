"""`deploycheck sign`: a role signs for the release, over the ledger, the target file and who signed before."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import ledger as ledgers
from pytest_deploycheck.claims import of_target, write
from pytest_deploycheck.claims.commands import ClaimRefused, facts_of, principal_of, sign_checked
from pytest_deploycheck.claims.envelope import Envelope, Producer, Where
from pytest_deploycheck.claims.roles import ROLES
from pytest_deploycheck.claims.scope import SCOPES, open_items
from pytest_deploycheck.claims.sign_off import ITEM_OF, claims_digest, newest
from pytest_deploycheck.record import digest
from pytest_deploycheck.target import Target, find, load

if TYPE_CHECKING:
    from pytest_deploycheck.checklist import Checklist
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.ledger import View

VALID = timedelta(days=7)


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    sign = commands.add_parser("sign", help="sign off the release in a role, over the runs in the ledger")
    sign.add_argument("role", metavar="ROLE", help=f"one of {', '.join(SCOPES)}")
    sign.add_argument("--target", required=True, metavar="NAME", help="as for pytest: a name or a .toml file")
    sign.add_argument("--principal", default="", help="who signs; needed where several hold the role")
    sign.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the private SSH key to sign with"
    )
    sign.add_argument("--because", required=True, metavar="TEXT", help="the statement")
    sign.add_argument(
        "--facts", type=Path, metavar="FILE", help="JSON or TOML: what the role adds, see the docs"
    )
    sign.set_defaults(run=_sign)


def _sign(options: argparse.Namespace) -> int:
    if options.role not in SCOPES:
        raise ClaimRefused(f"sign {options.role}: no role that signs off; known are: {', '.join(SCOPES)}")
    target = load(find(options.target, Path.cwd()))
    checklist = of_target.checklist_of(target)
    principal = principal_of(of_target.roles(target), options.role, options.principal)
    facts = facts_of(options.facts) if options.facts else {}
    now = datetime.now(UTC)
    files = of_target.signed_files(target, checklist, now)
    made = sign_off(options.role, principal, target, checklist, files, options.because, facts, now)
    path = sign_checked(made, target, checklist, options.key)
    print(f"signed: {path}\n        {path}.sig\nas {ROLES[options.role]}; commit both")
    return 0


def sign_off(
    role: str,
    principal: str,
    target: Target,
    checklist: Checklist,
    files: tuple[SignedFile, ...],
    statement: str,
    facts: dict[str, Any],
    now: datetime,
) -> Envelope:
    """Return a role's sign-off over what is there now; refuse where its scope or its predecessors are not."""
    view = _ledger(target)
    release = ledgers.release_digest(of_target.release(target).model_dump())
    latest = ledgers.latest(view.entries, release=release, target=target.name)
    verdicts = {item: verdict for item, (verdict, _) in latest.items()}
    found = open_items(role, [item.id for item in checklist.items], verdicts)
    if found:
        some = "\n  ".join(f"{item}: {verdict}" for item, verdict in found.items())
        raise ClaimRefused(f"{len(found)} items that {role} signs for are open in the ledger:\n  {some}")
    covers = {
        "ledger": view.head,
        "config": digest(target.model_dump(mode="json")),
        "claims": claims_digest(files),
    }
    for other in SCOPES[role].after:
        before = newest(files, other)
        if before is None or before.problems:
            why = "; ".join(before.problems) if before else "it is not signed"
            raise ClaimRefused(f"{role} signs after {other}, whose sign-off does not stand: {why}")
        covers[ITEM_OF[other]] = before.sha256
    valid = VALID
    if role == "cto" and target.release.go_live_at is not None:
        hours = target.limits.cto_after_go_live_h
        valid = target.release.go_live_at + timedelta(hours=hours) - now
    return write.envelope(
        ITEM_OF[role],
        checklist=checklist,
        where=Where(name=target.name, environment=target.target.environment),
        release=of_target.release(target),
        kind="sign_off",
        producer=Producer(principal=principal, role=role),
        statement=statement,
        now=now,
        valid=valid,
        facts={"decision": "go", **facts} if role == "cto" else facts,
        covers=covers,
    )


def _ledger(target: Target) -> View:
    if not target.ledger.path:
        raise ClaimRefused(f"no ledger.path in {target.path.name}; add it, and run the suites")
    path = target.file(target.ledger.path)
    view = ledgers.read(path)
    if view.broken:
        raise ClaimRefused(f"the ledger {path} is broken at {view.broken}")
    if not view.entries:
        raise ClaimRefused(f"the ledger {path} holds no run; run the suites first")
    return view
