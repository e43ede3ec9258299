"""PostgreSQL as Debian ships it, and as others rent it out: sound servers pass, and what is unseen is unproven."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes import registry
from pytest_deploycheck.probes.default_logins import DefaultLoginsFacts
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.verdict import Reason
from tests.probes.debian import SUPERUSER, Postgres, postgres15, target_file
from tests.suites.checks import suite

APP = "Vd8xJ2mQ-w4RkT7zPq9LsN3yB6cF0gHu"
READER = "Qn5tY8wE-r3UiO7pAs2DfG6hJk9LzXcV"
ENV = "pre_deploy/test_environment_db.py"
ACCESS = "pre_deploy/test_security_data.py"
DEPLOY = "deploy/test_database.py"
LIMITS = Limits()
QUICK = "[limits]\ndb_session_wait_s = 0.2\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Run one cluster with an application, a reader, and a table."""
    with postgres15(tmp_path_factory.mktemp("postgres")) as found:
        found.run(
            f"CREATE ROLE app LOGIN PASSWORD '{APP}'",
            f"CREATE ROLE reader LOGIN PASSWORD '{READER}'",
            "GRANT pg_monitor TO reader",
            "CREATE ROLE cert_app LOGIN",
            "CREATE TABLE orders (id bigint PRIMARY KEY, note text)",
            "GRANT SELECT, INSERT ON orders TO app, cert_app",
            "CREATE EXTENSION pg_stat_statements",
        )
        yield found


def seen(folder: Path, server: Postgres, names: list[str], db: str = "", **options: Any) -> dict[str, Any]:
    """Look at the server as the reader does; the facts by probe, or the observation without any."""
    secrets = {"dsn": server.dsn("reader", READER), "admin": server.dsn()}
    env = options.get("env", [f"DATABASE_URL={server.dsn('app', APP)}"])
    path = target_file(folder, f'[db]\ndsn = {{ file = "dsn" }}\n{db}\n{QUICK}', secrets, env)
    observed = Run(load(path)).gather(names, registry())
    return {name: one.facts if one.state == "seen" else one for name, one in observed.items()}


@contextmanager
def connected(server: Postgres, role: str = "app", password: str = APP, **more: Any) -> Iterator[None]:
    """Hold a session of the application open."""
    with psycopg.connect(server.dsn(role, password), **more):
        yield


def test_a_sound_server_of_debian_passes(server: Postgres, tmp_path: Path) -> None:
    """Without a server to run commands on, by a secrets manager's file and an administrator's eyes."""
    server.rules("hostssl shop app,reader 127.0.0.1/32 scram-sha-256")
    (row,) = server.run("SELECT system_identifier FROM pg_control_system()")
    keys = f'admin_dsn = {{ file = "admin" }}\nsystem_identifier = "{row[0]}"\nmemory_bytes = 536870912'
    with connected(server):
        facts = seen(tmp_path, server, ["db_server", "db_logins", "db_schema"], keys)
    database = facts["db_server"]
    assert (database.major, database.app_role, database.identifier) == (15, "app", str(row[0]))
    for name in ("test_db_access", "test_db_access_sessions", "test_db_access_role"):
        suite(ACCESS)[name](database)
    suite(DEPLOY)["test_connection_identity"](database)
    suite(ENV)["test_db_password_storage"](database)
    suite(ENV)["test_db_password_opens"](facts["db_logins"], database)
    assert facts["db_logins"].scram is True
    for name in ("test_tuning_of_the_schema", "test_tuning_of_the_server", "test_tuning_of_the_memory"):
        suite(DEPLOY)[name](facts["db_schema"], LIMITS)


def test_a_rented_server_is_unproven_and_not_accused(server: Postgres, tmp_path: Path) -> None:
    """Nobody there is superuser and nobody sees the rules: each message holds what to grant or to add."""
    server.rules("hostssl shop app,reader 127.0.0.1/32 scram-sha-256")
    with connected(server):
        facts = seen(tmp_path, server, ["db_server", "db_logins"])
    database = facts["db_server"]
    with pytest.raises(Unproven, match=re.escape("GRANT SELECT ON pg_hba_file_rules TO reader")) as why:
        suite(ACCESS)["test_db_access"](database)
    assert why.value.reason is Reason.NO_ACCESS
    with pytest.raises(Unproven, match=r"db\.password_kinds_query") as why:
        suite(ENV)["test_db_password_storage"](database)
    assert why.value.reason is Reason.NO_ACCESS
    suite(ENV)["test_db_password_opens"](facts["db_logins"], database)
    suite(ACCESS)["test_db_access_role"](database)


def test_a_view_of_kinds_takes_the_place_of_an_administrator(server: Postgres, tmp_path: Path) -> None:
    """The view gives the kind of each role's stored password and no hash; MD5 is told by its role."""
    server.rules("hostssl shop app,reader 127.0.0.1/32 scram-sha-256")
    kind = "CASE WHEN rolpassword LIKE 'SCRAM-SHA-256$%' THEN 'scram' WHEN rolpassword LIKE 'md5%' THEN 'md5'"
    server.run(
        f"CREATE VIEW kinds AS SELECT rolname AS role, coalesce({kind} END, 'none') AS kind"
        " FROM pg_authid WHERE rolcanlogin",
        "GRANT SELECT ON kinds TO reader",
        "SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'x'",
    )
    keys = 'password_kinds_query = "SELECT role, kind FROM kinds"'
    try:
        facts = seen(tmp_path, server, ["db_server"], keys)
        with pytest.raises(AssertionError, match="password of role old is stored as md5"):
            suite(ENV)["test_db_password_storage"](facts["db_server"])
    finally:
        server.run("DROP ROLE old", "DROP VIEW kinds")


def test_a_role_by_certificate_has_no_password_to_guess(server: Postgres, tmp_path: Path) -> None:
    """Strangers without a certificate are refused, which counts as a refusal; the strength of nothing is waived."""
    server.rules("hostssl shop cert_app 127.0.0.1/32 cert", "hostssl shop reader 127.0.0.1/32 scram-sha-256")
    client = {
        name: str(server.folder / f"client.{end}") for name, end in (("sslcert", "pem"), ("sslkey", "key"))
    }
    env = [f"DATABASE_URL=postgresql://cert_app@db/shop?sslmode=verify-full&sslcert={client['sslcert']}"]
    keys = 'admin_dsn = { file = "admin" }\napp_role = "cert_app"'
    with connected(server, "cert_app", "", **client):
        facts = seen(tmp_path, server, ["db_server", "db_logins", "passwords"], keys, env=env)
    assert facts["db_logins"].passwordless
    assert [one.certificate for one in facts["db_server"].of_app()] == [True]
    assert {one.login.outcome for one in facts["db_logins"].tries[:2]} == {"certificate"}
    suite(ENV)["test_db_password_opens"](facts["db_logins"], facts["db_server"])
    suite(ENV)["test_db_password_storage"](facts["db_server"])
    suite(ACCESS)["test_db_access"](facts["db_server"])
    assert "DATABASE_URL" in facts["passwords"].keyless


def test_a_role_that_may_come_from_elsewhere_only(server: Postgres, tmp_path: Path) -> None:
    """The stored verifier tells whether the declared password is the live one, where no login from here can."""
    server.rules(
        "hostssl shop app 10.20.0.0/24 scram-sha-256", "hostssl shop reader 127.0.0.1/32 scram-sha-256"
    )
    keys = 'admin_dsn = { file = "admin" }\napp_role = "app"\nallowed_cidrs = ["10.20.0.0/24"]'
    facts = seen(tmp_path, server, ["db_server", "db_logins"], keys)
    assert facts["db_logins"].verifier is True
    suite(ENV)["test_db_password_opens"](facts["db_logins"], facts["db_server"])
    suite(ACCESS)["test_db_access"](facts["db_server"])
    wrong = [f"DATABASE_URL={server.dsn('app', 'x' + APP[1:])}"]
    facts = seen(tmp_path, server, ["db_server", "db_logins"], keys, env=wrong)
    with pytest.raises(AssertionError, match="not the one that the server keeps a verifier of"):
        suite(ENV)["test_db_password_opens"](facts["db_logins"], facts["db_server"])
    facts = seen(tmp_path, server, ["db_server", "db_logins"], 'app_role = "app"')
    with pytest.raises(Unproven, match="may not log in from here"):
        suite(ENV)["test_db_password_opens"](facts["db_logins"], facts["db_server"])


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("host all all 127.0.0.1/32 trust", "a wrong password opens the database for role app"),
        ("hostssl shop app 127.0.0.1/32 password", None),
    ],
)
def test_trust_opens_whatever_the_password(
    server: Postgres, tmp_path: Path, rule: str, words: str | None
) -> None:
    """Where nobody is asked, a wrong password opens; where a password is sent as it is, a wrong one does not."""
    server.rules(rule, "hostssl shop reader 127.0.0.1/32 scram-sha-256")
    facts = seen(tmp_path, server, ["db_server", "db_logins"], 'app_role = "app"')
    check = suite(ENV)["test_db_password_opens"]
    if words is None:
        check(facts["db_logins"], facts["db_server"])
        assert facts["db_logins"].scram is False
        return
    with pytest.raises(AssertionError, match=words):
        check(facts["db_logins"], facts["db_server"])


def test_no_more_than_three_wrong_logins(server: Postgres, tmp_path: Path) -> None:
    """The ledger shows them as logins of class S2: the right password twice, and three that must be refused."""
    server.rules("hostssl shop app,reader 127.0.0.1/32 scram-sha-256")
    secrets = {"dsn": server.dsn("reader", READER)}
    env = [f"DATABASE_URL={server.dsn('app', APP)}"]
    run = Run(load(target_file(tmp_path, '[db]\ndsn = { file = "dsn" }\napp_role = "app"\n', secrets, env)))
    run.gather(["db_logins"], registry())
    counted = [row for row in run.wire.ledger.to_json() if row["action"] == "login"]
    assert [(row["probe"], row["safety"], row["count"]) for row in counted] == [("db_logins", "S2", 5)]


def test_the_administrator_only_reads(server: Postgres, tmp_path: Path) -> None:
    """Also the administrator's session is read-only, and what acts is refused before it is sent."""
    from pytest_deploycheck.observe import CannotLook, probe
    from pytest_deploycheck.probes.gates import GateFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

    @probe(facts=GateFacts, deadline=10, uses={"db_admin": "read"})
    def curious(target: Target, connect: Connections) -> GateFacts:
        """Ask as the administrator."""
        sql = connect.sql("db_admin")
        for statement in (
            "DROP TABLE orders",
            "SELECT pg_reload_conf()",
            "SELECT pg_read_file('/etc/passwd')",
        ):
            with pytest.raises(CannotLook, match="not a read"):
                sql.rows(statement)
        return GateFacts(str(sql.one("SELECT current_setting('transaction_read_only') AS v")["v"]), 0.0)

    server.rules("hostssl shop reader 127.0.0.1/32 scram-sha-256")
    keys = '[db]\ndsn = { file = "dsn" }\nadmin_dsn = { file = "admin" }\n'
    secrets = {"dsn": server.dsn("reader", READER), "admin": server.dsn()}
    observed: Observation = Run(load(target_file(tmp_path, keys, secrets))).gather(
        ["curious"], {"curious": curious}
    )["curious"]
    assert (observed.state, observed.facts.answered) == ("seen", "on"), observed.detail


def test_secrets_stay_out_of_the_facts(server: Postgres, tmp_path: Path) -> None:
    """Neither a password nor a verifier is in what the probes return."""
    server.rules(
        "hostssl shop app 10.20.0.0/24 scram-sha-256", "hostssl shop reader 127.0.0.1/32 scram-sha-256"
    )
    keys = 'admin_dsn = { file = "admin" }\napp_role = "app"'
    facts = seen(tmp_path, server, ["db_server", "db_logins", "passwords"], keys)
    text = repr(facts)
    for secret in (APP, READER, SUPERUSER, "SCRAM-SHA-256$"):
        assert secret not in text


@pytest.mark.parametrize(
    ("stored", "kind", "slow"),
    [
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "argon2id", True),
        ("argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA", "argon2id", True),  # Django
        ("{argon2}$argon2id$v=19$m=16384,t=2,p=1$c2FsdA$aGFzaA", "argon2id", True),  # Spring
        ("$argon2i$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "other", False),
        ("$2b$12$KIXQ1Yd7c0N0h7E8z5uO7eJx", "bcrypt", True),
        ("$2y$10$KIXQ1Yd7c0N0h7E8z5uO7eJx", "bcrypt", True),  # Laravel
        ("{bcrypt}$2a$10$KIXQ1Yd7c0N0h7E8z5uO7eJx", "bcrypt", True),
        ("bcrypt_sha256$$2b$12$KIXQ1Yd7c0N0h7E8z5uO7eJx", "bcrypt", True),
        ("$2b$04$KIXQ1Yd7c0N0h7E8z5uO7eJx", "bcrypt", False),
        ("scrypt:32768:8:1$salt$hash", "scrypt", True),  # Werkzeug
        ("scrypt", "scrypt", True),  # a column of schemes
        ("$7$C6..../....salt$hash", "scrypt", True),
        ("$y$j9T$salt$hash", "yescrypt", True),
        ("pbkdf2_sha256$870000$salt$hash", "pbkdf2-sha256", True),
        ("pbkdf2_sha256$20000$salt$hash", "pbkdf2-sha256", False),
        ("pbkdf2:sha256:600000$salt$hash", "pbkdf2-sha256", True),
        ("$pbkdf2-sha512$25000$salt$hash", "pbkdf2-sha512", False),
        ("5f4dcc3b5aa765d61d8327deb882cf99", "other", False),
        ("sha1$salt$hash", "other", False),
        ("hunter2", "other", False),
    ],
)
def test_how_people_s_passwords_are_stored(
    server: Postgres, tmp_path: Path, stored: str, kind: str, slow: bool
) -> None:
    """Schemes are told as frameworks write them; nothing of what is stored leaves the server but its kind."""
    server.rules("hostssl shop app,reader 127.0.0.1/32 scram-sha-256")
    values = f"('{stored}'), (NULL), (''), ('!unusable')"
    keys = f'[auth]\npassword_hash_query = """SELECT v FROM (VALUES {values}) AS stored(v);"""\n'
    facts = seen(tmp_path, server, ["human_passwords"], keys)["human_passwords"]
    ((found, n),) = [(one.kind, one.n) for one in facts.stored]
    assert (found, n) == (kind, 1), facts
    assert not re.search("salt|hash.?[)\"']|c2FsdA|KIXQ|hunter2|5f4d", repr(facts.stored))
    judged = suite("pre_deploy/test_security_passwords.py")
    logins = DefaultLoginsFacts((), (), "/login", 401, 401)
    with pytest.raises((Unproven, AssertionError)) as why:
        judged["test_passwords_of_people"](facts, logins, LIMITS)
    assert isinstance(why.value, Unproven) is slow, why.value


def test_the_column_of_hashes_is_found(server: Postgres, tmp_path: Path) -> None:
    """Without a query, the usual names are looked for, where the reader may read them."""
    server.rules("hostssl shop app,reader 127.0.0.1/32 scram-sha-256")
    server.run(
        "CREATE TABLE notes (password text)",
        "CREATE TABLE auth_user (id int, password varchar(128))",
        "INSERT INTO auth_user VALUES (1, 'pbkdf2_sha256$870000$salt$hash')",
    )
    try:
        facts = seen(tmp_path, server, ["human_passwords"])["human_passwords"]
        assert facts.stored is None
        assert "auth.password_hash_query" in facts.stored_why
        server.run("GRANT SELECT (password) ON auth_user TO reader", "GRANT SELECT ON notes TO reader")
        facts = seen(tmp_path, server, ["human_passwords"])["human_passwords"]
        assert (facts.stored_in, facts.stored[0].kind) == ("public.auth_user.password", "pbkdf2-sha256")
    finally:
        server.run("DROP TABLE notes, auth_user")
