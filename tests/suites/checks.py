"""The suites' checks as plain functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tests.faults.harness import SUITES, _functions, _module


@cache
def suite(name: str) -> dict[str, Callable[..., None]]:
    """Return the test functions of a file below suites/, such as "post_deploy/test_performance.py"."""
    return {function.__name__: function for function in _functions(_module(SUITES / name))}
