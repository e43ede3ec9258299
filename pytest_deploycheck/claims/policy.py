"""Who may vouch for what: the roles of each item that a person's word can prove, and what never is waived.

The assignment of roles to items is our own, after the roles of the default checklist; an item that is not
here is proven by looking, and nobody's word stands in for it.
"""

from __future__ import annotations

from collections.abc import Mapping

WAIVER_MAX_DAYS = 180
NOT_APPLICABLE_MAX_DAYS = 366
APPROVERS = ("techlead", "security", "cto")
"""Who may accept a failure; of a security item only security and the cto may."""
DECLARERS = ("techlead", "security", "compliance", "cto")
"""Who may declare an item out of scope."""

SIGN_OFFS: Mapping[str, str] = {
    "sign_off.technical.devops": "devops",
    "sign_off.technical.backend": "backend",
    "sign_off.technical.security": "security",
    "sign_off.technical.qa": "qa",
    "sign_off.business.product": "product",
    "sign_off.business.operations": "operations",
    "sign_off.business.compliance": "compliance",
    "sign_off.final.techlead": "techlead",
    "sign_off.final.pm": "pm",
    "sign_off.final.cto": "cto",
}
"""The item of each sign-off and the role that signs it, in the order of signing."""

RECORDS: Mapping[str, tuple[str, ...]] = {
    "deploy.code.tests": ("ci",),
    "deploy.code.scan": ("ci",),
    "deploy.code.deps": ("ci",),
    "deploy.code.build": ("ci",),
    "deploy.database.migrations": ("backend", "ci"),
    "deploy.contract.testnet": ("backend", "ci"),
    "deploy.contract.gas": ("backend", "ci"),
    "post_deploy.functional.token": ("backend", "qa"),
    "post_deploy.performance.load": ("ci", "qa"),
    "post_deploy.security.vulns": ("ci", "security"),
    "post_deploy.monitoring.uptime": ("operations",),
    "pre_deploy.security.passwords": ("security",),
    "operations.documentation.deploy": ("devops",),
    "operations.documentation.runbooks": ("operations",),
    "operations.documentation.troubleshooting": ("backend", "operations"),
    "operations.documentation.contacts": ("operations",),
    "operations.backup.restore": ("devops",),
    "operations.backup.dr_plan": ("operations", "techlead"),
    "operations.backup.recovery": ("operations", "techlead"),
    "operations.maintenance.updates": ("devops",),
    "operations.maintenance.windows": ("operations",),
    "operations.maintenance.rollback": ("devops",),
    "operations.maintenance.alerts": ("operations", "ci"),
    "go_live.final.scans": ("security", "ci"),
    "go_live.communication.stakeholders": ("product", "pm"),
    "go_live.communication.support": ("operations",),
    "go_live.communication.docs": ("pm",),
    "go_live.communication.emergency": ("operations",),
    "go_live.mobile.tested": ("qa",),
    "go_live.mobile.stores": ("product",),
    "post_go_live.first_week.trends": ("backend", "devops"),
    "post_go_live.first_week.behavior": ("product",),
    "post_go_live.first_week.backups": ("devops",),
    "post_go_live.first_week.seclogs": ("security",),
    "post_go_live.first_week.tuning": ("backend",),
    "post_go_live.ongoing.perf_review": ("backend", "devops"),
    "post_go_live.ongoing.sec_audit": ("security",),
    "post_go_live.ongoing.dr_test": ("operations",),
    "post_go_live.ongoing.monitoring": ("operations",),
    "rollback.triggers.vuln": ("security",),
    "rollback.triggers.bugs": ("operations", "product"),
    "rollback.triggers.corruption": ("backend", "ci"),
    "rollback.procedure.verify": ("devops", "qa"),
    "rollback.procedure.postmortem": ("techlead",),
}
"""Roles whose signed record an item's check reads."""

ATTESTED: Mapping[str, tuple[str, ...]] = {
    "post_deploy.monitoring.uptime": ("operations",),
    "pre_deploy.security.passwords": ("security",),
    "operations.documentation.troubleshooting": ("backend", "operations"),
    "go_live.communication.stakeholders": ("product", "pm"),
    "go_live.communication.support": ("operations",),
    "go_live.communication.docs": ("pm",),
    "go_live.mobile.stores": ("product",),
}
"""Roles whose plain word proves an item of which nothing else could be seen."""

NEVER_WAIVED: Mapping[str, str] = {
    "pre_deploy.environment.jwt_secret": "anybody could make tokens",
    "pre_deploy.environment.signer_key": "anybody could spend",
    "pre_deploy.security.db_access": "the data would be open",
    "deploy.contract.mainnet": "another contract would hold the money",
    "deploy.contract.address": "money would go elsewhere",
    "deploy.database.backup": "there would be no way back",
    "post_deploy.security.authz": "anybody could act as anybody",
    **dict.fromkeys(SIGN_OFFS, "a signature is given or not"),
}
"""Items of which a failure cannot be accepted, and why."""


def is_security(item: str) -> bool:
    """Whether a waiver of this item is security's to give."""
    return ".security." in item or item in ("deploy.code.scan", "deploy.code.deps", "go_live.final.scans")


def approvers(item: str) -> tuple[str, ...]:
    """Return the roles that may accept a failure of an item."""
    return ("security", "cto") if is_security(item) else APPROVERS
