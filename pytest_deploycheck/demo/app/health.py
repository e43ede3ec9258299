"""Health: every component is asked at once, with a deadline, so that a dead one cannot hold the answer up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from pytest_deploycheck.demo.app.db import one
from pytest_deploycheck.demo.app.models import Component, Health, Live, PublicConfig, Version
from pytest_deploycheck.demo.app.services import Services, services

router = APIRouter(tags=["operations"])
MIN_APP_VERSION = "1.3.0"
"""The oldest version of the mobile app that is served."""
_DEADLINE_S = 1.0
# An index that is this far behind, or a queue this old, no longer does its work.
_MAX_LAG_BLOCKS, _MAX_AGE_S = 60, 60
_STALE = timedelta(minutes=5)


class Check:
    """One component's check; while a call hangs, later callers wait for that one instead of adding theirs."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self._name, self._run = name, run
        self._lock = threading.Lock()
        self._running: Future[float] | None = None

    async def result(self) -> Component:
        """Ask the component; down when it fails or takes longer than the deadline."""
        started = time.monotonic()
        try:
            latency_s = await asyncio.wait_for(asyncio.wrap_future(self._start()), _DEADLINE_S)
        except TimeoutError:
            return Component(status="down", latency_ms=_DEADLINE_S * 1000, detail="no answer in time")
        except Exception as error:
            # The type says enough; a driver's message would name hosts and accounts.
            return Component(
                status="down", latency_ms=_ms(time.monotonic() - started), detail=type(error).__name__
            )
        return Component(status="ok", latency_ms=_ms(latency_s))

    def _start(self) -> Future[float]:
        with self._lock:
            if self._running is None or self._running.done():
                self._running = Future()
                threading.Thread(
                    target=self._work, args=(self._running,), name=self._name, daemon=True
                ).start()
            # A future of its own for each caller: one caller's timeout must not cancel the others'.
            return _copy(self._running)

    def _work(self, future: Future[float]) -> None:
        started = time.monotonic()
        try:
            self._run()
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(time.monotonic() - started)


def checks(parts: Services) -> dict[str, Check]:
    """Return the checks of an instance."""

    def db() -> None:
        with parts.db.transaction() as connection:
            one(connection, "SELECT 1")

    def rpc() -> None:
        head = parts.contract.head()
        parts.metrics.head_block.set(head)

    def queue() -> None:
        with parts.db.transaction() as connection:
            row: Any = one(
                connection,
                "SELECT block_number, EXISTS (SELECT FROM purchases WHERE status = 'pending'"
                " AND created_at < now() - %s * interval '1 s') AS old FROM indexer_cursor",
                _MAX_AGE_S,
            )
        if row["old"] or parts.contract.head() - row["block_number"] > _MAX_LAG_BLOCKS:
            raise RuntimeError("the index is behind")

    runs = {"db": db, "redis": parts.limiter.ping, "rpc": rpc, "queue": queue}
    return {name: Check(f"health-{name}", run) for name, run in runs.items()}


@router.get("/health", responses={503: {"model": Health, "description": "A component is down."}})
async def health(request: Request) -> Health:
    """Say whether the service and everything that it needs work."""
    parts = services(request)
    asked: dict[str, Check] = request.app.state.checks
    if parts.switches.on("health_shallow"):
        components = {name: Component(status="ok", latency_ms=0.1) for name in asked}
    else:
        components = dict(
            zip(asked, await asyncio.gather(*(one.result() for one in asked.values())), strict=True)
        )
    return _answer(parts, components)  # type: ignore[return-value]


@router.get("/health/live")
async def live() -> Live:
    """Say that the process answers, whatever its components do."""
    return Live()


@router.get("/version")
async def version(request: Request) -> Version:
    """Return the running release."""
    settings = services(request).settings
    return Version(version=settings.version, commit=settings.commit, environment=settings.environment)


@router.get("/config")
async def config(request: Request) -> PublicConfig:
    """Return what clients need to find the contract, and the oldest app that is still served."""
    settings = services(request).settings
    return PublicConfig(
        chain_id=settings.chain_id,
        contract_address=settings.contract_address,
        min_app_version=MIN_APP_VERSION,
    )


def _answer(parts: Services, components: dict[str, Component]) -> JSONResponse:
    on, settings = parts.switches.on, parts.settings
    if on("health_leaks"):
        for name, component in components.items():
            component.detail = f"{_leak(parts, name)}\nTraceback (most recent call last): File db.py, line 1"
    if on("health_degraded_200"):
        components["queue"] = Component(status="down", latency_ms=0.1)
    ok = all(component.status == "ok" for component in components.values())
    now = datetime.now(UTC) - (_STALE if on("health_stale") else timedelta())
    body = Health(
        status="ok" if ok else "degraded",
        version=settings.version,
        commit=settings.commit,
        timestamp=now.isoformat(timespec="milliseconds"),
        components=components,
    )
    headers = {"Cache-Control": "no-store"}
    if on("health_stale"):
        headers = {"Cache-Control": "public, max-age=600", "Age": str(int(_STALE.total_seconds()))}
    status = 200 if ok or on("health_degraded_200") else 503
    return JSONResponse(body.model_dump(exclude_none=True), status, headers)


def _leak(parts: Services, name: str) -> str:
    return {"redis": parts.settings.redis_url, "rpc": parts.settings.rpc_url}.get(
        name, parts.settings.database_url
    )


def _copy(source: Future[float]) -> Future[float]:
    copy: Future[float] = Future()

    def pass_on(done: Future[float]) -> None:
        if copy.set_running_or_notify_cancel():
            error = done.exception()
            if error is not None:
                copy.set_exception(error)
            else:
                copy.set_result(done.result())

    source.add_done_callback(pass_on)
    return copy


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
