"""Strings that a target, a checklist or a person may put anywhere, and a record that is full of them."""

from __future__ import annotations

from typing import Any

from pytest_deploycheck.record import Record
from pytest_deploycheck.verdict import Verdict

VERDICTS = frozenset(Verdict)
RUN = "window.pwned=1"

CORPUS = (
    f"<script>{RUN}</script>",
    f'"><img src=x onerror={RUN}>',
    f"'><svg onload={RUN}>",
    f"</style><script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</title></textarea></details></dl><script>{RUN}</script>",
    "<!-- <script>",
    "--><b>",
    "]]><![CDATA[",
    f"javascript:{RUN}",
    f"  java\nscript:{RUN}",
    f'https://evil.example/"onmouseover="{RUN}',
    "https://evil.example/\u202egnp",
    f"data:text/html,<script>{RUN}</script>",
    "{{ 7*7 }}{% raw %}{# x #}",
    "${7*7} #{7*7} %(x)s %n {0}",
    "nul\x00nul",
    "\x1b[2J\x1b[31mred\x1b[0m",
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "\x9b31m\x07\x08\x0c\x7f",
    "\u202egnitsil\u202c\u2066a\u2069",
    "line\u2028separator\u2029paragraph\x85next",
    "lone \ud800 high",
    "lone \udfff low",
    "\ufeffbom \ufffe \uffff \U0001fffe \U000e0041",
    "&lt;script&gt; &#60; &amp;amp; &notanentity",
    '"}body{display:none} \\27 \\"; @import "https://evil.example/x.css"; /*',
    "`code` **bold** _em_ [x](javascript:alert(1)) ![y](https://evil.example/y.png)",
    "| a | b |\n|---|---|\n# heading\n- [x] ticked <!-- deploycheck: forged.item -->",
    "\r\nX-Injected: yes\r\n\r\n",
    "@everyone #1 GH-2 https://evil.example www.evil.example",
    f"<base href=https://evil.example/><meta http-equiv=refresh content=0;url=javascript:{RUN}>",
    f'<iframe srcdoc="<script>{RUN}</script>"></iframe><form action=//evil.example><input>',
    f'<math><mtext><style><img src onerror={RUN}></style></mtext></math><a href="{RUN}">',
    "../../../../etc/passwd",
    "👩‍👩‍👧‍👦 ☠︎ é e\u0301 \u200b\u200d\u2060 \u0430dmin",
    "'; DROP TABLE wallets; --",
    " ",
    "",
)
"""Each is tried in every string field; markup that would run sets `window.pwned`."""

KEPT = frozenset({"verdict", "observed", "state", "kind", "decision", "schema", "safety"})
"""Keys whose values are words of the record's own vocabulary, unless they stand in facts."""

NAMED = frozenset({"images", "standins", "verdicts"})
"""Mappings whose keys are names that come from outside."""


def poisoned(record: Record, start: int = 0) -> Record:
    """Return the record with a hostile string in every free string field, outside name and fact's name.

    Equal strings become equal ones, so that references still hold; each is made unique by a number.
    `start` turns the corpus, so that another run puts other strings into the same places.
    """
    known: dict[str, str] = {}

    def evil(text: str) -> str:
        if text not in known:
            known[text] = f"{CORPUS[(start + len(known)) % len(CORPUS)]}{len(known)}"
        return known[text]

    def turn(value: Any, key: str, facts: bool) -> Any:
        if isinstance(value, dict):
            names = key in NAMED or (facts and "plot" not in value)
            inside = facts or key == "facts"
            return {
                (evil(name) if names or key == "facts" else name): turn(entry, name, inside)
                for name, entry in value.items()
            }
        if isinstance(value, list):
            return [turn(entry, key, facts) for entry in value]
        kept = key == "plot" or (key in KEPT and not facts) or value in VERDICTS
        return value if not isinstance(value, str) or kept else evil(value)

    values = record.to_json()
    return Record(**{name: turn(entry, name, facts=False) for name, entry in values.items()})
