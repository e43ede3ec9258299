"""Pre-Deployment, Environment Configuration: the environment file (items 7, 8, 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.env_facts import EnvFileFacts
    from pytest_deploycheck.probes.env_loaded import EnvLoadedFacts
    from pytest_deploycheck.probes.env_wire import EnvWireFacts
    from pytest_deploycheck.probes.jwt_key import JwtKeyFacts

FILE = "`.env` file created from `.env.production` template"
VALUES = "All environment variables configured with production values"
JWT = "JWT secret generated (long, random string)"
REFUSED = (400, 401, 403)


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.file", text=FILE)
def test_file(env_file_facts: EnvFileFacts) -> None:
    """The file has what the template wants, no placeholder of it, and reads the same for everybody."""
    facts = env_file_facts
    assert facts.exists, f"there is no {facts.path} on the server"
    issues = [f"line {one.line}{f' ({one.key})' if one.key else ''}: {one.kind}" for one in facts.issues]
    assert not facts.issues, f"{facts.path}, {'; '.join(issues[:5])}"
    assert facts.keys, f"{facts.path} gives no key a value"
    if not facts.template:
        looked = ", ".join(facts.template_looked) or "nowhere: env.template is empty"
        unproven(Reason.NO_CONFIG, f"the template was not found ({looked}); add env.template")
    assert facts.template_keys, f"the template {facts.template} has no key"
    assert not facts.missing, f"{facts.path} lacks {', '.join(facts.missing)}, which the template has"
    assert not facts.extra, (
        f"{facts.path} has {', '.join(facts.extra)}, which the template does not know: a typo, or missing "
        "in the template or in env.allow_extra"
    )
    left = [key.name for key in facts.keys if key.templates]
    assert not left, f"{', '.join(left)} in {facts.path} still has the template's value"


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.file", text=FILE)
def test_file_is_private(env_file_facts: EnvFileFacts, limits: Limits) -> None:
    """Only the owner, and a group that is named, can read the file."""
    facts, file = env_file_facts, env_file_facts.file
    if facts.rendered:
        assert file is None, "a secrets manager renders the values: there is no file to protect"
        return
    if file is None:
        unproven(Reason.NO_ACCESS, f"mode and owner of {facts.path} could not be read: {facts.file_problem}")
    beyond = file.mode & ~int(limits.env_mode_max)
    assert beyond == 0, f"{facts.path} has mode {file.mode:04o}; at most {int(limits.env_mode_max):04o}"
    if file.mode & 0o070:
        assert file.group in (*file.groups, file.owner), (
            f"{facts.path} is readable by group {file.group}; name it in env.groups if that is meant"
        )
    if file.owners:
        assert file.owner in file.owners, (
            f"{facts.path} belongs to {file.owner}, not to {' or '.join(file.owners)} (env.owner)"
        )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.file", text=FILE)
def test_file_is_loaded(env_loaded_facts: EnvLoadedFacts, limits: Limits) -> None:
    """What runs has the values that are in the file now."""
    facts = env_loaded_facts
    for unit in facts.units:
        assert unit.active, f"unit {unit.name} (env.units) is not active"
        if facts.modified_at:
            assert unit.since >= facts.modified_at, (
                f"{facts.path} was edited at {facts.modified_at}, after {unit.name} was started: restart it"
            )
    if facts.units:
        return
    assert not facts.absent, f"{', '.join(facts.absent)} (env.container_services) does not run"
    for one in facts.loaded:
        assert not one.differ, (
            f"{one.container} has another value than {facts.path} of {', '.join(one.differ)}: "
            "edited after its start, or overridden where the container is declared (env.overridden)"
        )
        assert not one.missing, (
            f"{one.container} lacks {', '.join(one.missing)}, which {facts.path} has: it was started before"
        )
    if not any(one.fed for one in facts.loaded):
        unproven(
            Reason.NO_EVIDENCE,
            f"none of {facts.looked} running containers was given {facts.path}; name the services in "
            "env.container_services, or the units of systemd in env.units",
        )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.production_values", text=VALUES)
def test_production_values_in_effect(env_loaded_facts: EnvLoadedFacts) -> None:
    """The containers run with production values as well, whoever set them."""
    facts = env_loaded_facts
    if facts.units:
        assert all(unit.active for unit in facts.units), "a unit of env.units is not active"
        return
    for one in facts.loaded:
        wrong = "; ".join(f"{name} {why}" for name, why in one.wrong)
        assert not one.wrong, f"{one.container}: {wrong}"
    if not any(one.fed for one in facts.loaded):
        unproven(Reason.NO_EVIDENCE, f"none of {facts.looked} running containers was given {facts.path}")


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.file", text=FILE)
def test_file_is_not_in_git(env_file_facts: EnvFileFacts) -> None:
    """Git ignores the file and never had it."""
    facts, git = env_file_facts, env_file_facts.git
    if git is None:
        unproven(Reason.NO_CONFIG, f"whether Git has the file was not seen: {facts.git_problem}")
    assert not git.tracked, f"{git.file} is committed in {git.checkout}"
    assert git.committed == "", (
        f"{git.file} was committed ({git.committed}): its secrets are in the history of every clone"
    )
    assert git.ignored, f"{git.file} is not in .gitignore of {git.checkout}: the next `git add .` commits it"


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.file", text=FILE)
def test_file_is_not_served(env_wire_facts: EnvWireFacts) -> None:
    """Nobody gets the file, or its template, from the web server."""
    facts = env_wire_facts
    assert facts.served, "no path of an environment file was asked for"
    for one in facts.served:
        assert one.assignments == 0 or one.status >= 400, (
            f"{one.path} is served: {one.assignments} lines of the form NAME=value"
        )
        page = one.html and facts.fallback
        assert one.status != 200 or page, f"{one.path} is served (status 200)"


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.production_values", text=VALUES)
def test_production_values(env_file_facts: EnvFileFacts) -> None:
    """Every key has a value of its type that is meant for production."""
    facts = env_file_facts
    assert facts.keys, f"{facts.path} gives no key a value"
    for key in facts.keys:
        assert not key.placeholder, f"{key.name} in {facts.path} is still a placeholder"
        assert not key.empty or key.optional, (
            f"{key.name} in {facts.path} is empty; name it in env.optional if that is meant"
        )
        assert not key.wrong, f"{key.name} in {facts.path} {key.wrong} (type {key.type})"
        assert not key.looks_secret, (
            f"{key.name} in {facts.path} looks like a secret that nobody declared; "
            f'give it a type in env.types: {key.name} = "secret", or "text" if it is none'
        )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.production_values", text=VALUES)
def test_production_behaviour(env_wire_facts: EnvWireFacts) -> None:
    """The service behaves as in production: it says so, and its refusals do not show its inside."""
    facts = env_wire_facts
    for path, word in facts.modes:
        assert word.lower() in facts.expected_modes, f"{path} says that it runs as {word!r}"
    assert not facts.debugging, f"{', '.join(facts.debugging)} says that debugging is on"
    provoked = [refusal for refusal in facts.refusals if refusal.status >= 400]
    for refusal in facts.refusals:
        assert not refusal.traces, (
            f"{refusal.method} {refusal.path} ({refusal.label}, {refusal.status}) shows "
            f"{', '.join(refusal.traces)}"
        )
    if not provoked:
        unproven(Reason.NO_EVIDENCE, f"no refusal could be provoked: {'; '.join(facts.unseen)}")


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.jwt_secret", text=JWT)
def test_jwt_secret(jwt_key_facts: JwtKeyFacts, limits: Limits) -> None:
    """The key is as long as its algorithm needs, random, and nobody else's."""
    facts = jwt_key_facts
    assert facts.alg in facts.algs, f"tokens are signed by {facts.alg}; auth.alg allows {facts.algs}"
    if facts.hmac:
        _shared_secret(facts, limits)
        return
    if not facts.public_keys:
        unproven(
            Reason.NO_EVIDENCE, "no key that verifies tokens was seen; publish it and set auth.jwks_path"
        )
    for key in facts.public_keys:
        least = limits.jwt_rsa_bits_min if key.kind == "RSA" else limits.jwt_ec_bits_min
        assert key.bits >= least, f"the {key.kind} key {key.kid or 'of tokens'} has {key.bits} bits"


def _shared_secret(facts: JwtKeyFacts, limits: Limits) -> None:
    assert not facts.default_signs, "tokens are signed with a default that everybody knows"
    assert facts.key, "the environment file has no secret that could sign tokens; see env.jwt_secret_key"
    weighed, length = facts.strength, facts.key_bytes
    assert weighed is not None
    assert length is not None
    needed = int(facts.alg[2:]) // 8
    assert length >= needed, f"{facts.key} has {length} bytes; {facts.alg} needs {needed} (RFC 7518, 3.2)"
    assert weighed.bits >= limits.jwt_secret_min_bits, (
        f"{facts.key} {' and '.join(weighed.faults(limits.jwt_secret_min_bits))}"
    )
    assert not weighed.faults(0), f"{facts.key} {' and '.join(weighed.faults(0))}"
    assert not facts.shared, f"{facts.key} has the same value as {', '.join(facts.shared)}"
    assert not facts.foreign, f"{facts.key} is another deployment's (env.foreign_digests)"


@pytest.mark.checklist("pre_deploy.environment.jwt_secret", text=JWT)
def test_jwt_secret_in_use(jwt_key_facts: JwtKeyFacts) -> None:
    """The key of the file signed the token that was just issued, and what it signs expires."""
    facts = jwt_key_facts
    if facts.hmac or facts.key:
        assert facts.signs, (
            f"the token that was just issued is not signed with {facts.key or 'any secret of the file'}: "
            "the service runs with another key"
        )
    else:
        assert facts.public_signs is not None, "no published key to verify a token with (auth.jwks_path)"
        assert facts.public_signs, "none of the published keys verifies the token that was just issued"
    if facts.expired_status is not None:
        assert facts.expired_status in REFUSED, (
            f"{facts.account_path} answers {facts.expired_status} to a token that expired an hour ago"
        )
        if facts.control_status is not None and facts.control_status not in range(200, 300):
            unproven(
                Reason.NO_EVIDENCE,
                f"a good token that was minted with the key is answered {facts.control_status} as well",
            )
