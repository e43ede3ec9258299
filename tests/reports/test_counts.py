"""One record, the same counts everywhere."""

from __future__ import annotations

import json
import re

import pytest

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import html, markdown, terminal
from pytest_deploycheck.reports import json as evidence
from pytest_deploycheck.reports.view import view
from pytest_deploycheck.verdict import Verdict

from .factory import OVERRIDES, record
from .pages import by_id, elements, has_class, name, parsed, text


@pytest.mark.parametrize(
    "made",
    [
        record(),
        record(green=True),
        record(9),
        record(40, overrides=OVERRIDES | {"pre_deploy.everything.item_0": (Verdict.FAILED, "", "broken")}),
    ],
    ids=["no-go", "go", "few", "made-up"],
)
def test_page_evidence_summary_and_terminal_count_alike(made: Record) -> None:
    """The counts of HTML, JSON, Markdown and terminal are equal to those of the decision (R16)."""
    wanted = {verdict.replace("_", " "): n for verdict, n in made.decision["counts"].items()}
    tree = parsed(html.render(made))
    foot = next(node for node in elements(by_id(tree, "counts")) if name(node) == "tfoot")
    cells = [node for node in elements(foot) if name(node) == "td"]
    assert {cell.get("data-v"): int(text(cell)) for cell in cells} == {**wanted, "in all": len(made.items)}
    rows = [node for node in elements(by_id(tree, "items")) if has_class(node, "it")]
    shown = [next(c for c in (node.get("class") or "").split() if c.startswith("v-")) for node in rows]
    assert {verdict: shown.count(f"v-{verdict.replace(' ', '_')}") for verdict in wanted} == wanted

    said = json.loads(evidence.dumps(made))
    assert said["decision"]["counts"] == made.decision["counts"]
    assert len(said["items"]) == sum(wanted.values())

    summary = markdown.render(made)
    head = [
        cell.strip() for cell in re.findall(r"^\| phase \| (.+) \|$", summary, re.MULTILINE)[0].split("|")
    ]
    total = (
        re.findall(r"^\| \*\*all phases\*\* \| (.+) \|$", summary, re.MULTILINE)[0]
        .replace("*", "")
        .split("|")
    )
    assert dict(zip(head, map(int, total), strict=True)) == {**wanted, "all": len(made.items)}
    listed = re.findall(r"^- \S \*\*([\w ]+)\*\*", summary.split("## Items")[1], re.MULTILINE)
    assert {verdict: listed.count(verdict) for verdict in wanted} == wanted

    lines = terminal.lines(made, verbosity=0, width=400, colour=False)
    phases = {phase.title for phase in view(made).phases}
    counted: dict[str, int] = dict.fromkeys(wanted, 0)
    for line in lines:
        title, _, counts = line.partition(": ")
        if title in phases:
            for n, verdict in re.findall(r"(\d+) ([a-z ]+)", counts):
                counted[verdict] += int(n)
    assert counted == wanted
    for verdict, n in wanted.items():
        assert f"{n} {verdict}" in lines[-1]
