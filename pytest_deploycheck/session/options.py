"""The command line's options and the ini file's settings."""

from __future__ import annotations

import argparse

import pytest


def add_options(parser: pytest.Parser) -> None:
    """Add the options; each has a heading in docs/options.md."""
    group = parser.getgroup("deploycheck", "deployment checklist")
    add = group.addoption
    add("--target", dest="deploycheck_target", metavar="NAME|FILE", help="targets/NAME.toml, a file, or demo")
    add("--evidence", dest="deploycheck_evidence", metavar="DIR", help="write the evidence bundle there")
    add(
        "--baseline",
        dest="deploycheck_baseline",
        metavar="FILE",
        help="compare with an earlier evidence.json",
    )
    add(
        "--replay",
        dest="deploycheck_replay",
        metavar="FILE",
        help="judge a recorded run again, touching nothing",
    )
    add("--as-of", dest="deploycheck_as_of", metavar="TIME", help="judge as at this time (ISO 8601)")
    add(
        "--plan", dest="deploycheck_plan", action="store_true", help="list what would be asked, touch nothing"
    )
    add(
        "--allow",
        dest="deploycheck_allow",
        action="append",
        default=[],
        metavar="KIND,…",
        help="burst, load, canary, negative-writes, spend: off unless allowed",
    )
    add(
        "--drill",
        dest="deploycheck_drill",
        action="store_true",
        help="do a rollback for real, by the commands of [rollback]",
    )
    add(
        "--drill-production",
        dest="deploycheck_drill_production",
        metavar="RELEASE",
        default="",
        help="with --drill on production: the release that runs, typed",
    )
    add(
        "--within",
        dest="deploycheck_within",
        type=_seconds,
        metavar="SECONDS",
        help="end the whole look after so long; 55 for -m smoke",
    )
    add(
        "--gather-jobs",
        dest="deploycheck_jobs",
        type=int,
        default=16,
        metavar="N",
        help="probes at a time (16)",
    )
    parser.addini("deploycheck_checklist", "the project's own checklist, from the root folder", default="")
    parser.addini("deploycheck_target", "the target to use without --target", default="")
    parser.addini(
        "deploycheck_suites", "folder whose tests must each name a checklist item", default="suites"
    )


def _seconds(text: str) -> float:
    """Return a number of seconds above none."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; write e.g. 55")
    return seconds
