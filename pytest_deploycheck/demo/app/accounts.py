"""The accounts that a new deployment is seeded with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """One seeded user; the wallet has the same number."""

    id: int
    username: str
    role: str  # "user" or "admin"
    secret: str  # name of the deployment's secret that holds the password


ACCOUNTS = (
    Account(1, "test", "user", "test_account_password"),
    Account(2, "test_b", "user", "test_account_b_password"),
    Account(3, "canary", "user", "canary_account_password"),
    Account(4, "admin", "admin", "admin_account_password"),
    Account(5, "traffic", "user", "traffic_account_password"),
)


def account(username: str) -> Account:
    """Find a seeded account by its name; KeyError when there is none."""
    for candidate in ACCOUNTS:
        if candidate.username == username:
            return candidate
    raise KeyError(f"no seeded account {username!r}; there are {[one.username for one in ACCOUNTS]}")
