"""Catalogues of backups, as three tools print them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_deploycheck.probes.backup_catalogue import BadCatalogue, dumps, pgbackrest, restic

STANZA: dict[str, Any] = {
    "name": "main",
    "cipher": "aes-256-cbc",
    "db": [{"id": 1, "repo-key": 1, "system-id": 7412345678901234567, "version": "15"}],
    "repo": [
        {"cipher": "aes-256-cbc", "key": 1, "status": {"code": 0, "message": "ok"}},
        {"cipher": "none", "key": 2, "status": {"code": 0, "message": "ok"}},
    ],
    "status": {"code": 0, "message": "ok", "lock": {"backup": {"held": False}}},
    "backup": [
        {
            "label": "20261124-080000F",
            "type": "full",
            "error": False,
            "timestamp": {"start": 1795420800, "stop": 1795420860},
            "info": {"size": 1000, "delta": 1000, "repository": {"size": 100, "delta": 100}},
            "database": {"id": 1, "repo-key": 1},
            "lsn": {"start": "0/2000028", "stop": "0/2000100"},
        },
        {
            "label": "20261124-090000F",
            "type": "full",
            "error": True,
            "timestamp": {"start": 1795424400, "stop": 1795424460},
            "info": {"size": 1000},
            "database": {"id": 1, "repo-key": 2},
        },
    ],
}


def test_pgbackrest() -> None:
    """Backups go to the repository of their key; errors, times, sizes and the cluster are told."""
    found, sections = pgbackrest(json.dumps([STANZA]), "main", {"1": "near", "2": "far"})
    assert [(one.repo, one.label, one.error) for one in found] == [
        ("near", "20261124-080000F", False),
        ("far", "20261124-090000F", True),
    ]
    assert found[0].ended_at == "2026-11-23T08:01:00+00:00"
    assert found[0].cluster == "7412345678901234567"
    assert (sections["near"]["cipher"], sections["far"]["cipher"]) == ("aes-256-cbc", "none")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "no stanza"),
        ("{}", "no list"),
        ("ERROR: [055]", "no JSON"),
        (
            json.dumps([{**STANZA, "status": {"code": 1, "message": "missing stanza path"}}]),
            "missing stanza path",
        ),
    ],
)
def test_no_catalogue(text: str, why: str) -> None:
    """What is none is said so, and is not an empty one."""
    with pytest.raises(BadCatalogue, match=why):
        pgbackrest(text, "main", {"1": "near"})


def test_restic() -> None:
    """Times have nanoseconds and zones; tags name the cluster; old versions know no size."""
    snapshots = [
        {
            "time": "2026-11-24T09:00:00.123456789+01:00",
            "tree": "a",
            "paths": ["/srv/dump"],
            "hostname": "db",
            "tags": ["predeploy", "cluster-7412"],
            "id": "0123456789abcdef",
            "short_id": "01234567",
        },
        {
            "time": "2026-11-24T08:00:00Z",
            "id": "fedcba9876543210",
            "tags": None,
            "summary": {"total_bytes_processed": 5},
        },
    ]
    first, second = restic(json.dumps(snapshots), "near")
    assert (first.label, first.cluster, first.tags, first.size_bytes) == (
        "01234567",
        "7412",
        ("predeploy", "cluster-7412"),
        None,
    )
    assert first.ended_at == "2026-11-24T08:00:00.123456+00:00"
    assert (second.label, second.size_bytes, second.tags) == ("fedcba98", 5, ())


@pytest.mark.parametrize("text", ["[]", "null"])
def test_an_empty_repository(text: str) -> None:
    """Both ways in which versions of restic say that there is nothing."""
    assert list(restic(text, "near")) == []


def test_dumps() -> None:
    """Files of a folder: an empty one is a failed dump, folders are none."""
    text = (
        "total 12\n"
        "-rw-r----- 1 backup backup 2048 1795420800 shop-cluster-7412.dump\n"
        "-rw-r----- 1 backup backup 0 1795424400 shop broken.dump\n"
        "drwxr-x--- 2 backup backup 4096 1795424400 old\n"
    )
    whole, broken = dumps(text, "near")
    assert (whole.cluster, whole.size_bytes, whole.error) == ("7412", 2048, False)
    assert (broken.label, broken.error) == ("shop broken.dump", True)
