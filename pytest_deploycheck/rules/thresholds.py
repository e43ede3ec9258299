"""An alert's criterion in plain terms: what it compares with, and over which windows it looks.

`sum(rate(a[1h])) / sum(rate(b[1h])) > 14.4 * 0.001` compares with `> 0.0144` over 3600 s. So a plan may say
`when = "> 0.0144"`, `over = ["1h"]`, and the rule may be written in any way that means the same.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
_MIRRORED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "%": math.fmod,
}
_WHEN = re.compile(r"\s*(==|!=|>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(%?)\s*")


@dataclass(frozen=True)
class Criterion:
    """Comparisons with numbers, as (operator, number), and windows in seconds, each in ascending order.

    ratios: of comparisons that fire above a number and divide something, the number and the windows below it; a
    guard such as `rate(requests[1h]) > 0` is none of them.
    """

    compares: tuple[tuple[str, float], ...]
    windows_s: tuple[float, ...]
    ratios: tuple[tuple[float, tuple[float, ...]], ...] = ()


def comparison(text: str) -> tuple[str, float] | None:
    """Read `> 0.0144` or `> 1.44 %`; None for what is no comparison."""
    found = _WHEN.fullmatch(text)
    if found is None:
        return None
    return found[1], float(found[2]) / (100 if found[3] else 1)


def criterion(tree: Any, recorded: Callable[[str], Any | None] = lambda name: None) -> Criterion:
    """Return what an expression's tree compares, and its windows; `recorded` gives the trees of recording rules."""
    compares: set[tuple[str, float]] = set()
    ratios: set[tuple[float, tuple[float, ...]]] = set()
    for node in _walk(tree, recorded, 4):
        if type(node).__name__ != "BinaryExpr" or str(node.op) not in _COMPARISONS:
            continue
        left, right = constant(node.lhs), constant(node.rhs)
        if (left is None) is (right is None):
            continue
        side = node.lhs if left is None else node.rhs
        operator_, number = (str(node.op), right) if left is None else (_MIRRORED[str(node.op)], left)
        assert number is not None  # just one side is none
        compares.add((operator_, number))
        if operator_ in (">", ">=") and _divides(side, recorded):
            ratios.add((number, _windows(side, recorded)))
    return Criterion(tuple(sorted(compares)), _windows(tree, recorded), tuple(sorted(ratios)))


def _windows(tree: Any, recorded: Callable[[str], Any | None]) -> tuple[float, ...]:
    kinds = ("MatrixSelector", "SubqueryExpr")
    found = (node for node in _walk(tree, recorded, 4) if type(node).__name__ in kinds)
    return tuple(sorted({float(node.range.total_seconds()) for node in found}))


def _divides(tree: Any, recorded: Callable[[str], Any | None]) -> bool:
    nodes = _walk(tree, recorded, 4)
    return any(type(node).__name__ == "BinaryExpr" and str(node.op) == "/" for node in nodes)


def constant(node: Any) -> float | None:
    """Return the value of an expression of numbers only; None for any other."""
    kind = type(node).__name__
    if kind == "NumberLiteral":
        return float(node.val)
    if kind == "ParenExpr":
        return constant(node.expr)
    if kind == "UnaryExpr":
        inner = constant(node.expr)
        return None if inner is None else -inner
    if kind == "Call" and node.func.name in ("scalar", "vector") and node.args:
        return constant(node.args[0])
    if kind == "BinaryExpr" and str(node.op) in _ARITHMETIC:
        left, right = constant(node.lhs), constant(node.rhs)
        if left is None or right is None:
            return None
        try:
            return _ARITHMETIC[str(node.op)](left, right)
        except (ZeroDivisionError, OverflowError, ValueError):
            return None
    return None


def _walk(node: Any, recorded: Callable[[str], Any | None], depth: int) -> Iterator[Any]:
    yield node
    kind = type(node).__name__
    if kind == "VectorSelector" and depth and (other := recorded(str(node.name or ""))) is not None:
        yield from _walk(other, recorded, depth - 1)
    children = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "param", "vector_selector")]
    args = getattr(node, "args", None)
    children += list(args) if args else []
    for child in children:
        if child is not None:
            yield from _walk(child, recorded, depth)


def same(first: tuple[str, float], second: tuple[str, float]) -> bool:
    """Whether two comparisons are the same, up to the rounding of a product."""
    return first[0] == second[0] and math.isclose(first[1], second[1], rel_tol=1e-9, abs_tol=1e-12)
