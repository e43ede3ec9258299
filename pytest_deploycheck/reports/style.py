"""The page's style sheet: a fixed file, and the few rules that depend on the record."""

from __future__ import annotations

from importlib.resources import files

from pytest_deploycheck.reports.text import one_line
from pytest_deploycheck.reports.view import View


def stylesheet(shown: View) -> str:
    """Return the style sheet of one page, with rules for its filters and its printed footer."""
    fixed = (
        files("pytest_deploycheck.reports").joinpath("templates", "report.css").read_text(encoding="utf-8")
    )
    lines = [line.strip() for line in fixed.splitlines()]
    rules = "\n".join(line for line in lines if line and not line.startswith("/*"))
    return f"\n{rules}\n{_filters(shown)}\n{_footer(shown)}\n"


def _filters(shown: View) -> str:
    """Return rules that show the chosen verdict's items in the chosen phase, without any script."""
    rules, empty = [], []
    kinds = [(name, f".v-{name}") for name in shown.counts]
    if shown.blocking:
        kinds.append(("open", ".open"))
    for name, kind in kinds:
        chosen = f"body:has(#f-{name}:checked)"
        rules.append(
            f"{chosen} .it:not({kind}),{chosen} .sec:not(:has({kind})),{chosen} .ph:not(:has({kind}))"
        )
    for phase in shown.phases:
        chosen = f"body:has(#f-{phase.key}:checked)"
        rules.append(f"{chosen} .ph:not(.{phase.key})")
        empty += [
            f"{chosen}:has(#f-{name}:checked) .nothing"
            for name, _ in kinds
            if not (phase.counts.get(name) or (name == "open" and any(i.blocking for i in phase.items)))
        ]
    hidden = ",\n".join(rules) + "{display:none}" if rules else ""
    return hidden + (f"\n{','.join(empty)}{{display:block}}" if empty else "")


def _footer(shown: View) -> str:
    text = css_string(one_line(f"{shown.decision} · {shown.title}", 120))
    return (
        f'@page{{@bottom-left{{content:{text}}}@bottom-right{{content:counter(page) " / " counter(pages)}}}}'
    )


def css_string(text: str) -> str:
    """Return text as a CSS string in which every character but letters and digits is an escape."""
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text) + '"'
