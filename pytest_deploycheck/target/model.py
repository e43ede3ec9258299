"""What a target file may say. Nearly every key has a default or is discovered; about twenty matter."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pytest_deploycheck.limits import Limits
from pytest_deploycheck.secret import SecretRef


def _http_url(value: str) -> str:
    """Accept an absolute http(s) URL without credentials; secrets are given by reference."""
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("must be an absolute http:// or https:// URL")
    if url.username or url.password:
        raise ValueError("must not hold a user name or password; give them as a secret reference")
    return value.rstrip("/")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs a time zone, e.g. 2026-11-24T09:30:00Z")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Moment = Annotated[datetime, AfterValidator(_aware)]


class Section(BaseModel):
    """A section of the target file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class TargetSection(Section):
    """`[target]`: which deployment this is and where its public door stands."""

    name: str = Field(min_length=1)
    environment: Literal["production", "staging", "testnet", "dev", "demo"]
    base_url: HttpUrl
    ca_file: str = ""
    allow: list[Literal["burst", "load", "canary", "negative-writes"]] = []
    request_budget: int = 5000
    checklist: str = ""


class ReleaseSection(Section):
    """`[release]`: what should be running there."""

    version: str = ""
    commit: str = ""
    deployed_at: Moment | None = None
    go_live_at: Moment | None = None
    images: dict[str, str] = {}


class HealthSection(Section):
    """`[health]`: where the API says how it is; components are those it must report as well."""

    path: str = "/health"
    version_path: str = "/version"
    components: list[str] = ["db", "redis", "rpc"]


class Account(Section):
    """A user of the product that exists for these checks."""

    username: str
    password: SecretRef


class AuthSection(Section):
    """`[auth]`: how to log in, and which operations are open. Operations are written `GET /path`."""

    login_path: str = "/auth/login"
    refresh_path: str = "/auth/refresh"
    logout_path: str = "/auth/logout"
    me_path: str = "/me"
    username_field: str = "username"
    alg: list[str] = ["HS256", "RS256", "ES256", "EdDSA"]
    jwt_secret: SecretRef | None = None
    expired_token: SecretRef | None = None
    required_claims: list[str] = ["iat", "exp", "iss", "aud"]
    allowed_claims: list[str] = []
    refresh_rotation: bool = True
    jwks_path: str = "/.well-known/jwks.json"
    test_account: Account | None = None
    test_account_b: Account | None = None
    canary_account: Account | None = None
    admin_account: Account | None = None
    public_ops: list[str] = []
    admin_ops: list[str] = []
    object_ops: list[str] = []
    declared_ops: list[str] = []


class ApiSection(Section):
    """`[api]`: the product's own routes. `{id}` in a wallet path is filled with the wallet's id.

    `fields` maps our name for a value (see probes/fields.py) to the key that the product's answers have
    for it; the others name fields and headers of its requests. An empty path means: not in this product.
    """

    openapi_path: str = "/openapi.json"
    wallet_path: str = "/wallet"
    wallet_history_path: str = "/wallets/{id}/history"
    withdrawal_quote_path: str = "/wallets/{id}/withdrawal-quote"
    token_path: str = "/token"  # noqa: S105 - a route
    quote_path: str = "/token/quote"
    chain_path: str = "/chain"
    purchase_path: str = "/token/purchase"
    redeem_path: str = "/token/redeem"
    transactions_path: str = "/transactions"
    test_error_path: str = ""
    fields: dict[str, str] = {}
    withdrawal_address_field: str = "address"
    withdrawal_amount_field: str = "amount_wei"
    order_field: str = "tokens"
    idempotency_header: str = "Idempotency-Key"


class HostSection(Section):
    """`[host]`: the server, as a testinfra address: ssh://user@server, local:// or docker://name."""

    uri: str
    ssh_config: str = ""
    sudo: bool = False


class DbSection(Section):
    """`[db]`: PostgreSQL, by a role that can only read.

    `app_role`: the application's own role; found among the sessions when empty.  `purchases_query` and
    `redemptions_query`: SELECTs that give id, tx_hash, status, tokens, cost_wei and created_at where the
    tables have other columns.  `log_service`: its name in `logs.services`.
    """

    dsn: SecretRef
    business_tables: list[str] = []
    purchases_table: str = "purchases"
    redemptions_table: str = "redemptions"
    events_table: str = "chain_events"
    wallets_table: str = "wallets"
    purchases_query: str = ""
    redemptions_query: str = ""
    app_role: str = ""
    log_service: str = ""


class RedisSection(Section):
    """`[redis]`: the cache."""

    url: SecretRef


class RpcSection(Section):
    """`[rpc]`: an Ethereum JSON-RPC endpoint of our own, not the application's, as reference."""

    url: SecretRef


class ContractSection(Section):
    """`[contract]`: the token contract, its functions and its events.

    Of an event's arguments the first address is who, the first integer how many tokens, the second the wei.
    `indexed`: the product keeps an index of the contract's events.
    """

    enabled: bool = True
    address: str = Field(default="", pattern=r"^(0x[0-9a-fA-F]{40})?$")
    chain_id: int = 1
    abi_file: str = ""
    buy: str = "buy()"
    redeem: str = "redeem(uint256)"
    price: str = "price()"
    paused: str = "paused()"
    purchased: str = "Purchased(address,uint256,uint256)"
    redeemed: str = "Redeemed(address,uint256,uint256)"
    indexed: bool = True


class PrometheusSection(Section):
    """`[prometheus]`: `jobs` maps each job that must be scraped to how many targets it has at least.

    `backends` are metrics by which exporters say whether the server behind them answers (1) or not (0).
    """

    url: HttpUrl
    jobs: dict[str, int]
    required_metrics: list[str] = []
    traffic_metric: str = "http_requests_total"
    latency_metric: str = "http_request_duration_seconds"
    rpc_errors_metric: str = "app_rpc_errors_total"
    indexer_metric: str = "app_indexer_block"
    route_label: str = "route"
    container_selector: str = 'name!=""'
    host_selector: str = ""
    backends: list[str] = ["pg_up", "redis_up", "mysql_up", "mongodb_up", "memcached_up", "nginx_up"]
    token: SecretRef | None = None


class AlertmanagerSection(Section):
    """`[alertmanager]`: where alerts go to be routed."""

    url: HttpUrl


class AlertsSection(Section):
    """`[alerts]`: what rules there must be, and where their files and runbooks are.

    `required` maps intents to a regular expression over name and expression of the rule that covers it;
    empty, the usual intents are required of what the target file has sections for.  `rules_dir`: the rule files as released.  `runbook_base`: the address under which runbooks are served.
    `exempt_for`: alerts that may fire at once.  `quiet`: alerts whose metric exists only once something
    happened.
    """

    required: dict[str, str] = {}
    watchdog: str = "Watchdog"
    rules_dir: str = ""
    runbook_base: HttpUrl | Literal[""] = ""
    exempt_for: list[str] = []
    quiet: list[str] = []


class GrafanaSection(Section):
    """`[grafana]`: dashboards by uid; `dashboards_dir` holds their JSON as released."""

    url: HttpUrl
    token: SecretRef
    dashboards: list[str]
    dashboards_dir: str = ""
    required_panels: list[str] = []


class LogsSection(Section):
    """`[logs]`: where the lines of every service end up; `services` are the values of `service_label`.

    `drop_metric`: the counter in Prometheus of lines that the agent lost, beside the usual agents' own.
    """

    backend: Literal["loki"] = "loki"
    url: HttpUrl
    tenant: str = ""
    token: SecretRef | None = None
    services: list[str]
    service_label: str = "service"
    round_trip_service: str = ""
    drop_metric: str = ""
    public_ui_url: str = ""
    secrets: dict[str, SecretRef] = {}
    env_file: str = ""
    allow: list[str] = []


class ErrorsSection(Section):
    """`[errors]`: a Sentry-compatible tracker. `dsn` is the one the running application uses.

    `environment`: what the application calls the place where it runs; empty is any.  `test_account`: the
    account of `[auth]` that may call `api.test_error_path`.
    """

    kind: Literal["sentry", "glitchtip", "bugsink"]
    api_base: HttpUrl
    project: str
    org: str = ""
    token: SecretRef
    dsn: SecretRef | None = None
    environment: str = ""
    test_account: Literal["test_account", "canary_account", "admin_account"] = "canary_account"


class UptimeSection(Section):
    """`[uptime]`: the eyes outside.

    For a blackbox exporter, `url` is Prometheus, `exporter` the exporter's own address, and `instance` the
    machine it runs on, as the scraped address or a label of its series says.
    """

    kind: Literal["blackbox", "kuma"]
    url: HttpUrl
    urls: list[str]
    exporter: HttpUrl | Literal[""] = ""
    instance: str = ""
    token: SecretRef | None = None
    agent_patterns: list[str] = ["blackbox|uptime-kuma|uptimerobot|better"]
    contacts: int = 0


class HeadersSection(Section):
    """`[headers]`: what to look at; `html` is for a host that serves pages, `api` for one that does not.

    `hsts_subdomains` asks for includeSubDomains (ASVS 3.4.1, level 2). `exempt` names protective headers that
    this host does without, `allow_extra` telltale ones that it may send.
    """

    profile: Literal["api", "html"] = "api"
    paths: list[str] = []
    hsts_subdomains: bool = False
    exempt: list[str] = []
    allow_extra: list[str] = []


class RatePolicy(Section):
    """One row of the rate-limit policy: `limit` requests each `window_s` seconds, counted per `key`."""

    route: str
    method: Literal["GET", "POST"] = "GET"
    limit: int
    window_s: float
    key: Literal["ip", "account"] = "ip"


class RateSection(Section):
    """`[rate]`: the policy as it should behave from outside."""

    policies: list[RatePolicy] = []


class TlsSection(Section):
    """`[tls]`: endpoints as host:port; the default is the base URL's.

    `allow` names what is accepted beyond the profile: a protocol's number ("1.1"), an IANA suite, a curve, a known attack ("early data").
    """

    endpoints: list[Annotated[str, Field(pattern=r"^\S+:\d{1,5}$")]] = []
    allow: list[str] = []
    required_stores: list[str] = ["Mozilla", "Apple", "Android", "Windows"]


class PerfSection(Section):
    """`[perf]`: paths measured for response time, with the test account's token where they need one.

    `ignore_routes` are regular expressions over the server's routes that are slow by design, such as long
    polls; `containers` are the names that must be among the container metrics; `ignore_statements` are
    regular expressions over SQL statements that may take long, such as nightly reports.
    """

    endpoints: list[str] = []
    ignore_routes: list[str] = []
    containers: list[str] = []
    ignore_statements: list[str] = []
    require_limits: bool = True


class LoadSection(Section):
    """`[load]`: evidence of a load test, or how to run one with Locust (`--allow load`)."""

    report_dir: str = ""
    locustfile: str = ""
    host: str = ""
    allowed_hosts: list[str] = []
    users: int = 20
    rps: float = 50.0
    spawn_rate: float = 20.0
    duration_s: float = 600.0
    endpoints: list[str] = []
    workers: int = 0
    critical: list[str] = []


class ReportsSection(Section):
    """`[reports]`: files made by scanners, as globs relative to the target file.

    `ignore_file`: the .trivyignore that the image scans were made with, which says until when each ends.
    """

    image_scans: str = ""
    ignore_file: str = ""
    web_scan: str = ""
    token_round_trip: str = ""


class Target(Section):
    """A whole target file. `path` is where it was read from; relative paths in it start there."""

    target: TargetSection
    release: ReleaseSection = ReleaseSection()
    health: HealthSection = HealthSection()
    auth: AuthSection = AuthSection()
    api: ApiSection = ApiSection()
    host: HostSection | None = None
    db: DbSection | None = None
    redis: RedisSection | None = None
    rpc: RpcSection | None = None
    contract: ContractSection = ContractSection()
    prometheus: PrometheusSection | None = None
    alertmanager: AlertmanagerSection | None = None
    alerts: AlertsSection = AlertsSection()
    grafana: GrafanaSection | None = None
    logs: LogsSection | None = None
    errors: ErrorsSection | None = None
    uptime: UptimeSection | None = None
    headers: HeadersSection = HeadersSection()
    rate: RateSection = RateSection()
    tls: TlsSection = TlsSection()
    perf: PerfSection = PerfSection()
    load: LoadSection = LoadSection()
    reports: ReportsSection = ReportsSection()
    limits: Limits = Limits()
    not_applicable: dict[str, str] = {}
    standins: dict[str, str] = {}
    path: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _demo_only(self) -> Target:
        """Refuse unsigned scope declarations and stand-ins outside the demo environment."""
        if self.target.environment != "demo":
            for name in ("not_applicable", "standins"):
                if getattr(self, name):
                    raise ValueError(f"[{name}] is for the demo environment only")
        return self

    @property
    def name(self) -> str:
        """The target's name."""
        return self.target.name

    def file(self, relative: str) -> Path:
        """Return a path given in the target file as an absolute one."""
        return (self.path.parent / relative).resolve()
