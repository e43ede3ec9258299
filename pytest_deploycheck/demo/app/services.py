"""What one instance is made of; request handlers reach it through the application's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import Request

from pytest_deploycheck.demo.app.config import Settings
from pytest_deploycheck.demo.app.db import Database
from pytest_deploycheck.demo.app.limiter import Limiter
from pytest_deploycheck.demo.app.logs import JsonLog
from pytest_deploycheck.demo.app.metrics import Metrics
from pytest_deploycheck.demo.app.onchain import TokenContract
from pytest_deploycheck.demo.app.switches import Switches
from pytest_deploycheck.demo.app.tokens import Tokens
from pytest_deploycheck.demo.app.tracking import Tracker
from pytest_deploycheck.demo.ether.rpc import Rpc


@dataclass(frozen=True)
class Services:
    """The parts of one instance, made once at start."""

    settings: Settings
    switches: Switches
    log: JsonLog
    metrics: Metrics
    db: Database
    limiter: Limiter
    rpc: Rpc
    contract: TokenContract
    tokens: Tokens
    tracker: Tracker

    @classmethod
    def build(cls, settings: Settings) -> Services:
        """Make every part; none connects anywhere yet."""
        switches = Switches(settings.switches_file)
        switches.refresh()
        metrics = Metrics(settings.version, settings.commit)
        rpc = Rpc(lambda: str(switches.value("rpc_url") or settings.rpc_url), on_error=metrics.rpc_errors.inc)
        return cls(
            settings=settings,
            switches=switches,
            log=JsonLog(settings.log_file, settings.instance),
            metrics=metrics,
            db=Database(settings.database_url, settings.instance),
            limiter=Limiter(settings.redis_url, settings.redis_password, switches, metrics),
            rpc=rpc,
            contract=TokenContract(rpc, settings.contract_address, switches, metrics),
            tokens=Tokens(settings, switches),
            tracker=Tracker(settings.sentry_dsn, settings.version, settings.instance),
        )


def services(request: Request) -> Services:
    """Return the parts of the instance that serves a request."""
    return cast(Services, request.app.state.services)
