"""Verifying a bundle without a network: sums, pages, ledger, signatures and the decision.

Whoever changes a byte must change the sums; then the pages no longer follow from the record; whoever makes
those again has a record that the ledger does not name; and the ledger's head stands in what people signed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pytest_deploycheck import ledger
from pytest_deploycheck.assemble import claim_from_json, outcome_from_json
from pytest_deploycheck.claims import carried
from pytest_deploycheck.claims.envelope import Release
from pytest_deploycheck.claims.read import read
from pytest_deploycheck.claims.roles import RolesError
from pytest_deploycheck.claims.roles import load as load_roles
from pytest_deploycheck.claims.signatures import Trust
from pytest_deploycheck.claims.signed import Context, SignedFile
from pytest_deploycheck.record import Record, RecordError
from pytest_deploycheck.record import read as read_record
from pytest_deploycheck.reports import bundle
from pytest_deploycheck.verdict import judge

_LINE = re.compile(r"([0-9a-f]{64})  (\S[^\n]*)")


@dataclass(frozen=True)
class Verified:
    """What was found: `problems` in words, none when the bundle is whole; `notes` say what stands."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]


def verify(directory: Path, allowed_signers: Path | None = None) -> Verified:
    """Check a bundle; the signers are the verifier's own list, or the bundle's where none is given."""
    problems = list(sums(directory))
    notes: list[str] = []
    try:
        record = read_record(directory / "evidence.json")
    except RecordError as error:
        return Verified((*problems, str(error)), ())
    problems += _decision(record)
    problems += _ledger(directory, record, notes)
    problems += _claims(directory, record, allowed_signers, notes)
    notes.append(f"{record.decision['decision']}: {record.decision['sentence']}")
    return Verified(tuple(problems), tuple(notes))


def sums(directory: Path) -> Iterator[str]:
    """Yield what differs between the directory and its list of sums."""
    path = directory / bundle.SUMS
    try:
        text = path.read_bytes().decode("ascii")
    except FileNotFoundError:
        yield f"{directory} holds no finished bundle: {bundle.SUMS} is missing"
        return
    except (OSError, UnicodeDecodeError) as error:
        yield f"{bundle.SUMS} cannot be read: {error}"
        return
    listed: dict[str, str] = {}
    for line in text.split("\n")[:-1]:
        match = _LINE.fullmatch(line)
        if match is None or match[2] in listed:
            yield f"{bundle.SUMS} has a line that is none: {line[:80]!r}"
        else:
            listed[match[2]] = match[1]
    if not text.endswith("\n") or list(listed) != sorted(listed):
        yield f"{bundle.SUMS} is not as it was written"
    present = {str(one.relative_to(directory)) for one in directory.rglob("*") if one.is_file()}
    for name in sorted(present - {*listed, bundle.SUMS}):
        yield f"{name} is not one of the bundle's files"
    for name, digest in listed.items():
        if name not in present:
            yield f"{name} is missing"
        elif hashlib.sha256((directory / name).read_bytes()).hexdigest() != digest:
            yield f"{name} was changed"


def _decision(record: Record) -> Iterator[str]:
    """Judge the recorded outcomes and claims again."""
    claims = [claim_from_json(claim) for claim in record.claims]
    claims = [replace(one, problem="") if one.problem.startswith("not used:") else one for one in claims]
    outcomes = [outcome_from_json(one) for item in record.items for one in item["outcomes"]]
    unique = list({(one.test, one.items): one for one in outcomes}.values())
    now = datetime.fromisoformat(record.run["as_of"] or record.run["started_at"])
    for found, stored in zip(judge(record.selection, unique, claims, now=now), record.items, strict=False):
        if (found.item, found.verdict.value) != (stored["item"], stored["verdict"]):
            yield f"{stored['item']} is {stored['verdict']} in the record, but its tests say {found.verdict.value}"
    if len(record.items) != len(record.selection):
        yield f"the record judges {len(record.items)} items of {len(record.selection)} that were selected"


def _ledger(directory: Path, record: Record, notes: list[str]) -> Iterator[str]:
    path = directory / carried.LEDGER
    if not path.is_file():
        notes.append("no ledger: that no earlier run was left out cannot be verified")
        return
    view = ledger.read(path)
    if view.broken:
        yield f"{carried.LEDGER} is broken at {view.broken}"
        return
    digest = hashlib.sha256((directory / "evidence.json").read_bytes()).hexdigest()
    entry = next((one for one in view.entries if one.run == record.run["id"]), None)
    if entry is None:
        yield f"{carried.LEDGER} does not know run {record.run['id']}"
        return
    if entry.evidence != digest:
        yield f"evidence.json is not the one that {carried.LEDGER} names for run {entry.run}"
    if entry.items != {item["item"]: item["verdict"] for item in record.items}:
        yield f"{carried.LEDGER} has other verdicts for run {entry.run} than its record"
    notes.append(f"ledger: {len(view.entries)} runs, unbroken; this is number {entry.n}")


def _claims(directory: Path, record: Record, allowed_signers: Path | None, notes: list[str]) -> Iterator[str]:
    folder = directory / carried.CLAIMS
    if not folder.is_dir():
        notes.append("nothing is signed")
        return
    try:
        roles = load_roles(directory / carried.ROLES)
    except RolesError as error:
        yield str(error)
        return
    revoked = directory / carried.REVOKED
    trust = Trust(
        allowed_signers or directory / carried.ALLOWED_SIGNERS, revoked if revoked.is_file() else None
    )
    if allowed_signers is None:
        notes.append("signers are those of the bundle's own list; give --allowed-signers to check by yours")
    release = record.release
    context = Context(
        fingerprints={item["id"]: item["fingerprint"] for item in record.checklist["items"]},
        target=record.target["name"],
        environment=record.target["environment"],
        release=Release(**{name: release[name] for name in ("version", "commit", "images", "contract")}),
        roles=roles,
        now=datetime.fromisoformat(record.run["started_at"]),
    )
    files = read(folder, trust, context)
    good = [one for one in files if not one.error and not one.problems]
    yield from (_unsound(one) for one in files if one.error or _is_forged(one))
    notes.append(f"signed files: {len(good)} of {len(files)} count")


def _is_forged(file: SignedFile) -> bool:
    """Whether a file is not what somebody signed; one that merely expired is no forgery."""
    return file.tampered or file.signatures[0].status in ("unknown_key", "missing", "wrong_namespace")


def _unsound(file: SignedFile) -> str:
    return f"{carried.CLAIMS}/{file.name}: {file.error or '; '.join(file.problems)}"
