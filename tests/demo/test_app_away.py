"""The service while something that it needs is away: quick answers, the right blame, and quick recovery."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.app.config import ConfigError, Settings
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.process import StartError
from pytest_deploycheck.demo.world import World
from tests.demo.api import Answer, Api
from tests.demo.web import eventually


@pytest.fixture
def api(served: Deployment) -> Api:
    """Return a client of the first instance."""
    return Api(served.world)


@contextmanager
def frozen(deployment: Deployment, name: str) -> Iterator[None]:
    """Stop a server in its tracks: connections open, answers never come."""
    main = deployment.service(name).pid or 0
    assert main
    # PostgreSQL's backends have process groups of their own.
    family = [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def health_of(api: Api) -> tuple[Answer, float]:
    """Ask for health; the answer, and how many seconds it took."""
    started = time.monotonic()
    answer = api.ask("/health")
    return answer, time.monotonic() - started


@pytest.mark.parametrize(
    ("server", "blamed"),
    [("postgres", {"db", "queue"}), ("valkey", {"redis"}), ("rpc", {"rpc", "queue"})],
)
def test_health_blames_what_hangs(served: Deployment, api: Api, server: str, blamed: set[str]) -> None:
    """With a server that hangs, health is 503 within two seconds however often it is asked, and recovers."""
    with frozen(served, server):
        for _ in range(3):
            answer, took_s = health_of(api)
            assert (answer.status, answer.json["status"]) == (503, "degraded")
            down = {name for name, one in answer.json["components"].items() if one["status"] == "down"}
            assert down == blamed
            assert took_s < 2
        assert api.ask("/health/live").status == 200
    assert eventually(lambda: api.ask("/health").status == 200, within_s=10)


@pytest.mark.parametrize("server", ["postgres", "valkey"])
def test_service_survives_a_restart(served: Deployment, api: Api, server: str) -> None:
    """After a server was restarted the service works again at once, without being restarted itself."""
    token = api.token()
    served.service(server).stop()
    try:
        answer, took_s = health_of(api)
        assert answer.status == 503
        assert took_s < 2
        if server == "postgres":
            refused = api.ask("/me", token=token)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        else:
            # Without its store the limiter lets requests pass rather than refuse them all.
            assert api.ask("/token/quote").status == 200
    finally:
        served.service(server).start()
        served.service(server).wait_ready()
    assert [api.ask("/me", token=token).status for _ in range(5)] == [200] * 5
    assert eventually(lambda: api.ask("/health").status == 200, within_s=10)


def test_stale_connections_are_noticed_before_use(served: Deployment, api: Api) -> None:
    """After a restart that no request met, not one request fails for a connection from before it."""
    token = api.token()
    with api.switched(slow_query=True), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: api.ask("/me", token=token), range(8)))
    served.restart("postgres")
    assert [api.ask("/me", token=token).status for _ in range(8)] == [200] * 8


def test_another_instance_takes_the_index_over(served: Deployment, api: Api) -> None:
    """When the leading instance stops, the other one goes on indexing."""

    def leads(name: str) -> bool:
        return "app_indexer_leader 1.0" in Api(served.world, name).ask("/metrics").text

    assert eventually(lambda: leads("app1") != leads("app2"))
    leader = "app1" if leads("app1") else "app2"
    other = "app2" if leader == "app1" else "app1"
    served.service(leader).stop()
    try:
        assert eventually(lambda: leads(other), within_s=10)
    finally:
        served.service(leader).start()
        served.service(leader).wait_ready()
    assert eventually(lambda: Api(served.world, leader).ask("/health").status == 200, within_s=10)


class Tracker(BaseHTTPRequestHandler):
    """Keeps the envelopes that it is sent."""

    envelopes: list[tuple[str, str, list[Any]]] = []  # noqa: RUF012 - one list for the one server

    def do_POST(self) -> None:
        """Take one envelope."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        parts = [json.loads(line) for line in body.splitlines()]
        self.envelopes.append((self.path, self.headers["X-Sentry-Auth"], parts))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_errors_reach_the_tracker(served: Deployment) -> None:
    """An unexpected error becomes one envelope with release and stack and no secret; switched off, none."""
    tracker = ThreadingHTTPServer(("127.0.0.1", 0), Tracker)
    threading.Thread(target=tracker.serve_forever, daemon=True).start()
    kept = service.env_file(served.world).read_text()
    try:
        service.set_env(served.world, SENTRY_DSN=f"http://public@127.0.0.1:{tracker.server_port}/7")
        served.restart("app1")
        api = Api(served.world)
        token = api.token("admin")
        with api.switched(errors_off=True):
            assert api.ask("/debug/error", token=token).status == 500
        answer = api.ask("/debug/error", token=token, headers={"X-Request-ID": "the-second-error"})
        assert answer.status == 500
        assert "Traceback" not in answer.text
        assert eventually(lambda: Tracker.envelopes)
        (path, auth, (header, item, event)), *more = Tracker.envelopes
        assert more == []
        assert path == "/api/7/envelope/"
        assert "sentry_key=public" in auth
        assert (header["event_id"], item["type"]) == (event["event_id"], "event")
        assert event["release"] == served.world.release.version
        assert event["tags"] == {"request_id": "the-second-error"}
        (error,) = event["exception"]["values"]
        assert error["type"] == "TestError"
        assert error["stacktrace"]["frames"][-1]["function"] == "error"
        assert token not in json.dumps(event)
        assert api.ask("/debug/error", token=api.token("test")).status == 403
    finally:
        service.env_file(served.world).write_text(kept)
        served.restart("app1")
        tracker.shutdown()


def test_environment_is_all_that_configures_it(served: Deployment) -> None:
    """The process's environment is exactly what the file says, and the file is for its owner only."""
    path = service.env_file(served.world)
    assert path.stat().st_mode & 0o077 == 0
    pid = served.service("app1").pid
    inside = dict(
        pair.partition("=")[::2] for pair in Path(f"/proc/{pid}/environ").read_text().split("\0") if pair
    )
    written = dict(line.partition("=")[::2] for line in path.read_text().splitlines())
    assert {name: inside[name] for name in written} == {k: v.strip('"') for k, v in written.items()}
    template = service.template_file(served.world).read_text().splitlines()
    assert [line.partition("=")[0] for line in template if not line.startswith("#")] == list(written)


def test_missing_variables_are_named(tmp_path: Path, served: Deployment) -> None:
    """Without a variable the service says which one and does not start; no value is shown."""
    environ = {"INSTANCE": "x", "PORT": "12", "PUBLIC_URL": "https://x", "PRIVATE_KEY": "0x12"}
    with pytest.raises(ConfigError, match="PRIVATE_KEY is not 0x and 64 hex digits") as caught:
        Settings.from_env(environ)
    assert "0x12" not in str(caught.value)
    with pytest.raises(ConfigError, match="INSTANCE is not set"):
        Settings.from_env({"PORT": "12", "PRIVATE_KEY": "0x" + "1" * 64})
    world = World(tmp_path)
    for name in ("ca.pem",):
        world.path("certs", name).touch()
    first = service.daemons(world)[0]
    service.set_env(world, JWT_SECRET=None)
    first.start()
    with pytest.raises(StartError, match="JWT_SECRET is not set"):
        first.wait_ready()
