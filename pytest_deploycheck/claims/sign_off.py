"""Sign-offs: a role's word for a release, over the runs that came before it.

A sign-off is bound to the head of the ledger, to the target file, to the waivers, and to the sign-offs before
it; change a byte of any of them and it no longer counts. `conditions` yields what must hold, one by one, with
what was seen and what is wanted, so that the check can compare and the evidence can show it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import policy
from pytest_deploycheck.claims.evidence import require_counts
from pytest_deploycheck.claims.scope import SCOPES, open_items
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.ledger import Entry
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.ledger import LedgerFacts

ITEM_OF = {role: item for item, role in policy.SIGN_OFFS.items()}
COVERS = ("ledger", "config", "claims")
"""What each sign-off is over, besides the sign-offs before it by their items."""


@dataclass(frozen=True)
class Condition:
    """One thing that must hold: `seen` equals `wanted`; the sentence says what is wrong when it does not."""

    seen: Any
    wanted: Any
    sentence: str


def newest(files: Iterable[SignedFile], role: str) -> SignedFile | None:
    """Return a role's newest sign-off, whether it counts or not."""
    item = ITEM_OF[role]
    found = [file for file in files if file.kind == "sign_off" and file.item == item]
    return max(found, key=lambda file: file.produced_at, default=None)


def claims_digest(files: Iterable[SignedFile]) -> str:
    """Return what stands for all waivers and declarations that there are."""
    digests = sorted(file.sha256 for file in files if file.kind in ("waiver", "not_applicable"))
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def conditions_of(
    role: str, evidence: EvidenceFacts, ledger: LedgerFacts, limits: Limits, now: datetime
) -> Iterator[Condition]:
    """Yield what must hold for a role's sign-off, out of the facts of both probes."""
    yield Condition(ledger.broken, "", f"the ledger's chain does not hold: {ledger.broken}")
    go_live = datetime.fromisoformat(evidence.go_live_at) if evidence.go_live_at else None
    yield from conditions(
        role,
        evidence.files,
        ledger.entries,
        items=ledger.items,
        release=ledger.release,
        config=ledger.config,
        people=People(dict(evidence.roles), evidence.deployed_by, evidence.authors, go_live),
        limits=limits,
        now=now,
    )


def signed(role: str, evidence: EvidenceFacts) -> SignedFile:
    """Return a role's newest sign-off; the check ends as unproven where there is none."""
    file = newest(evidence.files, role)
    if file is None:
        unproven(Reason.UNSIGNED, f"not signed by {role}")
    return file


def conditions(
    role: str,
    files: Sequence[SignedFile],
    entries: Sequence[Entry],
    *,
    items: Sequence[str],
    release: str,
    config: str,
    people: People,
    limits: Limits,
    now: datetime,
) -> Iterator[Condition]:
    """Yield what must hold for a role's sign-off; end the check where there is none to judge."""
    file = newest(files, role)
    if file is None:
        unproven(Reason.UNSIGNED, f"not signed; {_holders(people, role)} signs with: deploycheck sign {role}")
    name = file.name
    yield Condition(file.tampered, False, f"{name} was changed after it was signed")
    require_counts(file, now=now, max_age_d=_max_age_d(role, limits))
    yield Condition(file.role, role, f"{name} is signed as {file.role}, not as {role}")
    known = {entry.hash: entry for entry in entries}
    entry = known.get(file.covers.get("ledger", ""))
    yield Condition(entry is not None, True, f"{name} is over a ledger that is not this one")
    assert entry is not None
    yield Condition(entry.release, release, f"{name} is over the run {entry.run} of another release")
    yield Condition(file.covers.get("config"), config, f"{name}: the target file was changed since")
    yield Condition(
        file.covers.get("claims"), claims_digest(files), f"{name}: waivers or declarations were changed since"
    )
    waited = file.produced - entry.at
    late = waited > timedelta(hours=limits.sign_off_run_max_age_h)
    yield Condition(late, False, f"{name} was signed {waited.total_seconds() / 3600:.0f} h after its run")
    yield from _scope(role, file, entry, entries, items, release)
    yield from _predecessors(role, file, files)
    yield from _separation(role, file, people)
    yield from _own_rules(role, file, files, people, limits, now)


@dataclass(frozen=True)
class People:
    """Who holds which role, who deployed, who wrote the release, and when it goes live (None: not fixed)."""

    holders: dict[str, tuple[str, ...]]
    deployed_by: str
    authors: tuple[str, ...]
    go_live_at: datetime | None


def _holders(people: People, role: str) -> str:
    return " or ".join(people.holders.get(role, ())) or f"nobody holds the role {role}; somebody"


def _max_age_d(role: str, limits: Limits) -> float:
    # The last one holds until its own expiry, which its rule binds to go-live.
    return 10_000.0 if role == "cto" else limits.sign_off_max_age_d


def _scope(
    role: str, file: SignedFile, entry: Entry, entries: Sequence[Entry], items: Sequence[str], release: str
) -> Iterator[Condition]:
    """Ask that what it is over was green when it was signed, and still is."""
    mine = [one for one in entries if one.release == release and not one.interrupted]
    for moment, chosen in (("then", [one for one in mine if one.n <= entry.n]), ("now", mine)):
        verdicts = {item: verdict for one in chosen for item, verdict in one.items.items()}
        found = open_items(role, items, verdicts)
        some = ", ".join(f"{item} {verdict}" for item, verdict in list(found.items())[:5])
        yield Condition(len(found), 0, f"{file.name}: {len(found)} items in scope are open {moment}: {some}")


def _predecessors(role: str, file: SignedFile, files: Sequence[SignedFile]) -> Iterator[Condition]:
    """Ask that the sign-offs before it stand, are the very ones that it names, and are older."""
    for other in SCOPES[role].after:
        before = newest(files, other)
        item = ITEM_OF[other]
        yield Condition(
            before is not None and not before.problems, True, f"{file.name}: {item} does not stand"
        )
        assert before is not None
        yield Condition(
            file.covers.get(item),
            before.sha256,
            f"{file.name} is over another sign-off of {item} than {before.name}",
        )
        yield Condition(
            before.produced <= file.produced, True, f"{file.name} was signed before {before.name}"
        )


def _separation(role: str, file: SignedFile, people: People) -> Iterator[Condition]:
    """Ask that whoever approves is not whoever made or deployed it: separation of duties."""
    apart: dict[str, str] = {}
    if role in ("security", "cto"):
        apart |= dict.fromkeys(people.authors, "wrote the release")
    if role == "cto" and people.deployed_by:
        apart[people.deployed_by] = "deployed the release"
    yield Condition(
        apart.get(file.principal, ""), "", f"{file.name}: {file.principal} {apart.get(file.principal, '')}"
    )


def _own_rules(
    role: str, file: SignedFile, files: Sequence[SignedFile], people: People, limits: Limits, now: datetime
) -> Iterator[Condition]:
    if role == "techlead":
        technical = [one for other in SCOPES[role].after if (one := newest(files, other))]
        waited = file.produced - max(one.produced for one in technical)
        late = waited > timedelta(hours=limits.final_max_age_h)
        yield Condition(late, False, f"{file.name} was signed long after the last technical sign-off")
    if role == "cto":
        yield Condition(file.facts.get("decision"), "go", f"{file.name} does not say: decision = go")
        if people.go_live_at is not None:
            end = people.go_live_at + timedelta(hours=limits.cto_after_go_live_h)
            yield Condition(file.until <= end, True, f"{file.name} holds longer than until {end.isoformat()}")
