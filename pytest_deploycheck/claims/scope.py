"""What each sign-off is over: items by pattern, and whose sign-offs must stand before it.

The scopes follow the titles of the roles in the default checklist; their assignment is our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

TECHNICAL = ("devops", "backend", "security", "qa")
BUSINESS = ("product", "operations", "compliance")


@dataclass(frozen=True)
class Scope:
    """Items that a role signs for, as patterns over their ids, and the roles that must have signed before."""

    patterns: tuple[str, ...]
    after: tuple[str, ...] = ()


SCOPES: Mapping[str, Scope] = {
    "devops": Scope(
        (
            *("pre_deploy.infrastructure.*", "pre_deploy.environment.*", "deploy.services.*"),
            *("deploy.database.*", "operations.backup.*", "operations.maintenance.*", "rollback.*"),
        )
    ),
    "backend": Scope(
        (
            *("post_deploy.functional.*", "post_deploy.performance.*", "deploy.code.tests"),
            *("deploy.database.migrations", "deploy.contract.*", "operations.documentation.api"),
        )
    ),
    "security": Scope(
        (
            *("pre_deploy.security.*", "post_deploy.security.*", "deploy.code.scan", "deploy.code.deps"),
            *("go_live.final.scans", "rollback.triggers.vuln"),
        )
    ),
    "qa": Scope(
        (
            *("deploy.code.tests", "post_deploy.functional.*", "post_deploy.performance.load"),
            "go_live.mobile.tested",
        )
    ),
    "product": Scope(
        (
            *("post_deploy.functional.token", "post_deploy.functional.wallet", "post_deploy.functional.auth"),
            *("go_live.mobile.*", "go_live.communication.stakeholders"),
        ),
        TECHNICAL,
    ),
    "operations": Scope(
        (
            *("post_deploy.monitoring.*", "operations.*", "go_live.communication.*", "go_live.final.green"),
            *("go_live.final.no_critical", "go_live.final.backups"),
        ),
        TECHNICAL,
    ),
    "compliance": Scope((), TECHNICAL),
    "techlead": Scope(
        ("pre_deploy.*", "deploy.*", "post_deploy.*", "operations.*", "go_live.*", "rollback.*"), TECHNICAL
    ),
    "pm": Scope(("go_live.*",), (*TECHNICAL, *BUSINESS)),
    "cto": Scope(
        ("pre_deploy.*", "deploy.*", "post_deploy.*", "operations.*", "go_live.*", "rollback.*"),
        (*TECHNICAL, *BUSINESS, "techlead", "pm"),
    ),
}
"""By role, in the order of signing."""

GREEN = ("passed", "not_applicable", "waived")
"""Verdicts that a sign-off may stand on."""


def items_of(role: str, items: Iterable[str]) -> list[str]:
    """Return the items of a checklist that a role signs for."""
    patterns = SCOPES[role].patterns
    return [item for item in items if any(fnmatchcase(item, pattern) for pattern in patterns)]


def open_items(role: str, items: Iterable[str], verdicts: Mapping[str, str]) -> dict[str, str]:
    """Return the items of a role's scope that no sign-off may stand on, with their verdicts."""
    found = {item: verdicts.get(item, "not_run") for item in items_of(role, items)}
    return {item: verdict for item, verdict in found.items() if verdict not in GREEN}
