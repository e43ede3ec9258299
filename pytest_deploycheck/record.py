"""The run record, schema `deploycheck/1`: what a run saw, judged and decided, as JSON-able values.

The record is the evidence; every report is rendered from it and from nothing else. It holds no value
that is not plain JSON, so it survives writing, embedding in the page, and reading back unchanged.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_deploycheck.decision import DeadGate, Ruling
    from pytest_deploycheck.verdict import Claim, ItemVerdict

SCHEMA = "deploycheck/1"


class RecordError(Exception):
    """A record cannot be read; the message names the file, what is wrong and the next step."""


@dataclass(frozen=True)
class Record:
    """One run, as stored in `evidence.json`.

    tool: name, version, python, pytest.  run: id, started_at, finished_at (UTC ISO 8601), duration_s,
    operator, runner, ci_run, command, as_of, replayed_from, interrupted, gather_s.
    target: name, environment, base_url, file, config_digest.  release: version, commit, deployed_at,
    images {service: digest}, contract.  checklist: path, title, digest, items [{id, number, phase,
    phase_title, section, section_title, text, line, kind, fingerprint}].  selection: item ids judged.
    decision: decision, rule, sentence, counts {verdict: n}, blocking [id], causes [{sentence, items}].
    items: [{item, verdict, reason, sentence, observed, until, claim | null, outcomes [...]}], in
    checklist order.  observations: [{probe, state (seen | dead | unseen | broken), facts | null, digest,
    reason, gate, detail, safety, started_at, duration_s, needs}].  gates: [{name, owner, detail}], dead
    ones only.  claims: all of them, with `problem` where one did not count.  coverage:
    items_without_test, tests_without_item, drift [{item, test, written_for, reads_now}].
    requests: [{probe, endpoint, action, where, safety, count}].  standins: {name: what it stands in for}.
    baseline: {state (none | ok | missing | corrupt | older), sentence, newly_failing, fixed,
    evidence_changed, verdicts {id: earlier verdict}}.
    """

    tool: Mapping[str, Any]
    run: Mapping[str, Any]
    target: Mapping[str, Any]
    release: Mapping[str, Any]
    checklist: Mapping[str, Any]
    selection: Sequence[str]
    decision: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]]
    observations: Sequence[Mapping[str, Any]] = ()
    gates: Sequence[Mapping[str, Any]] = ()
    claims: Sequence[Mapping[str, Any]] = ()
    coverage: Mapping[str, Any] = field(default_factory=dict)
    requests: Sequence[Mapping[str, Any]] = ()
    standins: Mapping[str, str] = field(default_factory=dict)
    baseline: Mapping[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON values, schema first."""
        values = jsonable(self)
        return {"schema": values.pop("schema"), **values}

    def dumps(self) -> str:
        """Return the record as ASCII JSON, byte-identical for equal records."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def jsonable(value: Any) -> Any:
    """Return dataclasses, mappings, sequences, sets, paths and times as plain JSON values.

    NaN and infinities, which JSON does not have, become the strings "NaN", "Infinity", "-Infinity".
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((jsonable(entry) for entry in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [jsonable(entry) for entry in value]
    if isinstance(value, float):
        return value if value - value == 0 else str(value).replace("inf", "Infinity").replace("nan", "NaN")
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def digest(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON, in hex."""
    text = json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def decision_section(ruling: Ruling) -> dict[str, Any]:
    """Return the `decision` section."""
    return {**jsonable(ruling), "decision": ruling.decision.value}


def item_sections(verdicts: Sequence[ItemVerdict]) -> list[dict[str, Any]]:
    """Return the `items` section; a comparison's counts stand there where they are not 1 and 0."""
    sections = [jsonable(verdict) for verdict in verdicts]
    for section in sections:
        for outcome in section["outcomes"]:
            for comparison in outcome["comparisons"]:
                if comparison["count"] == 1:
                    del comparison["count"]
                if not comparison["others"]:
                    del comparison["others"]
    return sections


def gate_sections(gates: Sequence[DeadGate]) -> list[dict[str, Any]]:
    """Return the `gates` section."""
    return [jsonable(gate) for gate in gates]


def claim_sections(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """Return the `claims` section, soonest expiry first."""
    return [jsonable(claim) for claim in sorted(claims, key=lambda c: (c.until is None, str(c.until)))]


def loads(text: str, where: str) -> Record:
    """Read a record from the text of `evidence.json`, refusing other schemas by name."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise RecordError(f"{where}: not JSON ({error}); give an evidence.json or report.html") from error
    schema = values.get("schema") if isinstance(values, dict) else None
    if schema != SCHEMA:
        raise RecordError(f"{where}: schema {schema!r} is not {SCHEMA!r}; judge that run again with --replay")
    names = {f.name for f in dataclasses.fields(Record)}
    missing = sorted(f.name for f in dataclasses.fields(Record) if f.name not in values and _required(f))
    if missing:
        raise RecordError(f"{where}: the record lacks {', '.join(missing)}; the file is cut off or edited")
    return Record(**{name: value for name, value in values.items() if name in names})


def read(path: Path, *, facts: bool = False) -> Record:
    """Read a record from `evidence.json` or from the data embedded in `report.html`.

    facts: refuse one without its facts, as a heavy page embeds it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
    marker = 'id="deploycheck-data">'
    if marker in text:
        text = text.split(marker, 1)[1].split("</script>", 1)[0]
    found = loads(text, str(path))
    if facts and any(seen["digest"] and seen["facts"] is None for seen in found.observations):
        raise RecordError(f"{path}: leaves the facts to evidence.json; give that file of the same bundle")
    return found


def compare(now: Record, before: Record) -> dict[str, Any]:
    """Return what changed since an earlier run, the `baseline` section."""
    earlier = {item["item"]: item for item in before.items}
    old_facts = {seen["probe"]: seen.get("digest") for seen in before.observations}
    new_facts = {seen["probe"]: seen.get("digest") for seen in now.observations}
    newly_failing, fixed, changed = [], [], []
    for item in now.items:
        old = earlier.get(item["item"])
        if old is None:
            continue
        if item["verdict"] == "failed" and old["verdict"] != "failed":
            newly_failing.append(item["item"])
        elif old["verdict"] == "failed" and item["verdict"] == "passed":
            fixed.append(item["item"])
        elif any(
            old_facts.get(name) != new_facts.get(name)
            for outcome in item["outcomes"]
            for name in outcome["observations"]
        ):
            changed.append(item["item"])
    return {
        "state": "ok",
        "sentence": f"Compared with run {before.run.get('id', '?')} of {before.run.get('started_at', '?')}.",
        "newly_failing": newly_failing,
        "fixed": fixed,
        "evidence_changed": changed,
        "verdicts": {name: item["verdict"] for name, item in earlier.items()},
    }


def _required(entry: dataclasses.Field[Any]) -> bool:
    return entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
