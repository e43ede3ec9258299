"""What an alert's expression needs in order to fire: which of its selectors must have series.

A rule over a metric that does not exist is healthy and inactive for ever. But not every selector without
series is a mistake: `absent(x)` waits for just that, of `a or b` one will do, `a unless b` wants no b, and
`{status=~"5.."}` selects nothing as long as nothing fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.promql import PromQL, duration, quoted
from pytest_deploycheck.verdict import Reason

OUTCOMES = frozenset(
    "status status_code statuscode code http_code http_status http_status_code response_code status_class "
    "grpc_code grpc_status level severity outcome result reason error error_type exception state phase "
    "condition event event_type cause failure alertstate success".split()
)
"""Labels that say how something went: a value that did not occur yet is no mistake, a missing label is."""
_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_BATCH_CHARACTERS = 4000  # of a query; URLs beyond 8 kB are refused by many servers


@dataclass(frozen=True)
class Matcher:
    """One label matcher."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.label}{self.operator}{quoted(self.value)}"


@dataclass(frozen=True)
class Selector:
    """A vector selector without range and offset; as text it is PromQL again."""

    name: str
    matchers: tuple[Matcher, ...]

    def __str__(self) -> str:
        inside = ", ".join(map(str, self.matchers))
        return f"{self.name}{{{inside}}}" if inside else self.name

    def without_outcomes(self) -> Selector | None:
        """Return the same with any outcome, whose labels must still be there; None when it names none."""
        if not any(matcher.label in OUTCOMES for matcher in self.matchers):
            return None
        kept = tuple(Matcher(m.label, "!=", "") if m.label in OUTCOMES else m for m in self.matchers)
        return Selector(self.name, tuple(dict.fromkeys(kept)))


@dataclass(frozen=True)
class Need:
    """What must have series: one selector, all of some needs, or any of them."""

    selector: Selector | None = None
    parts: tuple[Need, ...] = ()
    any: bool = False

    def selectors(self) -> Iterator[Selector]:
        """Yield every selector in it."""
        if self.selector is not None:
            yield self.selector
        for part in self.parts:
            yield from part.selectors()

    def dead(self, has_series: Callable[[Selector], bool]) -> list[Selector]:
        """Return the selectors for want of which the expression can never give anything."""
        if self.selector is not None:
            return [] if has_series(self.selector) else [self.selector]
        lacking = [part.dead(has_series) for part in self.parts if any(True for _ in part.selectors())]
        if self.any and not all(lacking):
            return []
        return list(dict.fromkeys(selector for found in lacking for selector in found))


def parse(query: str) -> Any | None:
    """Return the tree of an expression, or None when the parser does not know its language."""
    try:
        import promql_parser
    except ImportError:
        raise CannotLook(
            Reason.NO_ACCESS,
            "promql-parser is not installed here; pip install 'pytest-deploycheck[monitoring]'",
        ) from None
    try:
        return promql_parser.parse(query)
    except ValueError:
        return None


def normal(query: str) -> str:
    """Return an expression in one spelling, whoever wrote its spaces, numbers and clauses."""
    tree = parse(query)
    return str(tree.prettify()) if tree is not None else " ".join(query.split())


def need(node: Any) -> Need:
    """Return what an expression tree needs."""
    kind = type(node).__name__
    if kind == "VectorSelector":
        return Need(_selector(node))
    if kind == "MatrixSelector":
        return need(node.vector_selector)
    if kind == "Call" and node.func.name in ("absent", "absent_over_time"):
        return Need()
    if kind == "BinaryExpr":
        operator = str(node.op)
        if operator == "unless":
            return need(node.lhs)
        return Need(parts=(need(node.lhs), need(node.rhs)), any=operator == "or")
    children = [getattr(node, name, None) for name in ("expr", "param")]
    children += getattr(node, "args", None) or ()
    return Need(parts=tuple(need(child) for child in children if child is not None))


def _selector(node: Any) -> Selector:
    name = str(node.name or "")
    matchers = tuple(
        Matcher(str(m.name), _OPERATORS.get(str(m.op).rpartition(".")[2], "="), str(m.value))
        for m in node.matchers.matchers
        if not (name and m.name == "__name__")
    )
    return Selector(name, matchers)


def count(prom: PromQL, selectors: Sequence[Selector], window_s: float) -> dict[Selector, int]:
    """Return how many series each selector had within the window; many are asked for in one query."""
    found = dict.fromkeys(selectors, 0)
    numbered = list(enumerate(found))
    while numbered:
        batch, size = [], 0
        while numbered and size < _BATCH_CHARACTERS:
            number, selector = numbered.pop(0)
            inner = f"count(last_over_time({selector}[{duration(window_s)}]))"
            batch.append(f'label_replace({inner}, "dc", "{number}", "", "")')
            size += len(batch[-1])
        by_number = {sample.label("dc"): int(sample.value) for sample in prom.instant(" or ".join(batch))}
        found |= {s: by_number[str(n)] for n, s in enumerate(found) if str(n) in by_number}
    return found


def alive(prom: PromQL, selectors: Sequence[Selector], window_s: float) -> dict[Selector, int]:
    """Return the series of each selector; one that is only quiet counts those it could have had.

    A negative number says that: minus the series with any other outcome.
    """
    counts = count(prom, selectors, window_s)
    wider = {s: w for s in selectors if not counts[s] and (w := s.without_outcomes()) is not None}
    could = count(prom, list(wider.values()), window_s)
    return counts | {selector: -could[wide] for selector, wide in wider.items()}
