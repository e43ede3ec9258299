"""The probes; `every` lists them. They are imported when the first run looks, since that takes longer than pytest's start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_deploycheck.observe import Probe


def registry() -> dict[str, Probe]:
    """Return our probes by name."""
    from pytest_deploycheck.probes.every import PROBES

    return {probe.name: probe for probe in PROBES}
