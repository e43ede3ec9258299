"""`report.html`: one self-contained page without any JavaScript.

Every string passes through Jinja2's autoescape and through `text.visible`; the page's own style sheet is
the only thing that its content security policy lets in, by its hash. The page is a function of the
record: it reads no clock and no locale.
"""

from __future__ import annotations

import base64
import hashlib
import re
import urllib.parse
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import facts, json, words
from pytest_deploycheck.reports.anchors import Anchors
from pytest_deploycheck.reports.facts import Bounds
from pytest_deploycheck.reports.style import stylesheet
from pytest_deploycheck.reports.text import bounded, one_line, visible
from pytest_deploycheck.reports.view import CODE, STRONG, compared, view

LARGEST_PAGE = 10_000_000
"""Bytes above which excerpts are cut much shorter, with their digests."""


def render(record: Record) -> str:
    """Return the page of a record as text that encodes to UTF-8."""
    page = _render(record, Bounds())
    if len(page) > LARGEST_PAGE:
        page = _render(record, Bounds(excerpt=512, entries=12, long=4))
    return page


def _render(record: Record, bounds: Bounds) -> str:
    shown = view(record)
    whole = json.dumps(record)
    light = json.light(record)
    data = json.dumps(light) if light else whole
    anchors = Anchors([item.anchor for item in shown.items])
    observations = [
        {**seen, "anchor": anchors.make(f"probe.{seen['probe']}"), "node": node, "plots": _plots(node)}
        for seen in shown.record["observations"]
        for node in [_node(seen, bounds)]
    ]
    style = stylesheet(shown)
    return (
        _environment()
        .get_template("report.html")
        .render(
            v=shown,
            r=shown.record,
            observations=observations,
            probes={seen["probe"]: seen for seen in observations},
            by_id=shown.by_id,
            places=_places(shown.record),
            used=Counter(name for item in shown.items for name in item.observations),
            identity=_identity(shown.record),
            signoffs=[item for item in shown.items if item.kind == "sign_off"],
            style=Markup(style),  # noqa: S704 - made of our own template and escaped names only
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            data=Markup(data),  # noqa: S704 - json.dumps escapes <, > and &
            whole_sha256=hashlib.sha256(whole.encode()).hexdigest(),
            whole_bytes=len(whole),
            light=light is not None,
            excerpt=lambda text: bounded(str(text), bounds.excerpt),
        )
    )


def _node(seen: Mapping[str, Any], bounds: Bounds) -> facts.Node | None:
    return None if seen["facts"] is None else facts.tree(seen["facts"], bounds)


def _plots(node: facts.Node | None) -> int:
    """Return how many plots are among an observation's facts."""
    if isinstance(node, facts.Fields):
        return sum(_plots(entry) for _, entry in node.entries)
    if isinstance(node, facts.Entries):
        return sum(_plots(entry) for entry in node.entries)
    if isinstance(node, facts.Alike):
        return _plots(node.rest)
    return int(isinstance(node, facts.Plot))


def _places(record: Mapping[str, Any]) -> Mapping[str, list[str]]:
    """Return where each probe looked, from the ledger of requests."""
    found: dict[str, dict[str, None]] = {seen["probe"]: {} for seen in record["observations"]}
    for entry in record["requests"]:
        if entry.get("where"):
            found.setdefault(entry["probe"], {})[str(entry["where"])] = None
    return {probe: list(places)[:12] for probe, places in found.items()}


def _identity(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return everything that says what was judged, by whom and with what, as (name, value)."""
    run, target, release = record["run"], record["target"], record["release"]
    checklist, tool = record["checklist"], record["tool"]
    return [
        ("Target", f"{target['name']} ({target['environment']}), {target['file']}"),
        ("Base URL", target["base_url"]),
        ("Configuration", f"sha256 {target['config_digest']}"),
        ("Version", release["version"]),
        ("Commit", release["commit"]),
        ("Deployed", words.moment(release["deployed_at"] or "")),
        ("Contract", release["contract"]),
        ("Checklist", f"{checklist['path']}, sha256 {checklist['digest']}"),
        ("Run", run["id"]),
        ("Started", words.moment(run["started_at"])),
        ("Finished", f"{words.moment(run['finished_at'])}, {words.duration(run['duration_s'])} in all"),
        ("Looking took", words.duration(run["gather_s"])),
        ("Operator", run["operator"]),
        ("Runner", run["runner"]),
        ("CI run", run["ci_run"]),
        ("Made by", f"{tool['name']} {tool['version']}, pytest {tool['pytest']}, Python {tool['python']}"),
    ]


def _shown(value: Any) -> str:
    """Return what stands in a page for any value: bounded, nothing invisible; markup of our own as it is."""
    if isinstance(value, Markup):
        return value
    text, note = bounded(str(value))
    return visible(f"{text}… {note}" if note else text)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pytest_deploycheck.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.globals.update(words=words, plural=words.plural)
    environment.filters.update(
        {
            "compared": compared,
            "class": words.verdict_class,
            "line": lambda value, limit=0: one_line(str(value), limit),
            "reason": words.reason,
            "short": short,
            "state": lambda name: name if name in ("seen", "dead", "unseen") else "broken",
            "testname": lambda test, file: str(test).removeprefix(f"{file}::"),
            "took": words.duration,
            "web": web,
            "when": words.moment,
            "word": words.verdict,
            "wording": wording,
        }
    )
    return environment


def wording(text: str) -> Markup:
    """Return a checklist item's text with Markdown's code spans and strong words, all else as it is."""
    escaped = CODE.sub(r"<code>\1</code>", str(escape(one_line(text, 2000))))
    return Markup(STRONG.sub(r"<b>\1</b>", escaped))  # noqa: S704 - escaped one line above


def web(text: object) -> str:
    """Return a URL if it is an http or https one that may be linked, else an empty string."""
    address = str(text)
    try:
        parts = urllib.parse.urlsplit(address)
        host = parts.hostname
    except ValueError:
        return ""
    plain = visible(address) == address and not re.search(r"[\s\"'<>\\`]", address)
    return address if plain and host and parts.scheme in ("http", "https") and len(address) <= 2000 else ""


def short(digest: object) -> str:
    """Return the first 12 characters behind a digest's algorithm, enough to recognise it by."""
    return str(digest).rpartition(":")[2][:12]


def template_file(name: str) -> str:
    """Return the text of a file among the templates."""
    return files("pytest_deploycheck.reports").joinpath("templates", name).read_text(encoding="utf-8")
