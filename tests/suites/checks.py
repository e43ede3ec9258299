"""The suites' checks as plain functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tests.faults.harness import SUITES, _functions, _module


@cache
def suite(name: str) -> dict[str, Callable[..., None]]:
    """Return the test functions of a section's files, such as "post_deploy/test_security.py" and what goes with it.

    What goes with it is in depth: test_security_authz.py, test_security_cert.py and so on.
    """
    path = SUITES / name
    files = [path, *sorted(path.parent.glob(f"{path.stem}_*.py"))]
    return {function.__name__: function for file in files for function in _functions(_module(file))}
