"""JUnit XML as test runners write it: pytest, Surefire, jest-junit, go-junit-report, gotestsum and others. Parsing only.

There is no schema that all keep to. What counts is therefore counted, test by test; what a suite declares of itself
only counts where it is worse. A document type, and with it every entity, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from pytest_deploycheck.probes.evidence_files import is_commit
from pytest_deploycheck.probes.image_scans import stamp

DEEPEST = 64
NAMES_MAX = 5
PROPERTIES_MAX = 200
_SUITES = ("testsuites", "testsuite")
_OUTCOMES = {"failure": "failures", "error": "errors", "skipped": "skipped"}
_NOT_RUN = ("notrun", "disabled", "skipped", "ignored", "suppressed", "inactive")
_COMMIT_NAMES = frozenset(
    "commit commitsha commitid commithash sha revision gitcommit gitsha gitrevision gitcommitid gitcommithash "
    "vcsrevision buildvcsnumber cicommitsha githubsha sourceversion buildsourceversion circlesha1 "
    "bitbucketcommit drone_commit_sha dronecommitsha".split()
)


class JUnitError(ValueError):
    """A file is no JUnit XML that can be judged; the message says why."""


@dataclass
class JUnit:
    """What one file holds.

    tests, failures, errors, skipped: test cases.  bad: names of the first that failed.  commits: those that its
    properties name.  properties: the first of them, in lower case.  started_at: of its first suite, UTC ISO 8601; a
    time without a zone counts as UTC, `zoned` says whether it had one.  duration_s: sum of the suites' or of the tests' times.
    """

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    bad: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    started_at: str = ""
    zoned: bool = True
    duration_s: float = 0.0


def parse(data: bytes) -> JUnit:
    """Read a file's bytes, or raise JUnitError."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise JUnitError(f"it is not XML: {error}") from None
    return reader.finish()


def _refuse(*_: object) -> None:
    raise JUnitError("it declares a document type, which no test runner does")


class _Reader:
    """Counts while the parser goes through the file; nothing of it is kept."""

    def __init__(self) -> None:
        self.found = JUnit()
        self._path: list[str] = []
        self._case: dict[str, str] = {}
        self._outcomes: set[str] = set()
        self._declared: list[Mapping[str, int]] = []
        self._times: list[float] = []
        self._cases_s = 0.0
        self._starts: list[tuple[str, bool]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Enter an element."""
        tag = name.rpartition(":")[2].lower()
        if not self._path and tag not in _SUITES:
            raise JUnitError(f"its root is <{name[:40]}>, not <testsuites> or <testsuite>")
        if len(self._path) >= DEEPEST:
            raise JUnitError(f"its elements are nested more than {DEEPEST} deep")
        parent = self._path[-1] if self._path else ""
        self._path.append(tag)
        if tag in _SUITES:
            self._suite(attributes, outermost=parent != "testsuite" and tag == "testsuite")
        elif tag == "testcase":
            self._case, self._outcomes = attributes, set()
        elif tag in _OUTCOMES and parent == "testcase":
            self._outcomes.add(_OUTCOMES[tag])
        elif tag == "property":
            self._property(attributes)

    def end(self, _: str) -> None:
        """Leave an element."""
        if self._path.pop() == "testcase":
            self._count()

    def _suite(self, attributes: Mapping[str, str], *, outermost: bool) -> None:
        if outermost:
            # An inner suite's numbers are part of the outer one's.
            skips = max(_number(attributes, key) for key in ("skipped", "skips", "disabled"))
            self._declared.append(
                {
                    "failures": _number(attributes, "failures"),
                    "errors": _number(attributes, "errors"),
                    "skipped": skips,
                }
            )
            self._times.append(_seconds(attributes))
        if moment := stamp(attributes.get("timestamp")):
            zoned = bool(re.search(r"(Z|[+-]\d\d:?\d\d)$", attributes["timestamp"].strip()))
            self._starts.append((moment, zoned))

    def _property(self, attributes: Mapping[str, str]) -> None:
        name = re.sub(r"^env[._]", "", attributes.get("name", "").lower())
        value = attributes.get("value", "").strip().lower()
        if len(self.found.properties) < PROPERTIES_MAX:
            self.found.properties.setdefault(name, value)
        if re.sub(r"[^a-z0-9]", "", name) in _COMMIT_NAMES and is_commit(value):
            self.found.commits.append(value)

    def _count(self) -> None:
        found, case = self.found, self._case
        found.tests += 1
        self._cases_s += _seconds(case)
        ended = self._outcomes
        if not ended and {case.get("status", "").lower(), case.get("result", "").lower()} & set(_NOT_RUN):
            ended = {"skipped"}
        for outcome in ended:
            setattr(found, outcome, getattr(found, outcome) + 1)
        if ended & {"failures", "errors"} and len(found.bad) < NAMES_MAX:
            found.bad.append(".".join(filter(None, (case.get("classname"), case.get("name"))))[:200])

    def finish(self) -> JUnit:
        """Return what was found."""
        found = self.found
        for key in ("failures", "errors", "skipped"):
            setattr(found, key, max(getattr(found, key), sum(one[key] for one in self._declared)))
        found.duration_s = max(sum(self._times), self._cases_s)
        found.commits = list(dict.fromkeys(found.commits))
        if self._starts:
            found.started_at, found.zoned = min(self._starts)
        return found


def _number(attributes: Mapping[str, str], key: str) -> int:
    text = attributes.get(key, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _seconds(attributes: Mapping[str, str]) -> float:
    try:
        value = float(attributes.get("time", "0").replace(",", ""))
    except ValueError:
        return 0.0
    return value if 0 <= value < 10**9 else 0.0
