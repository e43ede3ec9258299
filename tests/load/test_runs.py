"""Load tests that really run: Locust's processes against a small server that counts."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pytest_deploycheck.load.report import read
from pytest_deploycheck.load.runner import MANIFEST, Plan, commands, environment, run
from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.transports.login import ACCESS
from pytest_deploycheck.verdict import Reason


class Shop:
    """A service with a login; `failing` paths answer 500."""

    def __init__(self) -> None:
        self.logins = 0
        self.asked: Counter[str] = Counter()
        self.tokens: set[str] = set()
        self.failing: set[str] = set()
        self.token_life_s = 3600.0
        self.url = ""

    def token(self) -> str:
        """Make a token that says when it expires."""
        self.logins += 1
        claims = json.dumps({"exp": time.time() + self.token_life_s, "n": self.logins}).encode()
        made = f"eyJh.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.sig"
        self.tokens.add(made)
        return made


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Serve a shop on a free port."""
    service = Shop()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            service.asked[self.path] += 1
            known = self.headers.get("Authorization", "").removeprefix("Bearer ") in service.tokens
            status = 500 if self.path in service.failing else 200 if known or self.path == "/open" else 401
            self._answer(status, b"{}")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if body == {"username": "test", "password": "right"}:
                self._answer(200, json.dumps({"data": {"access_token": service.token()}}).encode())
            else:
                self._answer(401, b"{}")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield service
    server.shutdown()
    server.server_close()
    thread.join()


def plan(shop: Shop, **changes: object) -> Plan:
    """Return a plan of a second or so."""
    base = Plan(
        host=shop.url,
        users=4,
        rps=40,
        spawn_rate=100,
        duration_s=1,
        workers=0,
        locustfile=None,
        account=("test", "right"),
        settings={
            "endpoints": ["/a", "/b"],
            "ca_file": "",
            "login_path": "/login",
            "username_field": "username",
            "token_names": list(ACCESS),
        },
        stop_fail_ratio=0.02,
        commit="abc",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def patient() -> float:
    """Say that there is time."""
    return 60.0


def test_a_run_leaves_its_report(shop: Shop, tmp_path: Path) -> None:
    """Users come, ask each endpoint alike with one login's token, and the set and its manifest say so."""
    run(plan(shop), tmp_path / "report", patient)
    found = read(tmp_path / "report")
    assert shop.logins == 1
    assert found.total.failures == 0
    assert found.total.requests >= 40
    assert {one.name for one in found.routes} == {"/a", "/b"}
    assert abs(shop.asked["/a"] - shop.asked["/b"]) <= 1
    assert sum(one.requests for one in found.routes) == found.total.requests
    assert max(moment.users for moment in found.history) == 4
    assert (found.manifest["host"], found.manifest["commit"], found.altered) == (shop.url, "abc", ())
    assert "right" not in "".join(path.read_text() for path in (tmp_path / "report").iterdir())


def test_a_new_run_replaces_the_old_report(shop: Shop, tmp_path: Path) -> None:
    """The manifest is the last to come and the first to go, so that no set is half of one and half of another."""
    (tmp_path / MANIFEST).write_text(json.dumps({"commit": "old"}))
    run(plan(shop), tmp_path, patient)
    assert read(tmp_path).manifest["commit"] == "abc"


def test_workers_share_the_work(shop: Shop, tmp_path: Path) -> None:
    """A master gathers what two workers did; each of them logs in once."""
    run(plan(shop, workers=2, duration_s=3), tmp_path, patient)
    found = read(tmp_path)
    assert shop.logins == 2
    assert found.total.failures == 0
    assert found.total.requests >= 60
    assert found.manifest["workers"] == 2


def test_errors_stop_a_run(shop: Shop, tmp_path: Path) -> None:
    """Half of the requests fail, so a run of a minute is over after seconds, and says why."""
    shop.failing.add("/b")
    started = time.monotonic()
    run(plan(shop, duration_s=60), tmp_path, patient)
    found = read(tmp_path)
    assert time.monotonic() - started < 40
    assert "requests failed, more than 2%" in found.manifest["stopped"][0]
    assert found.errors[0][:2] == ("/b", "CatchResponseError('status 500')")


def test_errors_stop_workers(shop: Shop, tmp_path: Path) -> None:
    """The master sees the errors of its workers and ends them all."""
    shop.failing.add("/b")
    run(plan(shop, workers=1, duration_s=60), tmp_path, patient)
    assert "requests failed" in read(tmp_path).manifest["stopped"][0]


@pytest.mark.parametrize("workers", [0, 1])
def test_without_a_login_nothing_is_asked(shop: Shop, tmp_path: Path, workers: int) -> None:
    """A refused login ends the run before it begins, instead of measuring how fast 401 is."""
    started = time.monotonic()
    run(plan(shop, account=("test", "wrong"), workers=workers, duration_s=60), tmp_path, patient)
    assert time.monotonic() - started < 40
    found = read(tmp_path)
    assert found.total.requests == 0
    assert found.manifest["stopped"] == ["the login answers 401 and gives no token"]


def test_no_account_is_needed_for_open_endpoints(shop: Shop, tmp_path: Path) -> None:
    """Without an account nobody logs in, and open endpoints are asked all the same."""
    base = plan(shop)
    run(replace(base, account=None, settings={**base.settings, "endpoints": ["/open"]}), tmp_path, patient)
    assert (shop.logins, read(tmp_path).total.failures) == (0, 0)


def test_tokens_are_renewed(shop: Shop, tmp_path: Path) -> None:
    """A token that lives for a second is replaced before it dies, and no request pays for it."""
    shop.token_life_s = 1.5
    run(plan(shop, duration_s=4), tmp_path, patient)
    assert shop.logins >= 3
    assert read(tmp_path).total.failures == 0


OWN = """
    from locust import HttpUser, constant_pacing, task

    class Mine(HttpUser):
        wait_time = constant_pacing(0.1)

        @task
        def ask(self):
            self.client.get("{url}")
"""


def test_own_locustfiles_are_watched(shop: Shop, tmp_path: Path) -> None:
    """A user's own file runs as it is."""
    own = tmp_path / "mine.py"
    own.write_text(textwrap.dedent(OWN.format(url="/open")))
    run(plan(shop, locustfile=own), tmp_path / "report", patient)
    assert read(tmp_path / "report").routes[0].name == "/open"


def test_own_locustfiles_do_not_leave_the_host(shop: Shop, tmp_path: Path) -> None:
    """A request to another server ends the run."""
    own = tmp_path / "mine.py"
    own.write_text(textwrap.dedent(OWN.format(url=shop.url.replace("127.0.0.1", "localhost") + "/open")))
    started = time.monotonic()
    run(plan(shop, locustfile=own, duration_s=60), tmp_path / "report", patient)
    assert time.monotonic() - started < 40
    assert "a request went to localhost" in read(tmp_path / "report").manifest["stopped"][0]


def test_a_broken_locustfile_is_quoted(shop: Shop, tmp_path: Path) -> None:
    """Without a report Locust's own last words say why."""
    own = tmp_path / "mine.py"
    own.write_text("raise RuntimeError('not today')\n")
    with pytest.raises(CannotLook, match="not today") as why:
        run(plan(shop, locustfile=own), tmp_path / "report", patient)
    assert why.value.reason is Reason.NO_EVIDENCE


def running(mark: str) -> list[int]:
    """Return the processes with a word in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (
                mark in (entry / "cmdline").read_bytes().decode()
                and (entry / "stat").read_text().split()[2] != "Z"
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_look_that_is_over_ends_the_processes(shop: Shop, tmp_path: Path) -> None:
    """When the deadline comes, or the run is interrupted, master and worker are gone at once."""
    began = time.monotonic()

    def impatient() -> float:
        if time.monotonic() - began > 1:
            raise CannotLook(Reason.TIMEOUT, "over")
        return 1.0

    with pytest.raises(CannotLook, match="over"):
        run(plan(shop, workers=1, duration_s=60), tmp_path, impatient)
    assert not running(f"--host={shop.url}")


def test_a_killed_parent_leaves_no_load_behind(shop: Shop, tmp_path: Path) -> None:
    """If the process that started the test is killed, the test ends by itself."""
    script = (
        "import sys; from pathlib import Path; import tests.load.test_runs as t; shop = t.Shop(); "
        "shop.url = sys.argv[1]; t.run(t.plan(shop, duration_s=60), Path(sys.argv[2]), t.patient)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, shop.url, str(tmp_path)], cwd=Path(__file__).parents[2]
    )
    try:
        deadline = time.monotonic() + 30
        while not shop.asked and time.monotonic() < deadline:
            time.sleep(0.05)
        assert running(f"--host={shop.url}")
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 20
    while running(f"--host={shop.url}") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not running(f"--host={shop.url}")


def test_secrets_are_not_on_the_command_line(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account travels by environment only, where no setting of this machine's Locust is left."""
    monkeypatch.setitem(os.environ, "LOCUST_USERS", "9000")
    argv = [word for command in commands(plan(shop, workers=1), 5557) for word in command]
    assert "right" not in " ".join(argv)
    found = environment(plan(shop), Path("/somewhere"))
    assert found["DEPLOYCHECK_LOAD_PASSWORD"] == "right"
    assert "LOCUST_USERS" not in found
