"""Faults of the way that an alert takes to a person."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.harness import fault
from tests.faults.tools import edited, reloaded

ALERTING = "pre_deploy.security.alerting"
RULES = "post_deploy.monitoring.rules"
PARTS = ("alertmanager", "prometheus")


def routes(demo: Deployment, *changes: tuple[str, str]) -> AbstractContextManager[None]:
    """Edit Alertmanager's configuration and put it into force."""
    return reloaded(demo, "alertmanager", demo.world.path("alertmanager", "alertmanager.yml"), *changes)


@fault(ALERTING, "critical alerts go nowhere", probes=("alertmanager",), needs=PARTS)
@contextmanager
def critical_dropped(demo: Deployment) -> Iterator[None]:
    """Send critical alerts to a receiver without any integration."""
    with routes(
        demo, ("- receiver: pager", "- receiver: nobody"), ("receivers:\n", "receivers:\n  - name: nobody\n")
    ):
        time.sleep(0.5)
        yield


@fault(ALERTING, "unknown alerts go nowhere", probes=("alertmanager",), needs=PARTS)
@contextmanager
def default_dropped(demo: Deployment) -> Iterator[None]:
    """Let the default route end in a receiver without any integration."""
    with routes(
        demo,
        ("route:\n  receiver: tickets", "route:\n  receiver: nobody"),
        ("receivers:\n", "receivers:\n  - name: nobody\n"),
    ):
        time.sleep(0.5)
        yield


@fault(ALERTING, "a configuration that was refused", probes=("alertmanager",), needs=PARTS)
@contextmanager
def refused(demo: Deployment) -> Iterator[None]:
    """Reload a configuration whose route names a receiver that is not there."""
    with routes(demo, ("- receiver: pager", "- receiver: paper")):
        time.sleep(0.5)
        yield


@fault(ALERTING, "Prometheus knows no Alertmanager", probes=("alertmanager",), needs=PARTS)
@contextmanager
def nobody_told(demo: Deployment) -> Iterator[None]:
    """Take the block `alerting` out of Prometheus's configuration."""
    path = demo.world.path("prometheus", "prometheus.yml")
    port = demo.world.port("alertmanager")
    block = f'alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: ["127.0.0.1:{port}"]\n'
    with reloaded(demo, "prometheus", path, (block, "")):
        time.sleep(0.5)
        yield


@fault(ALERTING, "Prometheus tells another Alertmanager", probes=("alertmanager",), needs=PARTS)
@contextmanager
def another_told(demo: Deployment) -> Iterator[None]:
    """Point Prometheus elsewhere; ours is restarted, so that it knows nothing from before."""
    path = demo.world.path("prometheus", "prometheus.yml")
    port = demo.world.port("alertmanager")
    block = f'alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: ["127.0.0.1:{port}"]\n'
    with reloaded(demo, "prometheus", path, (block, block.replace(str(port), "9"))):
        demo.restart("alertmanager")
        yield


@fault(
    ALERTING,
    "what is sent does not arrive",
    probes=("alertmanager",),
    needs=PARTS,
    limits={"alert_delivered_max_age_s": 8},
)
@contextmanager
def undelivered(demo: Deployment) -> Iterator[None]:
    """Point every integration to a port where nothing listens, until the watchdog has been sent again."""
    with routes(demo, (demo.world.url("webhook"), "http://127.0.0.1:9")):
        time.sleep(19)
        yield


@fault(ALERTING, "nobody is told of guessed passwords", probes=("alertmanager",), also=(RULES,), needs=PARTS)
@contextmanager
def surge_unwatched(demo: Deployment) -> Iterator[None]:
    """Rename the rule and take its expression away from logins."""
    path = demo.world.path("prometheus", "rules", "security.yml")
    changes = (("LoginFailuresSurge", "Quiet"), ('route="/auth/login",status=~"4.."', 'route="/token"'))
    with edited(path, *changes):
        demo.reload("prometheus")
        yield
    demo.reload("prometheus")
