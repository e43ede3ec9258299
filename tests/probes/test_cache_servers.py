"""Redis as Debian ships it, in the shapes that others run: users only, a file of users, no rights to ask, TLS."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes import registry
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.transports.resp import Place, Refused, Resp
from pytest_deploycheck.verdict import Reason
from tests.probes.debian import certificates, redis7, target_file
from tests.suites.checks import suite

APP = "Vd8xJ2mQ-w4RkT7zPq9LsN3yB6cF0gHu"
CHECKS = "Qn5tY8wE-r3UiO7pAs2DfG6hJk9LzXcV"
DATA = suite("pre_deploy/test_security_data.py")
LIMITS = Limits()
USERS = (
    f"user default off\nuser app on #{sha256(APP.encode()).hexdigest()} ~app:* +@read +@write +ping\n"
    f"user checks on #{sha256(CHECKS.encode()).hexdigest()} -@all +ping +acl|list +acl|whoami +config|get +info\n"
)


def seen(folder: Path, url: str, env: list[str], keys: str = "", host: bool = True) -> dict[str, Any]:
    """Look at a cache; the facts by probe, or the observation without any."""
    text = f'[redis]\nurl = {{ file = "url" }}\n{keys}\n' + ('[host]\nuri = "local://"\n' if host else "")
    path = target_file(folder, text, {"url": url}, env)
    observed = Run(load(path)).gather(["redis", "redis_host"], registry())
    return {name: one.facts if one.state == "seen" else one for name, one in observed.items()}


def judge(facts: dict[str, Any]) -> None:
    """Run the checks of what is seen from inside."""
    DATA["test_redis_auth"](facts["redis"], LIMITS)
    DATA["test_redis_auth_users"](facts["redis"])
    DATA["test_redis_auth_lasts"](facts["redis_host"])


def test_users_in_a_file_and_no_requirepass(tmp_path: Path) -> None:
    """The default user is off, the application and these checks have users of their own."""
    with redis7(tmp_path, f"aclfile {tmp_path}/users.acl", files={"users.acl": USERS}) as port:
        env = [f"REDIS_URL=redis://app@127.0.0.1:{port}/0", f"REDIS_PASSWORD={APP}"]
        facts = seen(tmp_path, f"redis://checks:{CHECKS}@127.0.0.1:{port}/0", env)
        judge(facts)
        assert (facts["redis"].server, facts["redis"].user) == ("redis", "checks")
        assert facts["redis_host"].kept_in == (f"{tmp_path}/users.acl",)
        assert facts["redis_host"].user == "app"


def test_the_whole_address_in_one_key(tmp_path: Path) -> None:
    """Frameworks that take a REDIS_URL with everything in it are no worse."""
    with redis7(tmp_path, *USERS.strip().splitlines()) as port:
        env = [f"REDIS_URL=redis://app:{APP}@127.0.0.1:{port}/0"]
        facts = seen(tmp_path, f"redis://checks:{CHECKS}@127.0.0.1:{port}/0", env)
        judge(facts)
        assert facts["redis_host"].kept_in == (f"{tmp_path}/redis.conf",)


def test_requirepass_in_quotes(tmp_path: Path) -> None:
    """The last requirepass of a file counts, with or without quotes."""
    with redis7(tmp_path, "requirepass old", f'requirepass "{APP}"') as port:
        facts = seen(tmp_path, f"redis://:{APP}@127.0.0.1:{port}", [f"REDIS_PASSWORD={APP}"])
        judge(facts)


def test_a_rented_cache_is_unproven_and_not_accused(tmp_path: Path) -> None:
    """Where nobody may list users or see the configuration, and no server is ours, that is what is said."""
    digest = sha256(APP.encode()).hexdigest()
    rented = ("user default on #" + digest + " ~* &* +@all -acl -config -info",)
    with redis7(tmp_path, *rented) as port:
        facts = seen(tmp_path, f"redis://:{APP}@127.0.0.1:{port}", [f"REDIS_PASSWORD={APP}"], host=False)
        DATA["test_redis_auth"](facts["redis"], LIMITS)
        with pytest.raises(Unproven, match=re.escape("+acl|list +config|get +info")) as why:
            DATA["test_redis_auth_users"](facts["redis"])
        assert why.value.reason is Reason.NO_ACCESS
        with pytest.raises(Unproven, match="outlives a restart is unseen") as why:
            DATA["test_redis_auth_lasts"](facts["redis_host"])
        assert why.value.reason is Reason.NO_ACCESS


def test_a_guest_that_may_do_nothing_is_none(tmp_path: Path) -> None:
    """A user without password and without any command opens nothing; one command, and it is named."""
    lines = USERS.strip().splitlines()
    env = [f"REDIS_URL=redis://app:{APP}@127.0.0.1/0"]
    with redis7(tmp_path, *lines, "user probe on nopass -@all") as port:
        facts = seen(tmp_path, f"redis://checks:{CHECKS}@127.0.0.1:{port}", env)
        DATA["test_redis_auth_users"](facts["redis"])
    with redis7(tmp_path, *lines, "user probe on nopass ~* +get") as port:
        facts = seen(tmp_path, f"redis://checks:{CHECKS}@127.0.0.1:{port}", env)
        with pytest.raises(AssertionError, match=r"user probe needs no password and may run -@all \+get"):
            DATA["test_redis_auth_users"](facts["redis"])


def test_a_file_that_the_server_did_not_load(tmp_path: Path) -> None:
    """The right password in another file protects nothing after a restart."""
    other = tmp_path / "other.conf"
    other.write_text(f"requirepass {APP}\n")
    with redis7(tmp_path) as port:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"CONFIG SET requirepass {APP}\r\n".encode())
            assert connection.recv(64) == b"+OK\r\n"
        keys = f'config_files = ["{other}"]'
        facts = seen(tmp_path, f"redis://:{APP}@127.0.0.1:{port}", [f"REDIS_PASSWORD={APP}"], keys)
        with pytest.raises(AssertionError, match="a restart forgets it"):
            DATA["test_redis_auth_lasts"](facts["redis_host"])


def test_over_tls(tmp_path: Path) -> None:
    """A rediss:// address is spoken to over TLS, with the target's own authority; another one is refused."""
    certificates(tmp_path)
    names = {"tls-cert-file": "server.pem", "tls-key-file": "server.key", "tls-ca-cert-file": "ca.pem"}
    tls = [f"{name} {tmp_path / file}" for name, file in names.items()]
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        secure = one.getsockname()[1]
    with redis7(tmp_path, f"requirepass {APP}", f"tls-port {secure}", "tls-auth-clients no", *tls):
        place = Place.of(f"rediss://:{APP}@127.0.0.1:{secure}/0")
        good = Resp(place, enter=str, remaining=lambda: 5.0, verify=str(tmp_path / "ca.pem"))
        assert [good.word("PING"), good.auth(APP), good.word("PING")] == ["NOAUTH", "OK", "PONG"]
        with pytest.raises(CannotLook, match="no TLS with"):
            Resp(place, enter=str, remaining=lambda: 5.0).word("PING")


@contextmanager
def answering(reply: bytes) -> Iterator[Resp]:
    """Serve one connection with these bytes to whatever is asked."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    place = Place.of(f"redis://127.0.0.1:{server.getsockname()[1]}")
    client = Resp(place, enter=lambda action: None, remaining=lambda: 2.0)
    try:
        yield client
    finally:
        client.close()
        thread.join()
        server.close()


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (b"+PONG\r\n", "PONG"),
        (b":7\r\n", 7),
        (b"$-1\r\n", None),
        (b"$5\r\na\r\nb!\r\n", "a\r\nb!"),
        (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", ["a", [1]]),
        (b"*-1\r\n", None),
    ],
)
def test_replies(reply: bytes, found: object) -> None:
    """Each kind of reply becomes text, a number, a list or nothing."""
    with answering(reply) as resp:
        assert resp.ask("PING") == found


def test_an_error_is_a_refusal_by_its_first_word() -> None:
    """What the server says no with is kept word for word."""
    with answering(b"-DENIED Redis is running in protected mode because ...\r\n") as resp:
        with pytest.raises(Refused) as refusal:
            resp.ask("PING")
        assert refusal.value.word == "DENIED"


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$99999999999\r\n",
        b"*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n",
        b":x\r\n",
    ],
)
def test_what_is_no_resp_is_no_answer(reply: bytes) -> None:
    """Another protocol, absurd lengths and endless nesting are unparseable, and no alarm."""
    with answering(reply) as resp, pytest.raises(CannotLook) as why:
        resp.ask("PING")
    assert why.value.reason is Reason.UNPARSEABLE


def test_a_reply_that_breaks_off_is_a_dead_gate() -> None:
    """A server that hangs up in the middle is not there."""
    with answering(b"$10\r\nabc") as resp, pytest.raises(Dead, match="closed the connection"):
        resp.ask("INFO")


@pytest.mark.parametrize(
    "words",
    [
        ("FLUSHALL",),
        ("CONFIG", "SET", "requirepass", ""),
        ("ACL", "SETUSER", "a"),
        ("SHUTDOWN",),
        ("EVAL", ""),
    ],
)
def test_what_acts_is_never_sent(words: tuple[str, ...]) -> None:
    """Only reads are on the list; anything else is refused before a connection is made."""
    resp = Resp(Place.of("redis://127.0.0.1:1"), enter=lambda action: None, remaining=lambda: 1.0)
    with pytest.raises(CannotLook, match="not on the list of reads"):
        resp.ask(*words)


@pytest.mark.parametrize("address", ["http://a", "redis://", "redis://a:b", "nonsense"])
def test_addresses_that_are_none(address: str) -> None:
    """They are refused without being repeated, since they may hold a password."""
    with pytest.raises(CannotLook, match=r"redis\.url"):
        Place.of(address)
