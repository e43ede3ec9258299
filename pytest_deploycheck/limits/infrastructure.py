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
    host_steal_max: float = limit(0.05, "ratio", "own: processor time that other guests of the machine took")
    host_steal_window_s: float = limit(5, "s", "own: two readings of the counters this far apart")
    host_containers_mem_max: float = limit(1.0, "ratio", "own: sum of memory limits over the memory there is")
    cert_stored_remaining_min: float = limit(
        0.25, "ratio", "own: ACME clients renew at a third of the lifetime"
    )
    cert_stored_left_min_s: float = limit(48 * 3600, "s", "own: time for a person to mend a failed renewal")
    cert_renewer_max_age_s: float = limit(
        25 * 3600, "s", "own: certbot asks for two runs a day, one is the least"
    )
    scan_timeout_s: float = limit(2, "s", "own: a port that says nothing for so long is silent")
    scan_tries: int = limit(2, "tries", "own: of ports that say nothing")
    scan_parallel: int = limit(50, "connections", "own: at the same time")
    docker_engine_min: int = limit(25, "major version", "own: older ones get no fixes from the project")
    docker_podman_min: int = limit(4, "major version", "own: the first with networks of its own")
    docker_compose_major_min: int = limit(2, "major version", "checklist: Compose, which v1 is no longer")
    docker_compose_minor_min: int = limit(
        21, "minor version of 2", "Compose 10918: from here on ps prints an object a line"
    )
    dns_ttl_max_s: float = limit(3600, "s", "own: at go-live, so that a mistake can be taken back")
    dns_resolvers_min: int = limit(2, "resolvers", "own: that answer")
    dns_servers_min: int = limit(2, "name servers", "RFC 1034 section 4.1: a zone has at least two")
    dns_expiry_min_d: float = limit(30, "days", "own: left of the domain's registration")
