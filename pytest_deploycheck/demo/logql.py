"""The part of LogQL that the Loki stand-in understands: selectors, line filters, json, label filters, counts.

{service="app1", env!~"dev|test"} |= "nonce" != "health" | json | status >= 500
sum by (service) (count_over_time({service=~"app.*"} | json | level="error" [10m]))
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Labels = dict[str, str]
Stage = Callable[[str, Labels], Labels | None]  # line, labels -> labels, or None to drop the line

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<duration>\d+(?:\.\d+)?(?:ms|[smhdw]))(?![\w.])
    |(?P<number>-?\d+(?:\.\d+)?)|(?P<op>\|=|\|~|!=|!~|=~|==|>=|<=|=|>|<|[{}()\[\],|])|(?P<name>[A-Za-z_]\w*))""",
    re.VERBOSE,
)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_RANGE_FUNCTIONS = ("count_over_time", "rate", "bytes_over_time", "bytes_rate")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
}


class ParseError(ValueError):
    """The query is not understood; the message has Loki's form."""


@dataclass(frozen=True)
class LogQuery:
    """A selector and the stages that its lines go through."""

    matchers: tuple[tuple[str, str, str], ...]  # label, operator, value
    stages: tuple[Stage, ...] = ()

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether a stream's labels match; an absent label counts as empty."""
        return all(_matches(labels.get(name, ""), op, value) for name, op, value in self.matchers)

    def process(self, line: str, labels: Labels) -> Labels | None:
        """Return the labels of a line after all stages, or None when a filter drops it."""
        for stage in self.stages:
            kept = stage(line, labels)
            if kept is None:
                return None
            labels = kept
        return labels


@dataclass(frozen=True)
class MetricQuery:
    """A count over a sliding range, optionally summed by labels."""

    function: str
    log: LogQuery
    range_s: float
    by: tuple[str, ...] | None = None  # None: one series for each label set; (): one series in all


def parse(text: str) -> LogQuery | MetricQuery:
    """Parse a query; ParseError says where it stopped making sense."""
    return _Parser(text).query()


@dataclass
class _Parser:
    text: str
    tokens: list[tuple[str, str, int]] = field(default_factory=list)
    at: int = 0

    def __post_init__(self) -> None:
        position = 0
        while position < len(self.text.rstrip()):
            match = _TOKEN.match(self.text, position)
            if match is None:
                raise self._error(self.text[position:].strip()[:20], position)
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
            position = match.end()

    def query(self) -> LogQuery | MetricQuery:
        parsed: LogQuery | MetricQuery = self._log() if self._peek() == "{" else self._metric()
        if self.at < len(self.tokens):
            raise self._unexpected()
        return parsed

    def _metric(self) -> MetricQuery:
        if self._peek() != "sum":
            return self._range(None)
        self._next()
        by = self._by() if self._peek() == "by" else None
        self._expect("(")
        inner = self._range(())
        self._expect(")")
        if by is None:
            by = self._by() if self._peek() == "by" else ()
        return MetricQuery(inner.function, inner.log, inner.range_s, by)

    def _by(self) -> tuple[str, ...]:
        self._expect("by")
        self._expect("(")
        names = []
        while self._peek() != ")":
            names.append(self._kind("name"))
            if self._peek() == ",":
                self._next()
        self._expect(")")
        return tuple(names)

    def _range(self, by: tuple[str, ...] | None) -> MetricQuery:
        function = self._kind("name")
        if function not in _RANGE_FUNCTIONS:
            raise self._error(function, 0)
        self._expect("(")
        log = self._log()
        self._expect("[")
        range_s = seconds(self._kind("duration"))
        self._expect("]")
        self._expect(")")
        return MetricQuery(function, log, range_s, by)

    def _log(self) -> LogQuery:
        self._expect("{")
        matchers = []
        while self._peek() != "}":
            name, op = self._kind("name"), self._kind("op")
            if op not in ("=", "!=", "=~", "!~"):
                raise self._error(op, self.tokens[self.at - 1][2])
            matchers.append((name, op, self._string()))
            if self._peek() == ",":
                self._next()
        self._expect("}")
        if not any(not _matches("", op, value) for _, op, value in matchers):
            raise ParseError(
                "parse error : queries require at least one regexp or equality matcher that does not have an "
                'empty-compatible value. For instance, app=~".*" does not meet this requirement'
            )
        stages: list[Stage] = []
        while (sign := self._peek()) in ("|=", "|~", "!=", "!~", "|"):
            self._next()
            stages.append(self._stage() if sign == "|" else _line_filter(str(sign), self._string()))
        return LogQuery(tuple(matchers), tuple(stages))

    def _stage(self) -> Stage:
        name = self._kind("name")
        if name == "json":
            return _json_stage
        op = self._kind("op")
        kind, value, _ = self._next()
        if kind == "string" and op in ("=", "==", "!=", "=~", "!~"):
            wanted = _unquote(value)
            return lambda _, labels: labels if _matches(labels.get(name, ""), op, wanted) else None
        if kind == "number" and op in _COMPARE:
            return _number_filter(name, op, float(value))
        raise self._error(value, self.tokens[self.at - 1][2])

    def _peek(self) -> str | None:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def _next(self) -> tuple[str, str, int]:
        if self.at >= len(self.tokens):
            raise self._unexpected()
        self.at += 1
        return self.tokens[self.at - 1]

    def _kind(self, kind: str) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != kind:
            raise self._unexpected()
        return self._next()[1]

    def _string(self) -> str:
        return _unquote(self._kind("string"))

    def _expect(self, token: str) -> None:
        if self._peek() != token:
            raise self._unexpected()
        self.at += 1

    def _unexpected(self) -> ParseError:
        if self.at >= len(self.tokens):
            return self._error("$end", len(self.text))
        return self._error(self.tokens[self.at][1], self.tokens[self.at][2])

    def _error(self, found: str, position: int) -> ParseError:
        return ParseError(f"parse error at line 1, col {position + 1}: syntax error: unexpected {found}")


def seconds(duration: str) -> float:
    """Seconds of a duration such as 250ms, 10m or 1h; ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|[smhdw])", duration)
    if match is None:
        raise ValueError(f"not a valid duration: {duration!r}")
    return float(match[1]) * _SECONDS[match[2]]


def _unquote(token: str) -> str:
    return token[1:-1] if token.startswith("`") else str(json.loads(token))


def _matches(value: str, op: str, wanted: str) -> bool:
    if op in ("=", "=="):
        return value == wanted
    if op == "!=":
        return value != wanted
    found = re.fullmatch(wanted, value) is not None
    return found if op == "=~" else not found


def _line_filter(op: str, wanted: str) -> Stage:
    if op in ("|=", "!="):
        return lambda line, labels: labels if (wanted in line) == (op == "|=") else None
    pattern = re.compile(wanted)
    return lambda line, labels: labels if bool(pattern.search(line)) == (op == "|~") else None


def _number_filter(name: str, op: str, wanted: float) -> Stage:
    def keep(_: str, labels: Labels) -> Labels | None:
        try:
            return labels if _COMPARE[op](float(labels[name]), wanted) else None
        except (KeyError, ValueError):
            return None

    return keep


def _json_stage(line: str, labels: Labels) -> Labels:
    """Add the scalar members of a JSON line as labels; a line that is none is marked, as Loki does."""
    try:
        members = json.loads(line)
    except ValueError:
        return {**labels, "__error__": "JSONParserErr"}
    if not isinstance(members, dict):
        return {**labels, "__error__": "JSONParserErr"}
    found = {}
    for name, value in members.items():
        if isinstance(value, (str, int, float)):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found[f"{name}_extracted" if name in labels else name] = text
    return {**labels, **found}
