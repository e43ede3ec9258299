"""Pre-Deployment, Security Configuration: passwords of services, servers and people (item 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.db_logins import DbLoginsFacts
    from pytest_deploycheck.probes.default_logins import DefaultLoginsFacts
    from pytest_deploycheck.probes.host_facts import HostFacts
    from pytest_deploycheck.probes.human_passwords import HumanPasswordsFacts, Stored
    from pytest_deploycheck.probes.passwords import PasswordsFacts

PASSWORDS = "Strong passwords set for all services"


@pytest.mark.checklist("pre_deploy.security.passwords", text=PASSWORDS)
def test_passwords(passwords_facts: PasswordsFacts) -> None:
    """Every secret of the environment file is long and random, used for one service, and on no command line."""
    facts = passwords_facts
    if not facts.secrets:
        unproven(Reason.NO_EVIDENCE, "the environment file holds no secret that could be judged")
    for secret in facts.secrets:
        assert not secret.faults, f"the secret in {secret.key} {'; '.join(secret.faults)}"
    for group in facts.shared:
        assert not group, f"one secret for several services: {', '.join(group)}"
    for key, program in facts.shown:
        assert not program, f"every user of the server reads {key} on the command line of {program}"


@pytest.mark.checklist("pre_deploy.security.passwords", text=PASSWORDS)
def test_passwords_in_force(default_logins_facts: DefaultLoginsFacts, db_logins_facts: DbLoginsFacts) -> None:
    """What stands in every manual opens no service, and what was chosen instead does."""
    for tried in db_logins_facts.tries:
        assert not tried.login.accepted, f"{tried.password} opens the database for role {tried.role}"
    declared = db_logins_facts.declared
    assert declared is None or declared.outcome != "password", (
        f"the password in {db_logins_facts.key} is not the database's live one"
    )
    for one in default_logins_facts.defaults:
        assert one.accepted is not True, f"{one.service} accepts {one.by}"
    for one in default_logins_facts.declared:
        assert one.accepted is not False, f"{one.service} refuses {one.by}: another one is live"
    for one in (*default_logins_facts.defaults, *default_logins_facts.declared):
        if one.accepted is None:
            unproven(Reason.NO_EVIDENCE, f"{one.service} answers {one.status or one.why} to {one.by}")


@pytest.mark.checklist("pre_deploy.security.passwords", text=PASSWORDS)
def test_passwords_of_servers(host_facts: HostFacts) -> None:
    """No server lets anybody in over SSH with a password, or root with one."""
    for server in host_facts.servers:
        if server.sshd is None:
            unproven(
                Reason.NO_ACCESS,
                f"{server.uri}: sshd -T shows nothing; set host.sudo, or give the user a rule for it in sudoers",
            )
        for name in ("passwordauthentication", "kbdinteractiveauthentication"):
            assert server.sshd.get(name, "yes") == "no", f"{server.uri}: SSH accepts passwords ({name})"
        root = server.sshd.get("permitrootlogin", "yes")
        assert root != "yes", f"{server.uri}: root may log in with a password (permitrootlogin {root})"


@pytest.mark.checklist("pre_deploy.security.passwords", text=PASSWORDS)
def test_passwords_of_people(
    human_passwords_facts: HumanPasswordsFacts, default_logins_facts: DefaultLoginsFacts, limits: Limits
) -> None:
    """Length counts and nothing else is demanded, common passwords are refused, and hashes are slow ones."""
    facts = human_passwords_facts
    assert facts.used or not default_logins_facts.login_path, "auth.login_path and the facts disagree"
    if not facts.used:
        return
    for stored in facts.stored or ():
        assert _slow(stored, limits), (
            f"{stored.n} passwords in {facts.stored_in} are stored as {stored.kind}"
            f"{f' at {stored.cost}' if stored.cost else ''}; argon2id, scrypt or bcrypt make guessing slow"
        )
    short, long = default_logins_facts.short_status, default_logins_facts.long_status
    assert long is None or short == long or long not in (400, 413, 422), (
        f"a password of 64 characters is answered {long}, a short wrong one {short}: it seems too long to be one"
    )
    if facts.policy is None:
        unproven(Reason.NO_CONFIG, facts.policy_why)
    rules = facts.policy
    least = limits.password_min_length_mfa if rules.mfa else limits.password_min_length
    missing = [
        name
        for name in ("min_length", "max_length", "blocklist", "composition", "rotation_days")
        if getattr(rules, name) is None
    ]
    assert rules.min_length is None or rules.min_length >= least, (
        f"{rules.file}: passwords of {rules.min_length} characters are accepted, {least} are needed"
    )
    assert rules.max_length is None or rules.max_length >= limits.password_max_length_min, (
        f"{rules.file}: passwords may have {rules.max_length} characters at most"
    )
    assert rules.blocklist is not False, f"{rules.file}: common passwords are not refused"
    assert not rules.composition, f"{rules.file}: kinds of characters are demanded; length is what counts"
    assert not rules.rotation_days, f"{rules.file}: passwords expire after {rules.rotation_days} days"
    if missing:
        unproven(Reason.NO_EVIDENCE, f"{rules.file} says nothing of {', '.join(missing)}")
    if not facts.stored:
        unproven(Reason.NO_EVIDENCE, facts.stored_why or f"{facts.stored_in} holds no password to look at")


def _slow(stored: Stored, limits: Limits) -> bool:
    """Whether a scheme makes every guess cost; a cost that is not shown is taken for the scheme's usual one."""
    least = {
        "bcrypt": limits.password_bcrypt_cost_min,
        "pbkdf2-sha256": limits.password_pbkdf2_min,
        "pbkdf2-sha512": limits.password_pbkdf2_sha512_min,
    }
    if stored.kind in ("argon2id", "scrypt", "yescrypt"):
        return True
    if stored.kind == "bcrypt" and stored.cost is None:
        return True
    return stored.kind in least and stored.cost is not None and stored.cost >= least[stored.kind]
