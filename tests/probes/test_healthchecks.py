"""Health checks: which of them say something of the service."""

from __future__ import annotations

import pytest

from pytest_deploycheck.probes.healthchecks import from_compose, from_inspect, judge, seconds


@pytest.mark.parametrize(
    ("test", "why"),
    [
        (["CMD", "true"], "always succeeds"),
        (["CMD", "/bin/true"], "always succeeds"),
        (["CMD-SHELL", "exit 0"], "always succeeds"),
        (["CMD-SHELL", "echo ok"], "always succeeds"),
        (["CMD", "sh", "-c", "exit 0"], "always succeeds"),
        (["CMD-SHELL", "redis-cli ping; exit 0"], "always succeeds"),
        (["CMD-SHELL", "wget -q -O- http://x/health || true"], "ends in `|| true`"),
        (["CMD-SHELL", "curl -f http://x || echo bad"], "ends in `|| echo`"),
        (["CMD-SHELL", "curl -f http://x || exit 0"], "ends in `|| exit 0`"),
        (["CMD", "nc", "-z", "localhost", "5432"], "only opens a connection"),
        (["CMD-SHELL", "nc -vz -w 2 localhost 3000 || exit 1"], "only opens a connection"),
        (["CMD-SHELL", "</dev/tcp/localhost/80"], "only opens a connection"),
        (
            ["CMD-SHELL", "timeout 5 bash -c ':> /dev/tcp/127.0.0.1/8080' || exit 1"],
            "only opens a connection",
        ),
        (["CMD-SHELL", "curl http://x/health || exit 1"], "takes a 500 for a success"),
        (["CMD", "curl", "-sS", "http://x"], "takes a 500 for a success"),
        (["CMD-SHELL", ""], "runs nothing"),
    ],
)
def test_trivial(test: list[str], why: str) -> None:
    """What cannot fail because the service does not serve is named as such."""
    assert why in judge(test)[1]


@pytest.mark.parametrize(
    ("test", "program"),
    [
        (["CMD-SHELL", "curl -f http://localhost || exit 1"], "curl"),
        (["CMD", "curl", "-fsS", "http://x"], "curl"),
        (["CMD", "curl", "--fail-with-body", "http://x"], "curl"),
        (["CMD-SHELL", "curl -s http://x/health | grep -q ok"], "curl"),
        (["CMD-SHELL", "test $(curl -s -o /dev/null -w '%{http_code}' http://x) = 200"], "test"),
        (["CMD-SHELL", "curl -f http://x || kill 1"], "curl"),
        (["CMD-SHELL", "pg_isready -U $$POSTGRES_USER -d x"], "pg_isready"),
        (["CMD", "redis-cli", "ping"], "redis-cli"),
        (["CMD-SHELL", "echo PING | nc localhost 6379 | grep PONG"], "echo"),
        (["CMD-SHELL", "if [ -f /tmp/x ]; then exit 0; else exit 1; fi"], "sh"),
        (["CMD-SHELL", "[ -f /tmp/ok ]"], "["),
        (["CMD", "/app/healthcheck"], "healthcheck"),
        (["CMD-SHELL", "python -c 'import urllib.request as r; r.urlopen(\"http://x\")'"], "python"),
        (["CMD", "node", "healthcheck.js"], "node"),
        (["CMD", "wget", "--spider", "-q", "http://localhost:8080/health"], "wget"),
        (["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80 && cat <&3 | grep 200"], "cat"),
        (["CMD-SHELL", "unbalanced 'quote"], "sh"),
    ],
)
def test_real(test: list[str], program: str) -> None:
    """What asks the service is left alone, and named by its program."""
    assert judge(test) == (program, "")


def test_both_writings() -> None:
    """Compose's words and the engine's nanoseconds give the same; what is not said is Docker's default."""
    declared = from_compose(
        {"test": ["CMD", "pg_isready"], "interval": "1m30s", "timeout": "500ms", "retries": 5}
    )
    made = from_inspect(
        {"Test": ["CMD", "pg_isready"], "Interval": 90 * 10**9, "Timeout": 5 * 10**8, "Retries": 5}
    )
    assert declared == made
    assert declared is not None and (declared.interval_s, declared.timeout_s) == (90.0, 0.5)
    plain = from_compose({"test": "pg_isready"})
    assert plain is not None and (plain.interval_s, plain.timeout_s, plain.retries) == (30.0, 30.0, 3)


def test_none() -> None:
    """Switched off, NONE, and nothing at all are no health check."""
    assert from_compose({}) is from_compose({"disable": True, "test": ["CMD", "x"]}) is None
    assert from_inspect({"Test": ["NONE"]}) is from_inspect({}) is None


@pytest.mark.parametrize(
    ("text", "value"), [("10s", 10), ("1m30s", 90), ("1h", 3600), ("200ms", 0.2), ("", None), (None, None)]
)
def test_seconds(text: str | None, value: float | None) -> None:
    """Durations as Compose writes them."""
    assert seconds(text) == value
