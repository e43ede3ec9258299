"""`deploycheck attest` and `deploycheck waive`: a person's word, asked for, bound and signed."""

from __future__ import annotations

import argparse
import json
import tomllib
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.claims import judge, of_target, policy, write
from pytest_deploycheck.claims.cited import NothingToCite, cited
from pytest_deploycheck.claims.envelope import Artifact, Envelope, Kind, Producer, Where
from pytest_deploycheck.claims.read import read_one
from pytest_deploycheck.claims.roles import ROLES, Roles
from pytest_deploycheck.target import Target, find, load

if TYPE_CHECKING:
    from pytest_deploycheck.checklist import Checklist


class ClaimRefused(Exception):
    """A claim would not count, or cannot be made; the message says what to do instead."""


def add_parsers(commands: Any) -> None:
    """Add both commands to the parser."""
    attest = commands.add_parser("attest", help="vouch for an item, or sign a record of what was done")
    _common(attest)
    attest.add_argument("--facts", type=Path, metavar="FILE", help="JSON or TOML: what the record reports")
    attest.add_argument(
        "--file", type=Path, action="append", default=[], metavar="FILE", help="a file that belongs to it"
    )
    attest.add_argument(
        "--of",
        type=Path,
        metavar="EVIDENCE",
        help="a run's evidence: the record cites the facts that it is about by their digest",
    )
    attest.set_defaults(run=_attest)

    waive = commands.add_parser(
        "waive", help="accept an item's failure for a while, or declare it out of scope"
    )
    _common(waive)
    waive.add_argument("--requested-by", default="", metavar="PRINCIPAL", help="who asks for it")
    waive.add_argument("--not-applicable", action="store_true", help="declare the item out of scope here")
    waive.set_defaults(run=_waive)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("item", metavar="ITEM", help="an item's id, such as operations.backup.restore")
    parser.add_argument(
        "--target", required=True, metavar="NAME", help="as for pytest: a name or a .toml file"
    )
    parser.add_argument("--as", dest="role", required=True, metavar="ROLE", help=f"one of {', '.join(ROLES)}")
    parser.add_argument("--principal", default="", help="who signs; needed where several hold the role")
    parser.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the private SSH key to sign with"
    )
    parser.add_argument("--because", required=True, metavar="TEXT", help="the statement")
    parser.add_argument("--days", type=float, default=30.0, metavar="N", help="valid for so many days (30)")


def _attest(options: argparse.Namespace) -> int:
    facts = facts_of(options.facts) if options.facts else {}
    if options.of:
        try:
            facts = cited(options.item, options.of) | facts
        except NothingToCite as why:
            raise ClaimRefused(str(why)) from None
    return _make(options, write.kind_of(options.item, facts), facts, options.file)


def _waive(options: argparse.Namespace) -> int:
    return _make(options, "not_applicable" if options.not_applicable else "waiver", {}, [])


def _make(options: argparse.Namespace, kind: Kind, facts: dict[str, Any], files: list[Path]) -> int:
    target = load(find(options.target, Path.cwd()))
    checklist = of_target.checklist_of(target)
    if options.item not in checklist.by_id:
        near = get_close_matches(options.item, checklist.by_id, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; see {checklist.path}"
        raise ClaimRefused(f"no item {options.item!r} in the checklist{hint}")
    roles = of_target.roles(target)
    directory = target.file(target.claims.dir)
    for file in files:
        if not file.is_file():
            raise ClaimRefused(f"--file {file} does not exist")
    made = write.envelope(
        options.item,
        checklist=checklist,
        where=Where(name=target.name, environment=target.target.environment),
        release=of_target.release(target),
        kind=kind,
        producer=Producer(principal=principal_of(roles, options.role, options.principal), role=options.role),
        statement=options.because,
        now=datetime.now(UTC),
        valid=timedelta(days=options.days),
        facts=facts,
        artifacts=_kept(files, directory),
        requested_by=getattr(options, "requested_by", ""),
    )
    path = sign_checked(made, target, checklist, options.key)
    print(f"signed: {path}\n        {path}.sig\ncommit both; they end at {made.valid_until.isoformat()}")
    return 0


def _kept(files: list[Path], directory: Path) -> list[Artifact]:
    directory.mkdir(parents=True, exist_ok=True)
    return [write.keep(file, directory) for file in files]


def sign_checked(made: Envelope, target: Target, checklist: Checklist, key: Path) -> Path:
    """Write and sign an envelope, and take it back with the reason when it would not count."""
    directory = target.file(target.claims.dir)
    path = write.write(made, directory, key)
    context = of_target.context(target, checklist, datetime.now(UTC))
    found = read_one(path, directory, of_target.trust(target), context)
    assert found is not None
    problems = [found.error] if found.error else list(found.problems)
    if found.kind in judge.KINDS:
        problems += judge.policy_problems(found)
    elif found.kind == "record" and found.role not in policy.RECORDS.get(found.item, (found.role,)):
        problems.append(
            f"{found.item} is the word of {' or '.join(policy.RECORDS[found.item])}, not of {found.role}"
        )
    if problems:
        path.unlink()
        path.with_name(f"{path.name}.sig").unlink()
        raise ClaimRefused(f"it would not count, and was not kept: {'; '.join(problems)}")
    return path


def principal_of(roles: Roles, role: str, given: str) -> str:
    """Return who signs in a role; where one person holds it, that one."""
    if role not in ROLES:
        near = get_close_matches(role, ROLES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(ROLES)}"
        raise ClaimRefused(f"--as {role}: no such role; {hint}")
    holders = roles.holders(role)
    if given:
        return given
    if len(holders) == 1:
        return holders[0]
    who = ", ".join(holders) or "nobody"
    raise ClaimRefused(f"the role {role} is held by {who} in the roles file; say who signs with --principal")


def facts_of(path: Path) -> dict[str, Any]:
    """Return the facts in a JSON or TOML file; times of TOML as ISO 8601 text."""
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else safe_json.loads(text)
        # TOML has times of its own; an envelope holds them as text.
        plain: Any = safe_json.loads(json.dumps(values, default=lambda value: value.isoformat()))
    except (OSError, ValueError) as error:
        raise ClaimRefused(f"--facts {path}: {error}") from None
    if not isinstance(plain, dict):
        raise ClaimRefused(f"--facts {path}: must be a table of names and values")
    return plain
