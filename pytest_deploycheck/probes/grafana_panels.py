"""Panels as a visitor sees them: rows opened, variables filled in, every query run, data or not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.probes.grafana_api import BUILT_IN, Grafana, Source

_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(?:[:.][^}]*)?\}|\$([A-Za-z_]\w*)|\[\[([A-Za-z_]\w*)(?::\w+)?\]\]")
_LABEL_VALUES = re.compile(r"^\s*label_values\(\s*(?:(.+?)\s*,)?\s*([A-Za-z_]\w*)\s*\)\s*$", re.DOTALL)
_ALL = ("$__all", "All")
INTERVAL_MS = 15_000
POINTS = 200


@dataclass(frozen=True)
class Panel:
    """One panel that queries something.

    has_data: a query gave at least one value that is not null.  error: what the data source said otherwise.
    unresolved: variables in its queries or data source that nobody sets.  source: uid of its data source.
    """

    title: str
    kind: str
    source: str
    has_data: bool
    error: str
    unresolved: tuple[str, ...]


@dataclass(frozen=True)
class Variable:
    """One template variable and the value it gets; `empty` when its query finds no choice at all."""

    name: str
    value: str
    empty: bool


@dataclass(frozen=True)
class Stretch:
    """The time that is asked for, in milliseconds since the epoch."""

    start_ms: int
    end_ms: int


def panels(
    grafana: Grafana,
    board: Mapping[str, Any],
    sources: Sequence[Source],
    values: Mapping[str, str],
    when: Stretch,
) -> Iterator[Panel]:
    """Run the queries of every panel, those in closed rows too; panels without queries are left out."""
    for panel in _walk(grafana, board.get("panels") or ()):
        wanted = [query for query in panel.get("targets") or () if not query.get("hide")]
        if not wanted or _name_of(panel.get("datasource")) == "-- Dashboard --":
            continue
        queries, unresolved, named = [], [], ""
        for number, query in enumerate(wanted):
            text = json.dumps(query)
            where = _name_of(query.get("datasource")) or _name_of(panel.get("datasource"))
            unresolved += [name for name in names_in(f"{text} {where}") if name not in values]
            uid = _uid(fill(where, values), sources)
            named = named or uid
            asked = {"refId": f"Q{number}", **safe_json.loads(fill(text, values, escaped=True))}
            asked["datasource"] = {"uid": uid}
            queries.append({"intervalMs": INTERVAL_MS, "maxDataPoints": POINTS, **asked})
        has_data, error = run(grafana, queries, when)
        yield Panel(
            title=str(panel.get("title", "")),
            kind=str(panel.get("type", "")),
            source=named,
            has_data=has_data,
            error=error,
            unresolved=tuple(dict.fromkeys(unresolved)),
        )


def _walk(grafana: Grafana, listed: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for panel in listed:
        if not isinstance(panel, dict):
            continue
        library = panel.get("libraryPanel") or {}
        if library.get("uid") and not panel.get("targets"):
            model = library.get("model") or grafana.library_panel(str(library["uid"]))
            panel = {**model, "title": panel.get("title") or model.get("title", "")}
        yield panel
        yield from _walk(grafana, panel.get("panels") or ())


def _name_of(source: Any) -> str:
    """Return the uid or name by which a panel names its data source; empty for the default one."""
    if isinstance(source, dict):
        return str(source.get("uid") or "")
    return str(source or "")


def _uid(name: str, sources: Sequence[Source]) -> str:
    """Return the uid of a data source named by uid or, as old dashboards do, by name."""
    if name in BUILT_IN:
        return name
    if name in ("", "default", "-- Default --"):
        return next((source.uid for source in sources if source.default), "")
    return next((source.uid for source in sources if name in (source.uid, source.name)), name)


def names_in(text: str) -> Iterator[str]:
    """Yield the variables of a text but Grafana's own, which its server fills in."""
    for match in _VARIABLE.finditer(text):
        name = next(group for group in match.groups() if group)
        if not name.startswith("__"):
            yield name


def fill(text: str, values: Mapping[str, str], *, escaped: bool = False) -> str:
    """Return a text with its variables filled in; unknown ones stay as they are."""

    def value(match: re.Match[str]) -> str:
        found = values.get(next(group for group in match.groups() if group))
        if found is None:
            return match[0]
        return json.dumps(found)[1:-1] if escaped else found

    return _VARIABLE.sub(value, text)


def variables(
    grafana: Grafana, board: Mapping[str, Any], sources: Sequence[Source], when: Stretch
) -> tuple[Variable, ...]:
    """Return the template variables with the values that a new visitor gets, in their order."""
    found: list[Variable] = []
    for variable in (board.get("templating") or {}).get("list") or ():
        known = {one.name: one.value for one in found}
        name, kind = str(variable.get("name", "")), str(variable.get("type", ""))
        current = (variable.get("current") or {}).get("value", "")
        if kind == "datasource":
            fitting = [s for s in sources if s.type == str(variable.get("query", ""))]
            chosen = str(current) if current and str(current) not in ("default", *_ALL) else ""
            best = next((s.uid for s in sorted(fitting, key=lambda s: not s.default)), "")
            found.append(Variable(name, chosen or best, not (chosen or fitting)))
            continue
        choices = _choices(grafana, variable, sources, known, when) if kind == "query" else None
        found.append(Variable(name, _value(variable, current, choices), choices == []))
    return tuple(found)


def _value(variable: Mapping[str, Any], current: Any, choices: Sequence[str] | None) -> str:
    picked = [str(entry) for entry in (current if isinstance(current, list) else [current]) if entry != ""]
    if any(entry in _ALL for entry in picked):
        return str(variable.get("allValue") or ".*")
    if not picked:  # what is refreshed on load starts with the first choice
        if choices:
            picked = [choices[0]]
        elif variable.get("includeAll"):
            return str(variable.get("allValue") or ".*")
        else:
            picked = [str(variable.get("query") or "").partition(",")[0].strip()] if choices is None else [""]
    return picked[0] if len(picked) == 1 else f"({'|'.join(picked)})"


def _choices(
    grafana: Grafana,
    variable: Mapping[str, Any],
    sources: Sequence[Source],
    known: Mapping[str, str],
    when: Stretch,
) -> list[str] | None:
    """Return what a `label_values` of Prometheus finds; None for queries of another kind."""
    query = variable.get("query")
    text = str(query.get("query", "") if isinstance(query, dict) else query or variable.get("definition", ""))
    match = _LABEL_VALUES.match(fill(text, known))
    uid = _uid(fill(_name_of(variable.get("datasource")), known), sources)
    if match is None or match[1] is None or not any(s.uid == uid and s.type == "prometheus" for s in sources):
        return None
    asked = {
        "refId": "V",
        "datasource": {"uid": uid},
        "expr": f"group by ({match[2]}) (last_over_time({match[1]}[1h]))",
        "instant": True,
        "range": False,
    }
    results, error = grafana.query(_body([asked], when))
    if error or any(result.get("error") for result in results.values()):
        return None  # the panels will say so
    labels = (
        field.get("labels") or {}
        for result in results.values()
        for frame in result.get("frames") or ()
        for field in (frame.get("schema") or {}).get("fields") or ()
    )
    return sorted({str(found[match[2]]) for found in labels if found.get(match[2])})


def run(grafana: Grafana, queries: Sequence[Mapping[str, Any]], when: Stretch) -> tuple[bool, str]:
    """Run a panel's queries together; return whether any gave a value, and the first error."""
    results, error = grafana.query(_body(queries, when))
    errors = [str(result["error"]) for result in results.values() if result.get("error")]
    return any(map(_has_value, results.values())), (errors[0] if errors else error)[:300]


def _body(queries: Sequence[Mapping[str, Any]], when: Stretch) -> dict[str, Any]:
    return {"queries": list(queries), "from": str(when.start_ms), "to": str(when.end_ms)}


def _has_value(result: Mapping[str, Any]) -> bool:
    """Tell whether any column but the time's holds a value."""
    for frame in result.get("frames") or ():
        fields = (frame.get("schema") or {}).get("fields") or ()
        columns = (frame.get("data") or {}).get("values") or ()
        for field, column in zip(fields, columns, strict=False):
            if field.get("type") != "time" and any(value is not None for value in column):
                return True
    return False
