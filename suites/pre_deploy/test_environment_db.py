"""Pre-Deployment, Environment Configuration: the database's credentials (item 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules.hba import WEAK
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.db_logins import DbLoginsFacts
    from pytest_deploycheck.probes.db_server import DbServerFacts
    from pytest_deploycheck.probes.passwords import PasswordsFacts

PASSWORD = "Database credentials set with strong passwords"  # noqa: S105 - the checklist's wording


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.db_password", text=PASSWORD)
def test_db_password(passwords_facts: PasswordsFacts, limits: Limits) -> None:
    """The application's password is long and random, its own, and on no command line."""
    facts, key = passwords_facts, passwords_facts.db_key
    secret = facts.of(key)
    if secret is None:
        if key not in facts.keyless:
            unproven(
                Reason.NO_CONFIG, f"the environment file has no {key}; name its key in env.db_password_key"
            )
        # The application proves itself by a certificate or a token: there is no password to guess.
        assert key in facts.keyless
        return
    assert not secret.faults, f"the password in {key} {'; '.join(secret.faults)}"
    assert secret.score >= limits.secret_min_score, f"zxcvbn gives the password in {key} {secret.score} of 4"
    for group in facts.shared:
        assert f"env {key}" not in group, f"one password for several services: {', '.join(group)}"
    for shown, program in facts.shown:
        assert shown != key, (
            f"every user of the server reads the password of {key} on the command line of {program}"
        )
    if facts.processes is None:
        unproven(
            Reason.NO_ACCESS,
            "other users' processes are hidden, and so are their command lines; set host.sudo",
        )


@pytest.mark.checklist("pre_deploy.environment.db_password", text=PASSWORD)
def test_db_password_opens(db_logins_facts: DbLoginsFacts, db_server_facts: DbServerFacts) -> None:
    """The password in the environment file is the live one, and neither a wrong one nor none opens anything."""
    facts, declared = db_logins_facts, db_logins_facts.declared
    for tried in facts.tries:
        assert not tried.login.accepted, f"{tried.password} opens the database for role {tried.role}"
    if declared is not None:
        where = f"the password in {facts.key} for role {facts.role}"
        assert declared.outcome != "password", f"{where} is not the live one: {declared.says}"
        assert declared.asked is not False or not declared.accepted, (
            f"role {facts.role} is let in without being asked for its password"
        )
        assert facts.verifier is not False, f"{where} is not the one that the server keeps a verifier of"
        if declared.outcome == "address" and facts.verifier is None:
            unproven(
                Reason.NO_ACCESS,
                f"role {facts.role} may not log in from here, and so {facts.key} could not be tried; add "
                "db.admin_dsn, which can compare it with the stored verifier, or run this where the role may",
            )
        if declared.outcome in ("method", "other"):
            unproven(Reason.UNPARSEABLE, f"{where}: {declared.says}")
    odd = [tried.login.says for tried in facts.tries if tried.login.outcome in ("method", "other")]
    if odd:
        unproven(Reason.UNPARSEABLE, f"a login was refused, but not for its password: {odd[0]}")
    if any(tried.login.outcome in ("password", "certificate") for tried in facts.tries):
        return
    # Nobody was asked for a password, since nobody may come from here: the rules say what they would be asked.
    if db_server_facts.hba is None:
        unproven(
            Reason.NO_ACCESS, f"role {facts.role} may not log in from here, and {db_server_facts.hba_why}"
        )
    weak = [str(rule) for rule in db_server_facts.hba if rule.method in WEAK]
    assert not weak, f"where the role may log in, a password may not count: {weak[0]}"


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.db_password", text=PASSWORD)
def test_db_password_storage(db_server_facts: DbServerFacts) -> None:
    """Every role's password is stored as a SCRAM verifier, and so will the next one be."""
    facts = db_server_facts
    setting = facts.setting("password_encryption")
    assert setting == "scram-sha-256", f"password_encryption is {setting or 'unseen'}, not scram-sha-256"
    if facts.password_kinds is None:
        unproven(Reason.NO_ACCESS, f"how passwords are stored is unseen: {facts.password_kinds_why}")
    assert facts.password_kinds, "no role that may log in was seen"
    for role, kind in facts.password_kinds:
        assert kind in ("scram", "none"), (
            f"the password of role {role} is stored as {kind}; set it anew: \\password {role}"
        )
