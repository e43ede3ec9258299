"""The command `deploycheck`: what pytest is not for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pytest_deploycheck.checklist import Checklist, ChecklistError, default, load
from pytest_deploycheck.claims import commands as claim_commands
from pytest_deploycheck.claims import sign
from pytest_deploycheck.claims.roles import RolesError
from pytest_deploycheck.claims.signatures import SignaturesUnavailable
from pytest_deploycheck.init import command as init_command
from pytest_deploycheck.record import Record, RecordError, compare, read
from pytest_deploycheck.target import TargetError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit status."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except (
        RecordError,
        ChecklistError,
        TargetError,
        RolesError,
        SignaturesUnavailable,
        claim_commands.ClaimRefused,
        init_command.InitRefused,
        _Refused,
    ) as error:
        print(f"deploycheck: {error}", file=sys.stderr)
        return 2


class _Refused(Exception):
    """A subcommand cannot do what it was asked for; the message says what to do instead."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deploycheck", description="A production deployment checklist, executed."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="the reference deployment").add_subparsers(required=True)
    up = demo.add_parser("up", help="start it in DIR and keep it in the foreground until Ctrl-C")
    up.add_argument("directory", type=Path, metavar="DIR")
    up.add_argument(
        "--lived",
        type=_span,
        default=timedelta(),
        metavar="TIME",
        help="how long a new one has been live, such as 8d or 36h: it then has a past",
    )
    up.set_defaults(run=_demo_up)
    run = demo.add_parser("run", help="start it, run the post-deployment suite against it, stop it")
    run.add_argument("directory", type=Path, metavar="DIR", nargs="?", default=Path(".demo"))
    run.add_argument("--evidence", type=Path, metavar="DIR", default=Path("evidence"))
    run.set_defaults(run=_demo_run)
    rehearse = demo.add_parser(
        "rehearse", help="take it through its whole life: checks, signatures, go-live, windows, a drill"
    )
    rehearse.add_argument("directory", type=Path, metavar="DIR")
    rehearse.add_argument("--evidence", type=Path, metavar="DIR", default=Path("evidence"))
    rehearse.set_defaults(run=_demo_rehearse)

    report = commands.add_parser(
        "report", help="write the evidence of a run that was killed, from its journal"
    )
    report.add_argument("directory", type=Path, metavar="EVIDENCE-DIR")
    report.add_argument(
        "--checklist", type=Path, metavar="FILE", help="the checklist of that run, if not ours"
    )
    report.set_defaults(run=_report)

    init_command.add_parser(commands)
    claim_commands.add_parsers(commands)
    sign.add_parser(commands)

    diff = commands.add_parser("diff", help="say what changed between two recorded runs")
    diff.add_argument("before", type=Path)
    diff.add_argument("after", type=Path)
    diff.set_defaults(run=_diff)
    verify = commands.add_parser("verify", help="check a bundle offline: sums, ledger, signatures, decision")
    verify.add_argument("directory", type=Path, metavar="EVIDENCE-DIR")
    verify.add_argument("--allowed-signers", type=Path, metavar="FILE", help="whose signatures you believe")
    verify.set_defaults(run=_verify)
    return parser


def _demo_up(options: argparse.Namespace) -> int:
    _need_demo()
    from pytest_deploycheck.demo.up import up

    return up(options.directory, lived=options.lived)


def _span(text: str) -> timedelta:
    """Return a time span written as a number with d or h."""
    number, unit = text[:-1], text[-1:]
    if unit not in ("d", "h") or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no time span; write e.g. 8d or 36h")
    return timedelta(days=int(number)) if unit == "d" else timedelta(hours=int(number))


def _demo_run(options: argparse.Namespace) -> int:
    _need_demo()
    from pytest_deploycheck.demo.run import run

    return run(options.directory, options.evidence)


def _demo_rehearse(options: argparse.Namespace) -> int:
    _need_demo()
    from pytest_deploycheck.demo.rehearsal import rehearse

    return rehearse(options.directory, options.evidence)


def _need_demo() -> None:
    try:
        import fastapi  # noqa: F401
    except ImportError:
        raise _Refused("the demo is not installed here; pip install 'pytest-deploycheck[demo]'") from None


def _verify(options: argparse.Namespace) -> int:
    """Print what stands and what does not; status 1 when something does not."""
    from pytest_deploycheck.verify import verify

    found = verify(options.directory, options.allowed_signers)
    for note in found.notes:
        print(note)
    for problem in found.problems:
        print(f"NOT SOUND: {problem}", file=sys.stderr)
    print("the bundle is sound" if not found.problems else f"{len(found.problems)} problems")
    return 1 if found.problems else 0


def _report(options: argparse.Namespace) -> int:
    from pytest_deploycheck.assemble import assemble
    from pytest_deploycheck.journal import JournalError
    from pytest_deploycheck.journal import read as read_journal
    from pytest_deploycheck.reports import bundle

    try:
        seen = read_journal(options.directory)
    except JournalError as error:
        raise _Refused(str(error)) from None
    checklist: Checklist = load(options.checklist) if options.checklist else default()
    record = assemble(seen, checklist, now=datetime.fromisoformat(seen.header["run"]["started_at"]))
    try:
        written = bundle.write(options.directory, record, checklist)
    except bundle.BundleError as error:
        raise _Refused(str(error)) from None
    print(f"{record.decision['decision']}: {record.decision['sentence']}")
    for path in written.values():
        print(path)
    return 0


def _diff(options: argparse.Namespace) -> int:
    """Print the differences; status 1 when something is newly failing, as a CI job wants it."""
    after: Record = read(options.after)
    changes = compare(after, read(options.before))
    print(changes["sentence"])
    for name in ("newly_failing", "fixed", "evidence_changed"):
        items = changes[name]
        print(f"{name.replace('_', ' ')}: {len(items)}")
        for item in items:
            print(f"  {item}")
    return 1 if changes["newly_failing"] else 0
