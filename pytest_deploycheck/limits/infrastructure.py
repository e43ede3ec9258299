"""Limits of pre_deploy: infrastructure."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class InfrastructureLimits(Numbers):
    """Limits of pre_deploy: infrastructure."""

    host_min_mem_bytes: int = limit(
        3_865_470_566, "bytes", "checklist: 4 GB, less 10 % that firmware and kernel keep (own)"
    )
    host_min_cpus: float = limit(2, "cores", "checklist")
    host_min_disk_bytes: float = limit(
        46.5e9, "bytes", "checklist: 50 GB, less 7 % that a file system keeps (own)"
    )
    host_min_free: float = limit(0.2, "ratio", "own: of bytes and of inodes")
