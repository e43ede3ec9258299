"""Target files: `targets/prod.toml` -> `Target`, typed, with secrets by reference."""

from pytest_deploycheck.target.load import TargetError, find, load
from pytest_deploycheck.target.model import Target

__all__ = ["Target", "TargetError", "find", "load"]
