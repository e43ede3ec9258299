"""Puts one instance together and serves it: `python -m pytest_deploycheck.demo.app`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import psycopg
import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pytest_deploycheck.demo.app import admin, auth, health, launch, problems, token, wallets
from pytest_deploycheck.demo.app.config import ConfigError, Settings
from pytest_deploycheck.demo.app.db import DatabaseBusy
from pytest_deploycheck.demo.app.faults import Faults
from pytest_deploycheck.demo.app.front import Front
from pytest_deploycheck.demo.app.indexer import Indexer
from pytest_deploycheck.demo.app.logs import LoggingBridge
from pytest_deploycheck.demo.app.models import ProblemDetails
from pytest_deploycheck.demo.app.services import Services
from pytest_deploycheck.demo.ether.rpc import RpcRefused, RpcUnavailable

_ROUTERS = (
    health.router,
    auth.public,
    auth.protected,
    wallets.router,
    token.public,
    token.protected,
    admin.admin,
    admin.internal,
    admin.debug,
)
_PROBLEM = {"model": ProblemDetails, "description": "A refusal, as problem details."}
_AWAY = (psycopg.OperationalError, DatabaseBusy, RpcUnavailable, RpcRefused)


def build(settings: Settings) -> Front:
    """Return the ASGI application of one instance."""
    parts = Services.build(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        indexer, faults = Indexer(parts), Faults(parts)
        indexer.start()
        faults.start()
        parts.log.write("info", "started", version=settings.version, commit=settings.commit)
        yield
        faults.stop()
        indexer.stop()
        parts.db.close()
        parts.log.write("info", "stopped")

    app = FastAPI(
        title="Token service",
        description="Buy and redeem tokens with a custodial wallet.",
        version=settings.version,
        servers=[{"url": settings.public_url}],
        docs_url=None,
        redoc_url=None,
        responses={"4XX": _PROBLEM, "5XX": _PROBLEM},
        lifespan=lifespan,
    )
    app.state.services = parts
    app.state.checks = health.checks(parts)
    problems.install(app)
    for kind in _AWAY:
        app.add_exception_handler(kind, _away)
    for router in _ROUTERS:
        app.include_router(router)
    # The routers' own lists: newer frameworks do not copy them into the application's.
    listed = (route for router in (*_ROUTERS, app) for route in router.routes)
    routes = [route for route in listed if isinstance(route, Route)]
    return Front(app, parts, routes)


async def _away(request: Request, error: Exception) -> JSONResponse:
    """Answer for a dependency that is away: the client may come back."""
    detail = "Something that this needs is away; try again."
    return problems.answer(request, 503, detail, {"Retry-After": "1"})


def serve(settings: Settings) -> None:
    """Serve one instance on its loopback port until a signal ends it; after SIGHUP it starts anew, in place."""
    app = build(settings)
    logging.basicConfig(handlers=[LoggingBridge(app.parts.log)], level=logging.WARNING)
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=settings.port,
        http="h11",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    again = threading.Event()

    def start_again(number: int, frame: FrameType | None) -> None:
        again.set()
        server.should_exit = True

    signal.signal(signal.SIGHUP, start_again)
    server.run()
    if not server.started:
        sys.exit(3)  # as uvicorn.run does: it did not come up
    if again.is_set():
        launch.again(settings.switches_file.with_name(".env"))


def main() -> None:
    """Read the environment and serve."""
    try:
        settings = Settings.from_env(os.environ)
    except ConfigError as error:
        sys.exit(f"deploycheck-demo-app: {error}")
    serve(settings)
