"""How things are said: one wording of verdicts, times and quantities for every report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pytest_deploycheck.decision import Decision
from pytest_deploycheck.verdict import Verdict

MEANING: Mapping[str, str] = {
    "failed": "seen, and wrong",
    "error": "the check or its probe has a bug",
    "unproven": "could not be seen",
    "blocked": "a prerequisite is dead; the item that owns it carries the failure",
    "not_run": "no test ran and no claim covers it",
    "waived": "failed, and accepted for a while",
    "pending": "its time window has not opened",
    "not_applicable": "declared out of scope here",
    "passed": "seen and right, or vouched for by the right role",
}

REASONS: Mapping[str, str] = {
    "no_config": "not configured",
    "no_access": "no access",
    "no_evidence": "no evidence",
    "stale": "evidence too old",
    "unsigned": "not signed",
    "no_traffic": "no traffic",
    "timeout": "no answer in time",
    "unparseable": "answer not readable",
    "not_allowed": "not allowed in this run",
    "attested": "attested",
}

SYMBOLS: Mapping[str, str] = {
    "failed": "✗",
    "error": "!",
    "unproven": "?",
    "blocked": "⊘",
    "not_run": "○",
    "waived": "≈",
    "pending": "◷",
    "not_applicable": "–",  # noqa: RUF001 - a dash is meant
    "passed": "✓",
}
"""One character for each verdict where there is no room for an icon; the word always stands beside it."""

RESULT: Mapping[str, str] = {
    Decision.GO: "PASSED",
    Decision.GO_WITH_WAIVERS: "WARNED",
    Decision.NO_GO: "FAILED",
    Decision.INCOMPLETE: "FAILED",
}
"""The in-toto test result of a decision: not everything proven is not passed."""

_UNITS = {
    "s": "s", "bytes": "bytes", "ms": "ms", "h": "h", "d": "d", "pct": "%", "wei": "wei", "bits": "bits", "blocks": "blocks",
    "rps": "requests/s",
}  # fmt: skip
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def verdict(name: str) -> str:
    """Return a verdict's word: `not_run` is "not run"."""
    return name.replace("_", " ")


def verdict_class(name: str) -> str:
    """Return a verdict as a style class; anything that is no verdict becomes `error`."""
    return name if name in tuple(Verdict) else "error"


def reason(name: str) -> str:
    """Return the words for a reason; a gate's name or anything else stays as it is."""
    return REASONS.get(name, name.replace("_", " "))


def moment(text: object) -> str:
    """Return an ISO 8601 time as `2026-11-24 04:02:10 UTC`; anything else unchanged."""
    try:
        parsed = datetime.fromisoformat(str(text))
        utc = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return str(text)
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: object) -> str:
    """Return seconds with a unit that fits: 840 µs, 41 ms, 9.41 s, 12 min 5 s, 51 h 2 min, 34 d 4 h."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds - seconds != 0:
        return str(seconds)
    size = abs(seconds)
    if size == 0:
        return "0 s"
    if size < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if size < 1:
        return f"{seconds * 1000:.3g} ms"
    if size < 120:
        return f"{seconds:.3g} s"
    sign = "-" if seconds < 0 else ""
    for unit, small, length in (("d", "h", 86400), ("h", "min", 3600), ("min", "s", 60)):
        if size >= (2 if unit == "d" else 1) * length:
            whole, rest = divmod(round(size), length)
            part = rest // {"h": 3600, "min": 60, "s": 1}[small]
            return f"{sign}{whole} {unit}" + (f" {part} {small}" if part else "")
    return f"{seconds:.3g} s"


def size(n: float) -> str:
    """Return bytes as `3.6 GiB`."""
    value = float(n)
    for unit in _SIZES:
        if abs(value) < 1024 or unit == _SIZES[-1]:
            return f"{value:.0f} B" if unit == "B" else f"{value:.4g} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def number(value: float) -> str:
    """Return a number without noise: at most six significant digits for fractions, integers whole."""
    if isinstance(value, int) or value - value != 0:
        return str(value)
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"


def label(name: str) -> tuple[str, str]:
    """Split a fact's name into words and the unit that its last part says.

    `p95_s` is ("p95", "s"), `requests_per_s` ("requests", "/s"), `growth_bytes_per_s` ("growth", "bytes/s").
    """
    counted, per, time = name.rpartition("_per_")
    if per and counted and time in _UNITS:
        words, unit = label(counted)
        return words, f"{unit}/{_UNITS[time]}"
    stem, _, last = name.rpartition("_")
    if stem and last == "n":
        return stem.replace("_", " "), ""
    if stem and last in _UNITS:
        return stem.replace("_", " "), _UNITS[last]
    return name.replace("_", " "), ""


def quantity(value: object, unit: str) -> str:
    """Return one plain value with its unit, in words where it has no other shape."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        if unit == "bytes":
            return size(value) if abs(value) < 1024 else f"{size(value)} ({value:.0f} bytes)"
        if unit.startswith("bytes/"):
            return f"{size(value)}{unit.removeprefix('bytes')}"
        if unit == "s":
            return duration(value)
        return f"{number(value)} {unit}".strip()
    text = str(value)
    if len(text) >= 19 and text[4:5] == "-" and text[10:11] in ("T", " "):
        return moment(text)
    return text


def plural(n: int, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 item`, `3 items`."""
    return f"{n} {one if n == 1 else many or one + 's'}"
