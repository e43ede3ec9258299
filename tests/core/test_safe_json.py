"""JSON from somebody else: deep nesting is refused, and nothing else is."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from pytest_deploycheck import safe_json


@pytest.fixture
def raised_limit() -> Iterator[None]:
    """Raise the interpreter's limit, as libraries do, so that the decoder itself would not stop."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10_240)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 600 + "]" * 600, b"[" * 100_000])
@pytest.mark.usefixtures("raised_limit")
def test_deep_nesting_is_refused(text: str | bytes) -> None:
    """It ends in an error and not in the end of the process."""
    with pytest.raises(safe_json.TooDeep, match="500 levels"):
        safe_json.loads(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[" * 400 + "]" * 400, None),
        ('["' + "[" * 5000 + '"]', ["[" * 5000]),
        ('["\\"' + "{" * 5000 + '"]', ['"' + "{" * 5000]),
        (b'{"a": [1, 2]}', {"a": [1, 2]}),
        ("[" + "[]," * 5000 + "[]]", [[]] * 5001),
    ],
)
def test_everything_else_is_read(text: str | bytes, value: object) -> None:
    """Brackets in strings, and many beside each other, are no nesting."""
    found = safe_json.loads(text)
    assert value is None or found == value
