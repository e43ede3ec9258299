"""Audits of dependencies as tools print them: pip-audit, npm, pnpm, Yarn and OSV-Scanner. Parsing only.

A tool that could not reach its service still prints JSON. npm's is an object with a message and without `metadata`:
whoever looks for vulnerabilities in it finds none. What is not there is therefore never taken for zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck import safe_json

LEVELS = ("info", "low", "moderate", "high", "critical")
UNRATED = "unrated"
_OTHER_WORDS = {"medium": "moderate", "none": "info", "important": "high"}


class AuditError(ValueError):
    """A document is no finished audit; the message says what it is instead."""


@dataclass(frozen=True)
class Vulnerable:
    """A vulnerability of a package. level: one of `LEVELS`, or "unrated" where the tool does not rate."""

    id: str
    package: str
    level: str
    fixed_in: str


@dataclass(frozen=True)
class Audited:
    """What a tool says.

    packages: how many it looked at, None where it does not say.  names: (name, version) of them, where it lists them.
    skipped: packages that it left out.  counted: vulnerabilities by level, where it counts them.
    """

    tool: str
    packages: int | None
    names: tuple[tuple[str, str], ...]
    skipped: tuple[str, ...]
    found: tuple[Vulnerable, ...]
    counted: tuple[tuple[str, int], ...]


def pip_audit(document: Any) -> Audited:
    """Read `pip-audit --format json`, also of versions that printed a bare list."""
    listed = document.get("dependencies") if isinstance(document, Mapping) else document
    if not isinstance(listed, list):
        raise AuditError(f"it has no list of dependencies: {_shown(document)}")
    packages = [one for one in listed if isinstance(one, Mapping) and one.get("name")]
    looked = [one for one in packages if isinstance(one.get("vulns"), list)]
    return Audited(
        tool="pip-audit",
        packages=len(looked),
        names=tuple((plain(str(one["name"])), str(one.get("version") or "")) for one in looked),
        skipped=tuple(plain(str(one["name"])) for one in packages if one not in looked),
        found=tuple(
            Vulnerable(
                id=str(hit.get("id") or "?"),
                package=f"{one['name']} {one.get('version') or ''}".strip(),
                level=UNRATED,
                fixed_in=", ".join(map(str, hit.get("fix_versions") or ())),
            )
            for one in looked
            for hit in one["vulns"]
            if isinstance(hit, Mapping)
        ),
        counted=(),
    )


def npm_audit(document: Any) -> Audited:
    """Read `npm audit --json` of version 2, or the older shape that pnpm keeps."""
    meta = document.get("metadata") if isinstance(document, Mapping) else None
    counted = meta.get("vulnerabilities") if isinstance(meta, Mapping) else None
    if not isinstance(meta, Mapping) or not isinstance(counted, Mapping):
        raise AuditError(f"it is no finished audit, but {_shown(document)}")
    packages = meta.get("dependencies")
    if isinstance(packages, Mapping):
        packages = packages.get("total")
    total = meta.get("totalDependencies", packages)
    if not _is_count(total) or not all(_is_count(counted.get(level)) for level in LEVELS[1:]):
        raise AuditError("its metadata do not count packages and vulnerabilities")
    version = document.get("auditReportVersion")
    if version is not None and version != 2:
        raise AuditError(f"its auditReportVersion is {str(version)[:20]!r}; 2 is known")
    found = _npm_2(document) if version == 2 else _advisories(document.get("advisories"))
    return Audited("npm audit", total, (), (), tuple(found), _counts(counted))


def yarn_audit(text: str) -> Audited:
    """Read `yarn audit --json` of Yarn 1: a JSON object a line, of which the last one sums up."""
    found, summary = [], None
    for line in text.splitlines():
        try:
            entry = safe_json.loads(line)
        except ValueError:
            continue
        data = entry.get("data") if isinstance(entry, Mapping) else None
        if isinstance(data, Mapping) and entry.get("type") == "auditSummary":
            summary = data
        elif isinstance(data, Mapping) and entry.get("type") == "auditAdvisory":
            found += list(_advisories({"": data.get("advisory")}))
    if summary is None or not _is_count(summary.get("totalDependencies")):
        raise AuditError("it is neither one JSON object nor Yarn's lines with a summary")
    counted = summary.get("vulnerabilities")
    if not isinstance(counted, Mapping):
        raise AuditError("its summary counts no vulnerabilities")
    return Audited("yarn audit", summary["totalDependencies"], (), (), tuple(found), _counts(counted))


def osv(document: Any) -> Audited:
    """Read `osv-scanner --format json`, which lists what is vulnerable only unless it was asked for all."""
    results = document.get("results") if isinstance(document, Mapping) else None
    if not isinstance(results, list):
        raise AuditError(f"it has no list of results: {_shown(document)}")
    packages = [
        one
        for result in results
        if isinstance(result, Mapping)
        for one in result.get("packages") or ()
        if isinstance(one, Mapping)
    ]
    return Audited("osv-scanner", None, (), (), tuple(_osv(packages)), ())


def _osv(packages: list[Mapping[str, Any]]) -> Iterator[Vulnerable]:
    for one in packages:
        about = one.get("package")
        name = f"{about.get('name')} {about.get('version')}" if isinstance(about, Mapping) else "?"
        for group in one.get("groups") or ():
            if isinstance(group, Mapping):
                ids = group.get("ids")
                first = str(ids[0]) if isinstance(ids, list) and ids else "?"
                yield Vulnerable(first, name, _cvss_level(group.get("max_severity")), "")


def _cvss_level(text: Any) -> str:
    try:
        score = float(text)
    except (TypeError, ValueError):
        return UNRATED
    return next(
        level
        for level, least in (("critical", 9), ("high", 7), ("moderate", 4), ("low", 0))
        if score >= least
    )


def _npm_2(document: Mapping[str, Any]) -> Iterator[Vulnerable]:
    listed = document.get("vulnerabilities")
    for name, entry in listed.items() if isinstance(listed, Mapping) else ():
        if not isinstance(entry, Mapping):
            continue
        causes = [via for via in entry.get("via") or () if isinstance(via, Mapping)]
        about = (
            str(causes[0].get("url") or causes[0].get("title") or "") if causes else "by a package below it"
        )
        fix = entry.get("fixAvailable")
        fixed = f"{fix.get('name')} {fix.get('version')}" if isinstance(fix, Mapping) else ""
        yield Vulnerable(about.rpartition("/")[2] or "?", str(name), level_of(entry.get("severity")), fixed)


def _advisories(listed: Any) -> Iterator[Vulnerable]:
    for entry in listed.values() if isinstance(listed, Mapping) else ():
        if isinstance(entry, Mapping):
            name = str(entry.get("github_advisory_id") or entry.get("url") or entry.get("id") or "?")
            fixed = str(entry.get("patched_versions") or "")
            yield Vulnerable(
                name, str(entry.get("module_name") or "?"), level_of(entry.get("severity")), fixed
            )


def level_of(word: Any) -> str:
    """Return a tool's word for a level as one of ours; an unknown word is unrated, not harmless."""
    plain_word = str(word or "").lower()
    plain_word = _OTHER_WORDS.get(plain_word, plain_word)
    return plain_word if plain_word in LEVELS else UNRATED


def blocks(level: str, least: str) -> bool:
    """Whether a vulnerability of a level stops a release; an unrated one always does."""
    return level == UNRATED or LEVELS.index(level) >= LEVELS.index(least)


def plain(name: str) -> str:
    """Return a Python package's name as PyPI compares it (PEP 503)."""
    return name.lower().replace("_", "-").replace(".", "-")


def _counts(counted: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    return tuple((level, counted[level]) for level in LEVELS if _is_count(counted.get(level)))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _shown(document: Any) -> str:
    """Describe a document by its own message, or by its keys."""
    if not isinstance(document, Mapping):
        return f"a {type(document).__name__}"
    error = document.get("error")
    said = document.get("message") or (error.get("summary") if isinstance(error, Mapping) else error)
    return (
        repr(str(said)[:120])
        if said
        else f"an object of {', '.join(map(str, list(document)[:6])) or 'nothing'}"
    )
