"""SARIF 2.1.0 as scanners of code write it: which results are open, how severe, and what was looked at. Parsing only.

Section numbers are those of the OASIS standard. Severity seldom stands in the result: its level may come from the rule
(3.27.10), and the CVSS-like `security-severity` is a property of the rule, which may be an extension's (3.19).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pytest_deploycheck.probes.evidence_files import is_commit
from pytest_deploycheck.probes.image_scans import stamp

LEVELS = ("none", "note", "warning", "error")
_OWNER = re.compile(r"\b(?:owner|by)\s*[:=]\s*([^\s;,]+)", re.IGNORECASE)
_UNTIL = re.compile(r"\b(?:until|expires?|exp|expiry)\s*[:=]\s*(\d{4}-\d\d-\d\d)", re.IGNORECASE)
_EXTRACTED = re.compile(r"successfully-extracted|extracted-files|analy[sz]ed-file", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """One result.

    place: file and line.  level: none, note, warning or error.  severity: `security-severity`, None without one.
    suppressed: somebody accepted it.  reason, owner, until: of that; until as UTC ISO 8601, "" where it is not said.
    """

    rule: str
    place: str
    level: str
    severity: float | None
    suppressed: bool
    reason: str
    owner: str
    until: str


@dataclass(frozen=True)
class Scan:
    """One run of one tool.

    category: what tells several runs of one tool apart, such as the language.  succeeded: as its invocations say, None
    without any.  commits: that it names.  files: what it says that it looked at, None where it does not; listed: their
    addresses, where it lists all of them.
    """

    tool: str
    version: str
    category: str
    succeeded: bool | None
    commits: tuple[str, ...]
    started_at: str
    ended_at: str
    files: int | None
    listed: tuple[str, ...]
    findings: tuple[Finding, ...]


class SarifError(ValueError):
    """A document is no SARIF 2.1.0; the message says why."""


def scans(document: Any) -> list[Scan]:
    """Return every run of a document; none is a document of a scanner that was never started."""
    if not isinstance(document, Mapping) or not isinstance(document.get("runs"), list):
        raise SarifError("it has no list of runs")
    if str(document.get("version")) != "2.1.0":
        raise SarifError(f"its version is {str(document.get('version'))[:20]!r}, not '2.1.0'")
    return [_scan(run) for run in maps(document["runs"])]


def _scan(run: Mapping[str, Any]) -> Scan:
    driver = _map(_map(run.get("tool")).get("driver"))
    calls = maps(run.get("invocations"))
    if not isinstance(run.get("results"), list):
        # 3.14.23: null or absent results mean that the tool did not get as far as looking.
        succeeded: bool | None = False
    else:
        said = [call.get("executionSuccessful") for call in calls if "executionSuccessful" in call]
        succeeded = all(one is True for one in said) if said else None
    files, listed = _looked_at(run, calls)
    details = _map(run.get("automationDetails"))
    return Scan(
        tool=str(driver.get("name") or ""),
        version=str(driver.get("semanticVersion") or driver.get("version") or ""),
        category=str(details.get("id") or "").rpartition("/")[0] or str(details.get("id") or ""),
        succeeded=succeeded,
        commits=tuple(_commits(run)),
        started_at=min(filter(None, (stamp(call.get("startTimeUtc")) for call in calls)), default=""),
        ended_at=max(filter(None, (stamp(call.get("endTimeUtc")) for call in calls)), default=""),
        files=files,
        listed=listed,
        findings=tuple(_findings(run)),
    )


def _commits(run: Mapping[str, Any]) -> Iterator[str]:
    for place in maps(run.get("versionControlProvenance")):
        revision = str(place.get("revisionId") or "").lower()
        if is_commit(revision):
            yield revision


def _looked_at(run: Mapping[str, Any], calls: list[Mapping[str, Any]]) -> tuple[int | None, tuple[str, ...]]:
    """Return how many files were looked at, and their addresses where the run lists all of them.

    Artifacts count when they are targets of the analysis (3.24.6); without roles they may be the places of results
    only, as CodeQL's are, which notes each extracted file instead. Bandit keeps its measures by file.
    """
    targets = [
        _uri(one) for one in maps(run.get("artifacts")) if "analysisTarget" in (one.get("roles") or ())
    ]
    noted = [
        _uri(_map(place.get("physicalLocation")).get("artifactLocation"), bare=True)
        for call in calls
        for note in maps(call.get("toolExecutionNotifications"))
        if _EXTRACTED.search(str(_map(note.get("descriptor")).get("id") or ""))
        for place in maps(note.get("locations"))
    ]
    metrics = _map(_map(run.get("properties")).get("metrics"))
    measured = [
        str(name) for name, value in metrics.items() if name != "_totals" and isinstance(value, Mapping)
    ]
    for found in (targets, noted, measured):
        listed = tuple(dict.fromkeys(filter(None, found)))
        if listed:
            return len(listed), listed
    if "_totals" in metrics:
        return 0, ()
    plain = [one for one in maps(run.get("artifacts")) if not one.get("roles") and _uri(one)]
    return len(plain) or None, ()


def _uri(value: Any, *, bare: bool = False) -> str:
    place = value if bare else _map(value).get("location")
    return str(_map(place).get("uri") or "")


def _findings(run: Mapping[str, Any]) -> Iterator[Finding]:
    tool = _map(run.get("tool"))
    components = [_map(tool.get("driver")), *maps(tool.get("extensions"))]
    for result in maps(run.get("results")):
        # 3.27.9: only a failure is a finding; 3.27.24: an absent one was there before, and no longer is.
        if (
            result.get("kind", "fail") not in ("fail", "open", "review")
            or result.get("baselineState") == "absent"
        ):
            continue
        rule = _rule(result, components)
        name = str(result.get("ruleId") or _map(result.get("rule")).get("id") or rule.get("id") or "?")
        accepted, reason, owner, until = _suppression(result)
        yield Finding(
            rule=name[:120],
            place=_place(result),
            level=_level(result, rule),
            severity=_severity(result, rule),
            suppressed=accepted,
            reason=reason,
            owner=owner,
            until=until,
        )


def _rule(result: Mapping[str, Any], components: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the rule of a result: by index in its component (3.52), else by id, of which it may be a part."""
    reference = _map(result.get("rule"))
    component = _map(reference.get("toolComponent")).get("index")
    place = (
        components[component + 1]
        if type(component) is int and component + 1 < len(components)
        else components[0]
    )
    index = next((one for one in (reference.get("index"), result.get("ruleIndex")) if type(one) is int), -1)
    rules = maps(place.get("rules"))
    if 0 <= index < len(rules):
        return rules[index]
    name = str(result.get("ruleId") or reference.get("id") or "")
    everywhere = {
        str(rule.get("id")): rule for one in reversed(components) for rule in maps(one.get("rules"))
    }
    while name:
        if name in everywhere:
            return everywhere[name]
        name = name.rpartition("/")[0]
    return {}


def _level(result: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
    default = _map(rule.get("defaultConfiguration")).get("level", "warning")
    level = result.get("level", default)
    return level if level in LEVELS else "error"  # what we do not know is not harmless


def _severity(result: Mapping[str, Any], rule: Mapping[str, Any]) -> float | None:
    for holder in (result, rule):
        value = _map(holder.get("properties")).get("security-severity")
        if value in (None, ""):
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            return 10.0  # a severity that cannot be read is not a low one
        return number if 0 <= number <= 10 else 10.0
    return None


def _suppression(result: Mapping[str, Any]) -> tuple[bool, str, str, str]:
    """Return whether a result is suppressed (3.27.23: some, and none in doubt), why, by whom and until when.

    SARIF has no field for owner and end: they are properties of the suppression, or stand in its justification as
    `owner: ann; until: 2027-01-31`.
    """
    listed = maps(result.get("suppressions"))
    if not listed or any(one.get("status", "accepted") != "accepted" for one in listed):
        return False, "", "", ""
    texts = [str(one.get("justification") or "").strip() for one in listed]
    reason = " ".join(filter(None, texts))[:300]
    own = [_map(one.get("properties")) for one in listed]
    owner = _first(own, ("owner", "approvedBy", "approver", "author"))
    until = _first(own, ("until", "expires", "expiry", "expiresAt", "expirationDate", "expires_at"))
    if not owner and (match := _OWNER.search(reason)):
        owner = match[1]
    if not until and (match := _UNTIL.search(reason)):
        until = match[1]
    return True, _UNTIL.sub("", _OWNER.sub("", reason)).strip(" ;,."), owner[:80], _end_of(until)


def _first(properties: list[Mapping[str, Any]], names: tuple[str, ...]) -> str:
    return next((str(one[name]) for one in properties for name in names if one.get(name)), "")


def _end_of(text: str) -> str:
    """Return a day's or a moment's ISO 8601 in UTC, "" when it is neither."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return ""
    return stamp(text)


def _place(result: Mapping[str, Any]) -> str:
    for location in maps(result.get("locations")):
        physical = _map(location.get("physicalLocation"))
        uri = str(_map(physical.get("artifactLocation")).get("uri") or "")
        line = _map(physical.get("region")).get("startLine")
        if uri:
            return f"{uri[-160:]}:{line}" if isinstance(line, int) else uri[-160:]
    return "an unnamed place"


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def maps(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list, none of anything else."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
