"""Pre-Deployment, Security Configuration: who reaches the database and the cache (items 16 and 17)."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules import hba
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.db_containers import DbContainersFacts
    from pytest_deploycheck.probes.db_server import DbServerFacts
    from pytest_deploycheck.probes.host_facts import HostFacts
    from pytest_deploycheck.probes.ports import PortsFacts
    from pytest_deploycheck.probes.redis import RedisFacts
    from pytest_deploycheck.probes.redis_host import RedisHostFacts

DB_ACCESS = "Database access restricted to application servers"
REDIS_AUTH = "Redis password configured"
DB_PORT, REDIS_PORT = 5432, 6379


@pytest.mark.checklist("pre_deploy.security.db_access", text=DB_ACCESS)
def test_db_access(db_server_facts: DbServerFacts) -> None:
    """The rules in force let in the application's servers only, over TLS, and never without a proof."""
    facts = db_server_facts
    if facts.hba is None:
        unproven(Reason.NO_ACCESS, f"the rules of pg_hba.conf are unseen: {facts.hba_why}")
    assert facts.hba, "pg_hba.conf has no rule at all"
    wrong = list(hba.problems(facts.hba, facts.allowed_cidrs, facts.local_cidrs))
    assert not wrong, f"pg_hba.conf: {'; '.join(wrong[:4])}"
    security = {"listen_addresses", "ssl", "port"} & set(facts.pending_restart)
    assert not security, f"changed, but not in force before a restart: {', '.join(sorted(security))}"
    beyond = hba.remote(facts.hba)
    assert not beyond or facts.setting("ssl") != "off", f"ssl is off, and {beyond[0]} lets others in"
    if beyond and not (facts.allowed_cidrs or facts.local_cidrs):
        unproven(
            Reason.NO_CONFIG,
            f"nothing says which servers may connect; add db.allowed_cidrs (the rules have {beyond[0].where})",
        )
    if facts.hba_changed_at is None:
        unproven(
            Reason.NO_ACCESS,
            f"whether pg_hba.conf was changed since it was loaded is unseen: {facts.hba_changed_why}",
        )
    assert facts.hba_changed_at <= facts.loaded_at, (
        "pg_hba.conf was changed after it was loaded: what it says is not in force; SELECT pg_reload_conf()"
    )


@pytest.mark.checklist("pre_deploy.security.db_access", text=DB_ACCESS)
def test_db_access_sessions(db_server_facts: DbServerFacts) -> None:
    """Everybody who is connected comes from an allowed address, and over TLS unless it never leaves a machine."""
    facts = db_server_facts
    if facts.sessions is None:
        unproven(
            Reason.NO_ACCESS,
            f"role {facts.role} sees no other sessions; run: GRANT pg_monitor TO {facts.role};",
        )
    assert facts.sessions, "not even the session of this look was seen"
    known = (*facts.allowed_cidrs, *facts.local_cidrs)
    for one in facts.sessions:
        if not one.address or hba.allowed(one.address, facts.local_cidrs):
            continue
        assert one.tls, f"{one.n} sessions of role {one.role} from {one.address} are not encrypted"
        if known:
            assert hba.allowed(one.address, known), (
                f"role {one.role} is connected from {one.address}, outside db.allowed_cidrs"
            )
        else:
            unproven(
                Reason.NO_CONFIG,
                f"nothing says which servers may connect; add db.allowed_cidrs "
                f"(role {one.role} is connected from {ip_network(one.address)})",
            )


@pytest.mark.checklist("pre_deploy.security.db_access", text=DB_ACCESS)
def test_db_access_role(db_server_facts: DbServerFacts) -> None:
    """The application's role may use its tables, and is no administrator by any name."""
    app = db_server_facts.app
    if app is None:
        unproven(
            Reason.NO_CONFIG,
            f"the application's role {db_server_facts.app_role or ''} was not found; name it in db.app_role",
        )
    assert not app.attributes, f"the application's role {app.name} is {', '.join(app.attributes)}"
    assert not app.may_become, f"role {app.name} is a member of {', '.join(app.may_become[:6])}"
    assert not app.creates_in_public, (
        f"role {app.name} may create objects in schema public; REVOKE CREATE ON SCHEMA public FROM PUBLIC, {app.name};"
    )


@pytest.mark.checklist("pre_deploy.security.db_access", text=DB_ACCESS)
def test_db_access_listeners(db_server_facts: DbServerFacts, host_facts: HostFacts) -> None:
    """No server offers the database's port at every address that it has."""
    wanted = {DB_PORT, int(db_server_facts.setting("port") or DB_PORT)}
    for server in host_facts.servers:
        if server.listeners is None:
            unproven(Reason.NO_ACCESS, f"{server.uri}: what listens there is unseen; install iproute2 (ss)")
        assert server.listeners, f"{server.uri}: nothing at all listens there, not even SSH"
        for one in server.listeners:
            if one.proto == "tcp" and one.port in wanted:
                assert one.address not in ("0.0.0.0", "::", "*"), (  # noqa: S104 - what must not be
                    f"{server.uri}: {one.process or 'a process'} offers port {one.port} at every address"
                )


@pytest.mark.checklist("pre_deploy.security.db_access", text=DB_ACCESS)
def test_db_access_containers(db_containers_facts: DbContainersFacts) -> None:
    """Where the database is a container, it shares no network with the edge and publishes no port to all."""
    facts = db_containers_facts
    assert facts.engine or not facts.databases
    for database, edge, network in facts.shared:
        assert not network, f"container {database} is in network {network} together with the edge, {edge}"
    for one in facts.databases:
        assert not one.everywhere, f"container {one.name} publishes its port everywhere: {one.everywhere[0]}"


@pytest.mark.checklist("pre_deploy.security.db_access", text=DB_ACCESS)
def test_db_access_from_outside(db_server_facts: DbServerFacts, ports_facts: PortsFacts) -> None:
    """From outside, the database's port is closed at every address."""
    _closed_outside(ports_facts, DB_PORT, int(db_server_facts.setting("port") or DB_PORT))


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.security.redis_auth", text=REDIS_AUTH)
def test_redis_auth(redis_facts: RedisFacts, limits: Limits) -> None:
    """A stranger and a wrong password are refused, the declared one is accepted, and is hard to guess."""
    facts = redis_facts
    assert facts.stranger not in ("PONG", "DENIED"), (
        f"{facts.place} answers {facts.stranger} to a stranger's PING: it has no password"
    )
    assert facts.stranger == "NOAUTH", f"{facts.place} answers a stranger's PING with {facts.stranger}"
    assert facts.wrong != "OK", f"{facts.place} accepts a wrong password"
    assert facts.declared == "OK", (
        f"the password of redis.url is answered {facts.declared}: it is not the live one"
    )
    assert facts.ping == "PONG", f"after the login, PING is answered {facts.ping}"
    assert not facts.faults, f"the password of redis.url {'; '.join(facts.faults)}"
    assert facts.bits >= limits.secret_min_bits


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.security.redis_auth", text=REDIS_AUTH)
def test_redis_auth_users(redis_facts: RedisFacts) -> None:
    """No user gets in without a password, and the declared password is the one that the server keeps."""
    facts = redis_facts
    if facts.users is None:
        if facts.requirepass is None:
            unproven(Reason.NO_ACCESS, facts.users_why)
        assert facts.requirepass, "requirepass is not the declared password"
        return
    assert facts.users, "the server names no user"
    for user in facts.users:
        assert not (user.enabled and user.nopass and not user.harmless), (
            f"user {user.name} needs no password and may run {user.commands}"
        )
    used = [user for user in facts.users if user.name == facts.user]
    if not used:
        unproven(Reason.NO_ACCESS, f"the server does not say who redis.url is ({facts.user}); +acl|whoami")
    assert used[0].holds, f"the declared password is not among the {used[0].passwords} of user {facts.user}"


@pytest.mark.checklist("pre_deploy.security.redis_auth", text=REDIS_AUTH)
def test_redis_auth_lasts(redis_host_facts: RedisHostFacts) -> None:
    """The application knows the live password, and a restart does not take it away."""
    facts = redis_host_facts
    if facts.env is None:
        unproven(Reason.NO_CONFIG, facts.env_why)
    assert facts.env != "none", f"the environment file gives no password in {facts.key}"
    assert facts.env == "OK", f"the password in {facts.key} is answered {facts.env}: it is not the live one"
    assert not facts.faults, f"the password in {facts.key} {'; '.join(facts.faults)}"
    if not facts.read:
        unproven(
            Reason.NO_ACCESS,
            f"whether the password outlives a restart is unseen: {facts.why or 'no file could be read'}; "
            "name the server's files in redis.config_files, and let the user of host.uri read them",
        )
    if not facts.kept_in and (facts.includes or facts.why):
        missing = facts.why or "some of its files include others"
        unproven(Reason.NO_ACCESS, f"the password is in none of {', '.join(facts.read)}, but {missing}")
    assert facts.kept_in, (
        f"the password of user {facts.user} is in none of {', '.join(facts.read)}: it was set at run time, "
        "and a restart forgets it"
    )


@pytest.mark.checklist("pre_deploy.security.redis_auth", text=REDIS_AUTH)
def test_redis_auth_from_outside(redis_facts: RedisFacts, ports_facts: PortsFacts) -> None:
    """From outside, the cache's port is closed at every address."""
    port = redis_facts.place.rpartition(":")[2]
    _closed_outside(ports_facts, REDIS_PORT, int(port) if port.isdigit() else REDIS_PORT)


def _closed_outside(facts: PortsFacts, usual: int, own: int) -> None:
    """Assert that no scan from outside found a port open; what answers for every port tells nothing."""
    asked = {*facts.sentinels, *facts.allowed}
    seen = [scan for scan in facts.scans if scan.scanned and not (scan.inside or scan.unreachable)]
    for scan in seen:
        if scan.controls:
            unproven(Reason.NO_EVIDENCE, f"something at {scan.address} answers for every port there is")
        for port in (usual, own):
            assert port not in scan.open, f"port {port} of {scan.address} is open to the public"
    if not seen:
        why = "; ".join(scan.inside or f"{scan.address}: {scan.unreachable}" for scan in facts.scans)
        unproven(Reason.NO_EVIDENCE, f"nothing was looked at from outside: {why or 'no address'}")
    for port in (usual, own):
        if port not in asked:
            unproven(
                Reason.NO_CONFIG, f"port {port} was not asked for from outside; add it to net.sentinel_ports"
            )
