"""Servers that answer nonsense: whatever they print, the probes see facts, or nothing, and never break."""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes import host_parse, registry
from pytest_deploycheck.record import jsonable
from pytest_deploycheck.target import Target, load
from pytest_deploycheck.transports.shell import Done

HUGE = "9" * 400
PIECES = (
        "", "\n", " ", "=", "-1", "0", HUGE, "1e999", "nan", "inf", "\x00", "\ud800", "é", "{", "}", "[]", "null", "{}",
        '[null, 1, "a", {}]', '[{"State": 1}]', '[{"State": {"Running": true}, "HostConfig": 5, "Mounts": 7}]',
        '[{"State": {"Running": true}, "HostConfig": {"Memory": "x"}, "Mounts": ["a"], "Config": [1]}]',
        '[{"State": {"Running": true}, "Config": {"Image": 1, "Entrypoint": "sh", "Cmd": {"a": 1}}}]',
        '{"DockerRootDir": 5}', '{"DockerRootDir": "/x y; reboot"}', '{"store": [], "DockerRootDir": null}',
        "cpu  1 2 3 4 5 6 7 8\n", f"cpu  {HUGE} 2 3 4 5 6 7 8\ncpu0 1\n", "MemTotal: 0 kB\n", f"MemTotal: {HUGE} kB\n",
        "Id=certbot.timer\nTriggers= \nActiveState=active\n", "Id=a.timer\nExecMainStatus=" + HUGE, "ID=x\n",
        f"LastTriggerUSec=Tue {'9' * 4}-99-99 99:99:99 UTC\nId=certbot.timer\n\n", "max", "100 0", f"{HUGE} 1",
        f"tcp LISTEN 0 1 [::]:{HUGE} x users:((", "tcp LISTEN 0 1 *:80 *:* users:((\"caddy\",pid=1", "==> /a <==\n",
        f"==> /srv/live/x/fullchain.pem <==\n{HUGE}\n", "==> /a <==\nLe_NextRenewTime='" + HUGE + "'\n",
        "==> /srv/log <==\n" + HUGE, "600 root root\n-----BEGIN PUBLIC KEY-----", "certificate !!!!\n",
        "certificate LS0tLS1CRUdJTg==\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certbot renew",
        "File\n/ a b 0 0 0 0 /\n", f"File\n/ a b {HUGE} {HUGE} {HUGE} {HUGE} /\n", "h\n/dev/x -1 2 3 4% /\n",
)  # fmt: skip


class Nonsense:
    """A server whose every answer is drawn by chance."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - nonsense needs no secrecy
        self._done: dict[str, Done] = {}

    def servers(self) -> tuple[str, ...]:
        """Return the one server."""
        return ("local://",)

    def dead_servers(self) -> dict[str, str]:
        """Return none."""
        return {}

    def read(self, command: str, server: str = "") -> Done:
        """Return what was drawn for a command."""
        if command not in self._done:
            out, err = ("".join(self._chance.choices(PIECES, k=self._chance.randrange(5))) for _ in range(2))
            status = self._chance.choice((0, 0, 1, 127))
            self._done[command] = Done(status, out, err, 1.0, 2.0)
        return self._done[command]

    def fetch(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Read nothing yet."""
        return

    def sleep(self, seconds: float) -> None:
        """Wait for nothing."""
        return

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """Return a target with a server."""
    path = tmp_path_factory.mktemp("target") / "target.toml"
    path.write_text(
        '[target]\nname = "t"\nenvironment = "staging"\nbase_url = "https://a.example"\n[host]\nuri = "local://"\n'
        '[cert]\nlog = "/srv/log"\nfiles = [{ chain = "/a", key = "/b" }]\n'
    )
    return load(path)


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_nonsense_from_a_server(target: Target, seed: int) -> None:
    """Both probes take any answer; what they make of it can be written down, and judged without a bug."""
    connect: Any = Nonsense(seed)
    try:
        host = registry()["host"].function(target=target, connect=connect, limits=target.limits)
        acme = registry()["acme"].function(target=target, connect=connect, host_facts=host)
    except CannotLook:
        return
    for name, facts in (("host", host), ("acme", acme)):
        written = json.loads(json.dumps(jsonable(facts)))
        assert registry()[name].revive(written)
    _judge(host, target)


def _judge(host: Any, target: Target) -> None:
    from pytest_deploycheck.check import Unproven

    suite = importlib.import_module("tests.suites.checks").suite("pre_deploy/test_infrastructure.py")
    for function in suite.values():
        wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
        values = {"host_facts": host, "limits": target.limits}
        if set(wanted) <= set(values):
            try:
                function(**{key: values[key] for key in wanted})
            except (AssertionError, Unproven):
                continue


@pytest.mark.parametrize("path", ["/x y", "/x; reboot", "/x$(reboot)", "x", "", None, 5, "/x\n", "/é"])
def test_a_path_of_a_server_is_no_command(path: object) -> None:
    """A path that is no plain one does not become part of a command."""
    assert host_parse.engine_root({"DockerRootDir": path}) == ""
    assert host_parse.engine_root({"DockerRootDir": "/var/lib/docker"}) == "/var/lib/docker"
