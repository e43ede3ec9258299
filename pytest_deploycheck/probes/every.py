"""Every probe of ours: one conversation a file, one line each here. Importing this imports no client library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_deploycheck.probes.acme import acme
from pytest_deploycheck.probes.admin_events import admin_events
from pytest_deploycheck.probes.alertmanager import alertmanager
from pytest_deploycheck.probes.alerts_now import alerts_now
from pytest_deploycheck.probes.api_docs import api_docs
from pytest_deploycheck.probes.api_keys import api_keys
from pytest_deploycheck.probes.api_routes import api_routes
from pytest_deploycheck.probes.archiver import archiver
from pytest_deploycheck.probes.auth import auth
from pytest_deploycheck.probes.authz import authz
from pytest_deploycheck.probes.authz_writes import authz_writes
from pytest_deploycheck.probes.backup import backup, backup_gate
from pytest_deploycheck.probes.backup_age import backup_age
from pytest_deploycheck.probes.backup_jobs import backup_jobs
from pytest_deploycheck.probes.balance import balance
from pytest_deploycheck.probes.books import books
from pytest_deploycheck.probes.builds import builds
from pytest_deploycheck.probes.burst import burst
from pytest_deploycheck.probes.calendar import calendar
from pytest_deploycheck.probes.chain import chain
from pytest_deploycheck.probes.checkouts import checkout
from pytest_deploycheck.probes.ci import ci
from pytest_deploycheck.probes.communication import communication
from pytest_deploycheck.probes.contacts import contacts
from pytest_deploycheck.probes.contract import contract
from pytest_deploycheck.probes.contract_address import contract_address
from pytest_deploycheck.probes.cors import cors
from pytest_deploycheck.probes.db_activity import db_activity
from pytest_deploycheck.probes.db_containers import db_containers
from pytest_deploycheck.probes.db_logins import db_logins
from pytest_deploycheck.probes.db_schema import db_schema
from pytest_deploycheck.probes.db_server import db_server
from pytest_deploycheck.probes.db_stats import db_stats
from pytest_deploycheck.probes.default_logins import default_logins
from pytest_deploycheck.probes.dependencies import dependencies
from pytest_deploycheck.probes.detectors import detectors
from pytest_deploycheck.probes.dns import dns
from pytest_deploycheck.probes.docker import docker
from pytest_deploycheck.probes.docker_steady import docker_steady
from pytest_deploycheck.probes.docs import docs
from pytest_deploycheck.probes.dr_plan import dr_plan
from pytest_deploycheck.probes.drill import drill
from pytest_deploycheck.probes.drill_times import drill_times
from pytest_deploycheck.probes.edge import edge
from pytest_deploycheck.probes.env_file import env_file
from pytest_deploycheck.probes.env_loaded import env_loaded
from pytest_deploycheck.probes.env_wire import env_wire
from pytest_deploycheck.probes.errors import errors
from pytest_deploycheck.probes.evidence import evidence
from pytest_deploycheck.probes.explorer import explorer
from pytest_deploycheck.probes.final_scans import final_scans
from pytest_deploycheck.probes.firewall import firewall
from pytest_deploycheck.probes.gas import gas
from pytest_deploycheck.probes.gates import GATE_PROBES
from pytest_deploycheck.probes.grafana import grafana
from pytest_deploycheck.probes.green import green
from pytest_deploycheck.probes.health import health
from pytest_deploycheck.probes.host import host
from pytest_deploycheck.probes.http_matrix import http_matrix
from pytest_deploycheck.probes.human_passwords import human_passwords
from pytest_deploycheck.probes.image_registry import registry as image_registry
from pytest_deploycheck.probes.integrity import integrity
from pytest_deploycheck.probes.journeys import journeys
from pytest_deploycheck.probes.junit import junit
from pytest_deploycheck.probes.jwt_key import jwt_key
from pytest_deploycheck.probes.known_holes import known_holes
from pytest_deploycheck.probes.latency import latency
from pytest_deploycheck.probes.ledger import ledger
from pytest_deploycheck.probes.load import load
from pytest_deploycheck.probes.lock_history import lock_history
from pytest_deploycheck.probes.log_flow import log_flow
from pytest_deploycheck.probes.log_scan import log_scan
from pytest_deploycheck.probes.migrations import migrations
from pytest_deploycheck.probes.mobile import mobile
from pytest_deploycheck.probes.mobile_links import mobile_links
from pytest_deploycheck.probes.mobile_pins import mobile_pins
from pytest_deploycheck.probes.mobile_store import mobile_store
from pytest_deploycheck.probes.mobile_use import mobile_use
from pytest_deploycheck.probes.operations import operations
from pytest_deploycheck.probes.page_errors import page_errors
from pytest_deploycheck.probes.passwords import passwords
from pytest_deploycheck.probes.plaintext import plaintext
from pytest_deploycheck.probes.ports import ports
from pytest_deploycheck.probes.prometheus import prometheus
from pytest_deploycheck.probes.rate_store import rate_store
from pytest_deploycheck.probes.redis import redis
from pytest_deploycheck.probes.redis_host import redis_host
from pytest_deploycheck.probes.regression import regression
from pytest_deploycheck.probes.repo import repo
from pytest_deploycheck.probes.resources import resources
from pytest_deploycheck.probes.review_files import review_files
from pytest_deploycheck.probes.rollback_plan import rollback_plan
from pytest_deploycheck.probes.rollbacks import rollbacks
from pytest_deploycheck.probes.round_trip import round_trip
from pytest_deploycheck.probes.rpc import rpc
from pytest_deploycheck.probes.rules import rules
from pytest_deploycheck.probes.sarif import sarif
from pytest_deploycheck.probes.scans import scans
from pytest_deploycheck.probes.security_logs import security_logs
from pytest_deploycheck.probes.security_txt import security_txt
from pytest_deploycheck.probes.signer import signer
from pytest_deploycheck.probes.silences import silences
from pytest_deploycheck.probes.slo import slo
from pytest_deploycheck.probes.slow_alerts import slow_alerts
from pytest_deploycheck.probes.testnet import testnet
from pytest_deploycheck.probes.tls import tls
from pytest_deploycheck.probes.tls_scan import tls_scan
from pytest_deploycheck.probes.token import token
from pytest_deploycheck.probes.updates import updates
from pytest_deploycheck.probes.upkeep import upkeep
from pytest_deploycheck.probes.uptime import uptime
from pytest_deploycheck.probes.usage_totals import usage_totals
from pytest_deploycheck.probes.user_issues import user_issues
from pytest_deploycheck.probes.wallet import wallet
from pytest_deploycheck.probes.week_sheets import week_sheets
from pytest_deploycheck.probes.window import window
from pytest_deploycheck.probes.window_issues import window_issues
from pytest_deploycheck.probes.window_runs import window_runs
from pytest_deploycheck.probes.window_transactions import window_transactions

if TYPE_CHECKING:
    from pytest_deploycheck.observe import Probe

PROBES: tuple[Probe, ...] = (
    *GATE_PROBES,
    host,
    acme,
    health,
    auth,
    wallet,
    token,
    round_trip,
    books,
    db_activity,
    db_server,
    db_schema,
    db_containers,
    db_logins,
    redis,
    redis_host,
    passwords,
    default_logins,
    human_passwords,
    chain,
    tls,
    tls_scan,
    http_matrix,
    operations,
    authz,
    authz_writes,
    latency,
    resources,
    db_stats,
    load,
    docker,
    docker_steady,
    prometheus,
    grafana,
    rules,
    log_flow,
    errors,
    uptime,
    log_scan,
    scans,
    dns,
    plaintext,
    firewall,
    ports,
    burst,
    edge,
    balance,
    backup_gate,
    backup,
    backup_jobs,
    backup_age,
    archiver,
    dr_plan,
    evidence,
    migrations,
    communication,
    review_files,
    security_logs,
    upkeep,
    usage_totals,
    week_sheets,
    mobile,
    mobile_links,
    mobile_pins,
    mobile_store,
    mobile_use,
    drill,
    drill_times,
    ledger,
    alertmanager,
    rate_store,
    env_file,
    env_loaded,
    env_wire,
    cors,
    api_keys,
    contract_address,
    jwt_key,
    repo,
    checkout,
    ci,
    junit,
    sarif,
    dependencies,
    builds,
    image_registry,
    rpc,
    signer,
    contract,
    explorer,
    testnet,
    gas,
    window,
    window_issues,
    window_runs,
    window_transactions,
    rollback_plan,
    rollbacks,
    detectors,
    known_holes,
    regression,
    integrity,
    page_errors,
    admin_events,
    journeys,
    user_issues,
    api_docs,
    api_routes,
    calendar,
    contacts,
    docs,
    security_txt,
    silences,
    updates,
    alerts_now,
    final_scans,
    green,
    lock_history,
    slo,
    slow_alerts,
)
