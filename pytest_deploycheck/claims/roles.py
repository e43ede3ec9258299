"""Roles: who may speak as what, read from a TOML file of the project.

[roles]
devops = ["ada@example.com"]
security = ["grace@example.com"]

[delegated]            # a vacant role, taken over by another one
compliance = "cto"

[rules]
max_roles = 2          # of one person; raise it in a small team
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

ROLES: Mapping[str, str] = {
    "ci": "a pipeline, not a person",
    "backend": "Backend Developer",
    "devops": "DevOps Engineer",
    "security": "Security Engineer",
    "qa": "QA Engineer",
    "operations": "Operations Manager",
    "product": "Product Manager",
    "pm": "Project Manager",
    "compliance": "Compliance Officer",
    "techlead": "Technical Lead",
    "cto": "CTO/Technical Director",
}


class RolesError(Exception):
    """A roles file cannot be used; the message names the file, the entry and what to write."""


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    max_roles: int = Field(default=2, ge=1)


class Roles(BaseModel):
    """Principals of each role, delegations of vacant roles, and how many roles one person may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    roles: dict[str, list[str]] = {}
    delegated: dict[str, str] = {}
    rules: _Rules = _Rules()

    def holders(self, role: str) -> tuple[str, ...]:
        """Return who may speak in a role, a delegate included."""
        own = self.roles.get(role, [])
        return tuple(own or self.roles.get(self.delegated.get(role, ""), []))

    def of(self, principal: str) -> tuple[str, ...]:
        """Return the roles that a person holds."""
        return tuple(role for role in ROLES if principal in self.roles.get(role, []))


def load(path: Path) -> Roles:
    """Read and check a roles file; raise RolesError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        roles = Roles.model_validate(values)
    except (OSError, UnicodeDecodeError) as error:
        raise RolesError(f"roles file {path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise RolesError(f"{path}: not valid TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RolesError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for name in (*roles.roles, *roles.delegated, *roles.delegated.values()):
        if name not in ROLES:
            near = get_close_matches(name, ROLES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(ROLES)}"
            raise RolesError(f"{path}: unknown role {name!r}; {hint}")
    for principal in sorted({one for people in roles.roles.values() for one in people}):
        held = roles.of(principal)
        if len(held) > roles.rules.max_roles:
            raise RolesError(
                f"{path}: {principal} holds {len(held)} roles ({', '.join(held)}), more than "
                f"rules.max_roles = {roles.rules.max_roles}"
            )
    return roles
