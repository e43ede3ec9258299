"""Every fault: importing this imports each module of the folder, and each registers its own."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from tests.faults.harness import FAULTS

NOT_FAULTS = ("catalog", "harness", "ledgers", "tools", "matrix")

for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if found.name not in NOT_FAULTS and not found.name.startswith("test_"):
        importlib.import_module(f"tests.faults.{found.name}")

__all__ = ["FAULTS"]
