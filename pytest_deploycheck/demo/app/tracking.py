"""Reports unexpected errors to a Sentry-compatible tracker, in the background."""

from __future__ import annotations

import json
import queue
import sys
import threading
import traceback
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3
from starlette.requests import Request
from urllib3.util import Timeout, parse_url

_CLIENT = "deploycheck-demo/1.0"
_SECRET_HEADERS = {"authorization", "cookie", "x-api-key", "proxy-authorization"}


class Tracker:
    """Sends events one after the other from a thread of its own; a full queue drops the event."""

    def __init__(self, dsn: str, release: str, server_name: str) -> None:
        self._release, self._server_name = release, server_name
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue(100)
        self._pool = urllib3.PoolManager(timeout=Timeout(5.0), retries=False)
        self.enabled = bool(dsn)
        if not dsn:
            return
        parsed = parse_url(dsn)
        prefix, _, project = (parsed.path or "/").rpartition("/")
        port = f":{parsed.port}" if parsed.port else ""
        self._url = f"{parsed.scheme}://{parsed.host}{port}{prefix}/api/{project}/envelope/"
        self._dsn, self._key = dsn, (parsed.auth or "").partition(":")[0]
        threading.Thread(target=self._run, name="tracker", daemon=True).start()

    def report(self, error: BaseException, transaction: str, request: Request) -> str | None:
        """Queue an error and return its event id; None when tracking is off or the queue is full."""
        if not self.enabled:
            return None
        event_id = uuid.uuid4().hex
        frames = [
            {
                "filename": Path(frame.filename).name,
                "function": frame.name,
                "lineno": frame.lineno,
                "in_app": "/demo/app/" in frame.filename,
            }
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        event = {
            "event_id": event_id,
            "timestamp": datetime.now(UTC).isoformat(),
            "platform": "python",
            "level": "error",
            "environment": "production",
            "release": self._release,
            "server_name": self._server_name,
            "transaction": transaction,
            "tags": {"request_id": request.state.request_id},
            "request": {
                "method": request.method,
                "url": str(request.url.replace(query="")),
                "headers": {
                    name: "[Filtered]" if name in _SECRET_HEADERS else value
                    for name, value in request.headers.items()
                },
            },
            "contexts": {"runtime": {"name": "CPython", "version": sys.version.split()[0]}},
            "exception": {
                "values": [
                    {
                        "type": type(error).__name__,
                        "value": str(error)[:500],
                        "stacktrace": {"frames": frames},
                    }
                ]
            },
        }
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            return None
        return event_id

    def _run(self) -> None:
        while True:
            event = self._queue.get()
            try:
                self._send(event)
            except urllib3.exceptions.HTTPError:
                continue  # an unreachable tracker must not hurt the service

    def _send(self, event: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat()
        header = {"event_id": event["event_id"], "sent_at": now, "dsn": self._dsn}
        lines = (json.dumps(header), json.dumps({"type": "event"}), json.dumps(event))
        auth = f"Sentry sentry_version=7, sentry_client={_CLIENT}, sentry_key={self._key}"
        headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth}
        self._pool.request("POST", self._url, body="\n".join(lines), headers=headers)
