"""What watches over a load test, ours or a user's own locustfile: when to stop it at once.

A file for Locust, given to it beside the locustfile. It stops the run at too many errors, when a request goes
to another host, when the login fails, and when the process that started it is gone; it writes down why.
Environment: DEPLOYCHECK_LOAD_GUARD (JSON: stop_fail_ratio, host, notes: the file for the reasons).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from locust import events
from locust.event import EventHook
from locust.runners import MasterRunner, WorkerRunner

GUARD = json.loads(os.environ["DEPLOYCHECK_LOAD_GUARD"])
PARENT = os.getppid()
EVERY_S = 0.5
MIN_REQUESTS = 50  # fewer say nothing about a share of errors
_stopped: list[str] = []


@events.init.add_listener  # type: ignore[untyped-decorator]  # Locust has no types for it
def watch(environment: Any, **_: Any) -> None:
    """Start to watch; other files stop the run by `environment.events.deploycheck_stop.fire(why=...)`."""

    def stop(why: str, **_: Any) -> None:
        if _stopped:
            return
        _stopped.append(why)
        with Path(GUARD["notes"]).open("a", encoding="utf-8") as notes:
            notes.write(" ".join(why.split())[:300] + "\n")
        if isinstance(environment.runner, WorkerRunner):
            environment.runner.send_message("deploycheck_stop", {})
        else:
            # A greenlet of its own: it ends the users, one of whom may have called us.
            gevent.spawn(environment.runner.quit)

    def look() -> None:
        while not _stopped:
            gevent.sleep(EVERY_S)
            total = environment.stats.total
            counts = not isinstance(environment.runner, WorkerRunner) and total.num_requests >= MIN_REQUESTS
            if os.getppid() != PARENT:
                stop("the process that started the load test is gone")
            elif counts and total.fail_ratio > GUARD["stop_fail_ratio"]:
                share = f"{total.num_failures} of {total.num_requests} requests failed"
                stop(f"stopped early: {share}, more than {GUARD['stop_fail_ratio']:.0%}")

    def elsewhere(url: Any = None, **_: Any) -> None:
        if isinstance(url, str) and "://" in url and urlsplit(url)[:2] != urlsplit(GUARD["host"])[:2]:
            stop(f"stopped early: a request went to {urlsplit(url).netloc}")

    environment.events.deploycheck_stop = EventHook()  # type: ignore[no-untyped-call]  # nor for this
    environment.events.deploycheck_stop.add_listener(stop)
    environment.events.request.add_listener(elsewhere)
    if isinstance(environment.runner, MasterRunner):
        environment.runner.register_message(
            "deploycheck_stop", lambda environment, **_: environment.runner.quit()
        )
    if environment.runner is not None:
        gevent.spawn(look)
