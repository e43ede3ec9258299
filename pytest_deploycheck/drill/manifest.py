"""Releases as a drill knows them: the one before by its manifest, the present one by the target file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_deploycheck import safe_json
from pytest_deploycheck.drill.record import Manifest

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target


def manifest(target: Target) -> Manifest:
    """Read the manifest of the release before; ValueError says what is wrong with it."""
    name = target.rollback.manifest
    if not name:
        raise ValueError(f"no rollback.manifest in {target.path.name}; add it")
    try:
        return Manifest.model_validate(safe_json.loads(target.file(name).read_bytes()))
    except OSError as error:
        raise ValueError(f"rollback.manifest {name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"rollback.manifest {name}: {' '.join(str(error).split())[:160]}") from None


def present(target: Target) -> Manifest:
    """Return the release that the target file says runs."""
    return Manifest(
        version=target.release.version,
        commit=target.release.commit,
        images=dict(target.release.images),
        contract=target.contract.address,
    )
