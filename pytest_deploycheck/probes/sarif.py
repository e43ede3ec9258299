"""The sarif probe: what scanners of the code found, in which commit, and how much of it they looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import clones, sarif_files
from pytest_deploycheck.probes.evidence_files import Origin, documents, origin, released
from pytest_deploycheck.probes.sarif_files import Finding, Scan
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

FINDINGS_MAX = 200
MISSED_MAX = 5


@dataclass(frozen=True)
class CodeScan:
    """One run of one scanner.

    category: what tells several runs of one tool apart.  succeeded: as it says itself, None where it does not.
    secrets: it looks for secrets.  files: how many it looked at, None where nothing says it.  coverage: share of the
    commit's files of the scanned languages that it looked at, None where it does not list them.  missed: the first
    that it did not look at.  results: findings in all.  findings: the worst of them.
    """

    origin: Origin
    tool: str
    category: str
    succeeded: bool | None
    secrets: bool
    files: int | None
    coverage: float | None
    missed: tuple[str, ...]
    results: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class SarifFacts:
    """All runs.  commit: the released one.  required: tools that must have looked.  empty: files without any run."""

    commit: str
    required: tuple[str, ...]
    scans: tuple[CodeScan, ...]
    empty: tuple[str, ...]

    def of(self, tool: str) -> tuple[CodeScan, ...]:
        """Return the runs of a tool that count: of each category the newest about the commit, else the newest."""
        found: dict[str, CodeScan] = {}
        ours = sorted((scan for scan in self.scans if is_tool(scan.tool, tool)), key=self._weight)
        for scan in ours:
            found[scan.category] = scan
        return tuple(found.values())

    def _weight(self, scan: CodeScan) -> tuple[bool, str]:
        return scan.origin.commit == self.commit, scan.origin.produced_at


@probe(facts=SarifFacts, deadline=20, safety="S0", uses={"files": "read"})
def sarif(target: Target, connect: Connections) -> SarifFacts:
    """Read the SARIF files that the target file names."""
    commit, section = released(target), target.scan
    read: list[tuple[Origin, Scan]] = []
    empty = []
    for path, data, document in documents(target, "reports.sarif", target.reports.sarif):
        try:
            runs = sarif_files.scans(document)
        except sarif_files.SarifError as error:
            raise CannotLook(Reason.UNPARSEABLE, f"{path.name} is no SARIF: {error}") from None
        if not runs:
            empty.append(path.name)
        for run in runs:
            about = origin(
                path,
                data,
                commits=run.commits,
                produced_at=run.ended_at,
                started_at=run.started_at,
                tool=f"{run.tool} {run.version}".strip(),
            )
            read.append((about, run))
    clone = clones.find(target, connect.git(), commit)
    tree = tuple(path for path in clone.paths() if not matches(path, section.exclude)) if clone else ()
    return SarifFacts(
        commit=commit,
        required=tuple(section.required_tools),
        scans=tuple(_code_scan(about, run, tree, section.secret_tools) for about, run in read),
        empty=tuple(empty),
    )


def _code_scan(about: Origin, run: Scan, tree: tuple[str, ...], secret_tools: Iterable[str]) -> CodeScan:
    coverage, missed = covered(run.listed, tree)
    secrets = any(is_tool(run.tool, name) for name in secret_tools)
    # The worst first, and of those the open ones: no bound may cut off what decides.
    worst = sorted(run.findings, key=lambda one: (secrets or weight(one), not one.suppressed), reverse=True)
    return CodeScan(
        origin=about,
        tool=run.tool[:100],
        category=run.category[:100],
        succeeded=run.succeeded,
        secrets=secrets,
        files=run.files if run.files is not None else about.scanned_files,
        coverage=coverage,
        missed=missed,
        results=len(run.findings),
        findings=tuple(worst[:FINDINGS_MAX]),
    )


def weight(finding: Finding) -> float:
    """Return how severe a finding is at least, 0 to 10: an error weighs as much as the worst number."""
    return 10.0 if finding.level == "error" else finding.severity or 0.0


def is_tool(name: str, wanted: str) -> bool:
    """Whether a tool's name in SARIF is the wanted one: "Semgrep OSS" is semgrep, "CodeQL command-line" codeql."""
    plain, short = name.casefold().strip(), wanted.casefold().strip()
    return bool(short) and (plain == short or plain.startswith((f"{short} ", f"{short}-", f"{short}_")))


def covered(listed: tuple[str, ...], tree: tuple[str, ...]) -> tuple[float | None, tuple[str, ...]]:
    """Return the share of the tree's files, of the suffixes that were scanned, that are listed; and the first missed.

    Addresses may be absolute, or relative to any folder, as tools like it.
    """
    places = [unquote(one.removeprefix("file://")).replace("\\", "/") for one in listed]
    kinds = {PurePosixPath(place).suffix.lower() for place in places} - {""}
    expected = [path for path in tree if PurePosixPath(path).suffix.lower() in kinds]
    if not expected:
        return None, ()
    tails = {tail for place in places for tail in _tails(place.removeprefix("./"))}
    inside = {place.removeprefix("./") for place in places if not place.startswith("/")}
    missed = [path for path in expected if path not in tails and inside.isdisjoint(_tails(path))]
    seen = min(len(expected) - len(missed), len(places))
    return round(seen / len(expected), 4), tuple(missed[:MISSED_MAX])


def _tails(place: str) -> Iterable[str]:
    parts = place.strip("/").split("/")
    return ("/".join(parts[start:]) for start in range(len(parts)))


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path of the repository matches one of the globs; a star also stands for slashes."""
    return any(fnmatch(path, pattern) for pattern in patterns)
