"""Until when operating systems get free security updates.

Sources: Debian's package distro-info-data 0.58 (Debian to the end of LTS, Ubuntu to the end of standard support);
for the others dates that their publishers announced, as we knew them in 2025.
"""

from __future__ import annotations

_ENDS: dict[str, dict[str, str]] = {
    "debian": {
        **{"9": "2022-07-01", "10": "2024-06-30", "11": "2026-08-31"},
        **{"12": "2028-06-30", "13": "2030-06-30"},
    },
    "ubuntu": {
        **{"16.04": "2021-04-30", "18.04": "2023-05-31", "20.04": "2025-05-29", "22.04": "2027-06-01"},
        **{"23.04": "2024-01-25", "23.10": "2024-07-11", "24.04": "2029-05-31", "24.10": "2025-07-10"},
        **{"25.04": "2026-01-15", "25.10": "2026-07-09", "26.04": "2031-05-29", "26.10": "2027-07-15"},
    },
    "rhel": {"7": "2024-06-30", "8": "2029-05-31", "9": "2032-05-31", "10": "2035-05-31"},
    "rocky": {"8": "2029-05-31", "9": "2032-05-31", "10": "2035-05-31"},
    "almalinux": {"8": "2029-03-01", "9": "2032-05-31", "10": "2035-05-31"},
    "ol": {"7": "2024-12-31", "8": "2029-07-31", "9": "2032-06-30"},
    "centos": {"6": "2020-11-30", "7": "2024-06-30", "8": "2024-05-31", "9": "2027-05-31"},
    "amzn": {"1": "2023-12-31", "2018.03": "2023-12-31", "2": "2026-06-30", "2023": "2029-06-30"},
    "alpine": {
        **{"3.17": "2024-11-22", "3.18": "2025-05-09", "3.19": "2025-11-01", "3.20": "2026-04-01"},
        **{"3.21": "2026-11-01", "3.22": "2027-05-01"},
    },
}


def ends(system: str, version: str) -> str:
    """Return the last day of free security updates (ISO 8601), empty where the table does not know it.

    system, version: ID and VERSION_ID of os-release(5); a version counts by its longest known beginning.
    """
    known = _ENDS.get(system.lower(), {})
    parts = version.split(".")
    candidates = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((known[name] for name in candidates if name in known), "")
