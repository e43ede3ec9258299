"""Where Alertmanager sends an alert: its routing tree walked as it walks it.

Source: Alertmanager's documentation, "route" and "matchers": the first matching child takes the alert, with
`continue` the next ones are tried as well; where no child matches, the route itself takes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MATCHER = re.compile(r'\s*([a-zA-Z_][\w]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^,}"]*))\s*(?:,|$)')


class BadMatcher(Exception):
    """A matcher that is not understood; the message shows it."""


@dataclass(frozen=True)
class Matcher:
    """One condition on a label; a label that is not there is the empty one."""

    label: str
    operator: str
    value: str

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels meets it; expressions must match the whole value."""
        found = labels.get(self.label, "")
        if self.operator in ("=", "!="):
            return (found == self.value) is (self.operator == "=")
        try:
            return (re.fullmatch(self.value, found) is not None) is (self.operator == "=~")
        except re.error:
            raise BadMatcher(
                f"{self.label}{self.operator}{self.value!r} is no expression known here"
            ) from None


def matchers(route: Mapping[str, Any]) -> Iterator[Matcher]:
    """Yield a route's conditions, in the old notation and in the new one."""
    for label, value in (route.get("match") or {}).items():
        yield Matcher(str(label), "=", str(value))
    for label, value in (route.get("match_re") or {}).items():
        yield Matcher(str(label), "=~", str(value))
    for text in route.get("matchers") or ():
        yield from parse(str(text))


def parse(text: str) -> list[Matcher]:
    """Return the matchers of one string, such as `severity=~"critical|page"` or `{a="b", c!="d"}`."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    found, at = [], 0
    inner = inner.strip()
    while at < len(inner):
        match = _MATCHER.match(inner, at)
        if match is None:
            raise BadMatcher(f"matcher {text!r} is not understood")
        label, operator, quoted, plain = match.groups()
        value = (
            re.sub(r'\\(["\\n])', lambda m: "\n" if m[1] == "n" else m[1], quoted or "")
            or (plain or "").strip()
        )
        found.append(Matcher(label, operator, value))
        at = match.end()
    return found


def receivers(route: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Return the receivers of an alert below a route, outermost defaults included; empty when it does not match."""
    return _walk(route, labels, "", root=True)


def _walk(
    route: Mapping[str, Any], labels: Mapping[str, str], above: str, *, root: bool = False
) -> list[str]:
    if not root and not all(one.holds(labels) for one in matchers(route)):
        return []
    name = str(route.get("receiver") or above)
    found: list[str] = []
    for child in route.get("routes") or ():
        taken = _walk(child, labels, name)
        found += taken
        if taken and not child.get("continue"):
            break
    return found or [name]


def integrations(config: Mapping[str, Any]) -> dict[str, int]:
    """Return how many integrations each receiver has; one without any drops what it gets."""
    return {
        str(receiver.get("name", "")): sum(
            len(value or ()) for key, value in receiver.items() if str(key).endswith("_configs")
        )
        for receiver in config.get("receivers") or ()
    }
