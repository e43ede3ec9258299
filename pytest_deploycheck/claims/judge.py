"""From signed files to claims: which count, and for each of the others the sentence that says why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.claims import policy
from pytest_deploycheck.verdict import Claim

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile

KINDS = ("attestation", "waiver", "not_applicable")


def claims(files: Iterable[SignedFile]) -> list[Claim]:
    """Return every attestation, waiver and declaration as a claim; broken files are claims with a problem."""
    found: list[tuple[SignedFile, Claim]] = []
    for file in files:
        if file.error:
            found.append((file, Claim("unreadable", "", "", "", origin=file.name, problem=file.error)))
        elif file.kind in KINDS:
            problems = [*file.problems, *(f"it is for another release: {one}" for one in file.differs)]
            problems += policy_problems(file)
            claim = Claim(
                kind=file.kind,
                item=file.item,
                why=file.statement,
                by=file.principal,
                role=file.role,
                until=file.until,
                origin=file.name,
                problem="; ".join(problems),
            )
            found.append((file, claim))
    return _without_duplicates(found)


def policy_problems(file: SignedFile) -> list[str]:
    """Say what the rules of its kind forbid."""
    rules = {"attestation": _attestation, "waiver": _waiver, "not_applicable": _not_applicable}
    return rules[file.kind](file)


def _attestation(file: SignedFile) -> list[str]:
    roles = policy.ATTESTED.get(file.item)
    if roles is None:
        return [f"nobody's word proves {file.item}: it is proven by looking, or by a record of its own kind"]
    return (
        []
        if file.role in roles
        else [f"{file.item} is vouched for by {' or '.join(roles)}, not by {file.role}"]
    )


def _waiver(file: SignedFile) -> list[str]:
    found = []
    if file.item in policy.NEVER_WAIVED:
        found.append(f"a failure of {file.item} is never accepted: {policy.NEVER_WAIVED[file.item]}")
    allowed = policy.approvers(file.item)
    if file.role not in allowed:
        found.append(f"a failure of {file.item} is accepted by {' or '.join(allowed)}, not by {file.role}")
    if not file.requested_by:
        found.append("it does not say who asked for it (requested_by)")
    elif file.requested_by == file.principal:
        found.append(f"{file.principal} asked for it and approved it")
    if file.until - file.produced > timedelta(days=policy.WAIVER_MAX_DAYS):
        found.append(f"it lasts longer than {policy.WAIVER_MAX_DAYS} days")
    return found


def _not_applicable(file: SignedFile) -> list[str]:
    found = []
    if file.role not in policy.DECLARERS:
        found.append(f"out of scope is declared by {' or '.join(policy.DECLARERS)}, not by {file.role}")
    if file.item in policy.SIGN_OFFS:
        found.append("a sign-off is never out of scope; delegate a vacant role in the roles file")
    if file.until - file.produced > timedelta(days=policy.NOT_APPLICABLE_MAX_DAYS):
        found.append(f"it lasts longer than {policy.NOT_APPLICABLE_MAX_DAYS} days")
    return found


def _without_duplicates(found: Sequence[tuple[SignedFile, Claim]]) -> list[Claim]:
    """Let only the newest of several claims of one kind and item count; the others name it."""
    newest: dict[tuple[str, str], SignedFile] = {}
    for file, claim in found:
        if not claim.problem:
            key = (claim.kind, claim.item)
            if key not in newest or file.produced_at > newest[key].produced_at:
                newest[key] = file
    result = []
    for file, claim in found:
        best = newest.get((claim.kind, claim.item))
        if not claim.problem and best is not None and best is not file:
            claim = replace(claim, problem=f"there is a newer one: {best.name}")
        result.append(claim)
    return result
