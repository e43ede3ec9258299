"""Faults of the edge's configuration: rate limits, headers, the load balancer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.harness import fault
from tests.faults.tools import edited, reloaded, stopped

RATE = "pre_deploy.security.rate_limit"
HEADERS = "pre_deploy.security.headers"
LB = "deploy.services.lb"
FORWARDED = "proxy_set_header X-Forwarded-For $remote_addr;"
DOCUMENTS = "limit_req zone=documents burst=3 nodelay;"
NOSNIFF = "add_header X-Content-Type-Options nosniff always;"


def configured(
    *changes: tuple[str, str], file: str = "nginx.conf"
) -> Callable[[Deployment], AbstractContextManager[None]]:
    """Return an injection that edits a file of nginx and reloads."""

    def inject(demo: Deployment) -> AbstractContextManager[None]:
        return reloaded(demo, "nginx", demo.world.path("nginx", file), *changes)

    return inject


for name, changes in {
    "a limit taken out of its location": ((DOCUMENTS, ""),),
    "a limit counted by what the client sends": (
        ("$binary_remote_addr zone=documents:", "$http_x_forwarded_for zone=claimed:"),
        ("zone=documents burst", "zone=claimed burst"),
    ),
    "a refusal is 503": (("limit_req_status 429;", ""),),
    "a limit that only pretends": (("limit_req_status 429;", "limit_req_status 429; limit_req_dry_run on;"),),
    "a burst as large as the policy": ((DOCUMENTS, "limit_req zone=documents burst=60 nodelay;"),),
    "everybody is believed to be a balancer": (
        (
            "limit_req_status 429;",
            "limit_req_status 429; set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For;",
        ),
    ),
    "the application is told what the client says": (
        (FORWARDED, "proxy_set_header X-Forwarded-For $http_x_forwarded_for;"),
    ),
}.items():
    fault(RATE, name, probes=("edge",), also=(LB,))(configured(*changes))

fault(RATE, "a login allowed five times a second", probes=("edge",), limits={"rate_login_per_min_max": 10})(
    configured()
)


@fault(RATE, "a configuration that is not in force", probes=("edge",), also=(HEADERS, LB))
@contextmanager
def not_in_force(demo: Deployment) -> Iterator[None]:
    """Edit a file without a reload, a minute after the workers began: both clocks have whole seconds only."""
    file = demo.world.path("nginx", "nginx.conf")
    times = file.stat()
    try:
        with edited(file, ("burst=3", "burst=2")):
            os.utime(file, (time.time() + 60, time.time() + 60))
            yield
    finally:
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@fault(RATE, "instances count each for itself", probes=("rate_store",))
@contextmanager
def own_memory(demo: Deployment) -> Iterator[None]:
    """Name a store in the instance's own memory."""
    with edited(demo.world.path("app", ".env"), ("REDIS_URL=redis://", "REDIS_URL=memory://")):
        yield


for name, file, changes in (
    ("a header added in one location", "nginx.conf", ((DOCUMENTS, f"{DOCUMENTS} add_header X-Foo 1;"),)),
    ("a header without always", "headers.conf", ((NOSNIFF, NOSNIFF.replace(" always", "")),)),
    ("a header forgotten", "headers.conf", ((NOSNIFF, ""),)),
    ("frames of any site", "headers.conf", (("frame-ancestors 'none'", "frame-ancestors *"),)),
    ("HSTS for a minute", "nginx.conf", (("max-age=31536000", "max-age=60"),)),
    ("the version is told", "nginx.conf", (("server_tokens off;", "server_tokens on;"),)),
):
    fault(HEADERS, name, probes=("edge",))(configured(*changes, file=file))


@fault(LB, "the second backend is stopped", probes=("balance",))
@contextmanager
def backend_stopped(demo: Deployment) -> Iterator[None]:
    """Stop one of two instances; the edge skips it silently."""
    with stopped(demo, "app2"):
        yield


@fault(LB, "an upstream points to an old port", probes=("balance", "edge"))
@contextmanager
def old_port(demo: Deployment) -> Iterator[None]:
    """Let a backend's address lead where nothing listens."""
    port = demo.world.port("app2")
    with reloaded(demo, "nginx", demo.world.path("nginx", "nginx.conf"), (f":{port} max", ":9 max")):
        yield


for name, changes in {
    "a backend is only for emergencies": (
        ("max_fails=1 fail_timeout=1s;\n        keepalive", "backup;\n        keepalive"),
    ),
    "a dead backend holds clients up": (("proxy_connect_timeout 2s;", ""),),
    "the upstream's name in place of the host": (
        ("proxy_set_header Host $host:", "proxy_set_header X-Was $host:"),
    ),
    "the scheme is what the client says": (
        ("X-Forwarded-Proto $scheme", "X-Forwarded-Proto $http_x_forwarded_proto"),
    ),
}.items():
    fault(LB, name, probes=("edge", "balance"))(configured(*changes))
