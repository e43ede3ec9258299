"""A whole target file. Nearly every key has a default or is discovered; about twenty matter."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from pytest_deploycheck.limits import Limits
from pytest_deploycheck.target.base import Section
from pytest_deploycheck.target.chain import (
    ContractSection,
    ExplorerSection,
    GasSection,
    RpcSection,
    SignerSection,
    TestnetSection,
)
from pytest_deploycheck.target.code import (
    BuildSection,
    CiSection,
    DepsSection,
    ReportsSection,
    RepoSection,
    ScanSection,
)
from pytest_deploycheck.target.data import BackupSection, DbSection, MigrationsSection, RedisSection
from pytest_deploycheck.target.deployment import ReleaseSection, TargetSection
from pytest_deploycheck.target.drill import RollbackSection
from pytest_deploycheck.target.edge import HeadersSection, LoadSection, PerfSection, RateSection, TlsSection
from pytest_deploycheck.target.environment import ApiKeysSection, EnvSection, SecretsSection
from pytest_deploycheck.target.final import GoliveSection, SloSection
from pytest_deploycheck.target.mobile import MobileSection
from pytest_deploycheck.target.monitoring import (
    AlertmanagerSection,
    AlertsSection,
    ErrorsSection,
    GrafanaSection,
    LogsSection,
    PrometheusSection,
    UptimeSection,
)
from pytest_deploycheck.target.operations import ContactsSection, DocsSection, MaintenanceSection
from pytest_deploycheck.target.people import ClaimsSection, CommsSection, LedgerSection
from pytest_deploycheck.target.recovery import DrSection, RestoreSection
from pytest_deploycheck.target.reviews import ReviewsSection
from pytest_deploycheck.target.server import (
    CertSection,
    DnsSection,
    DockerSection,
    EdgeSection,
    HostSection,
    LbSection,
    NetSection,
)
from pytest_deploycheck.target.service import ApiSection, AuthSection, CorsSection, HealthSection
from pytest_deploycheck.target.triggers import TriggersSection
from pytest_deploycheck.target.watch import WatchSection


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
    docker: DockerSection = DockerSection()
    net: NetSection = NetSection()
    dns: DnsSection = DnsSection()
    cert: CertSection = CertSection()
    edge: EdgeSection = EdgeSection()
    lb: LbSection = LbSection()
    env: EnvSection = EnvSection()
    secrets: SecretsSection = SecretsSection()
    cors: CorsSection = CorsSection()
    api_keys: ApiKeysSection = ApiKeysSection()
    migrations: MigrationsSection = MigrationsSection()
    backup: BackupSection | None = None
    restore: RestoreSection = RestoreSection()
    dr: DrSection = DrSection()
    testnet: TestnetSection | None = None
    gas: GasSection = GasSection()
    signer: SignerSection = SignerSection()
    explorer: ExplorerSection = ExplorerSection()
    repo: RepoSection = RepoSection()
    ci: CiSection = CiSection()
    scan: ScanSection = ScanSection()
    deps: DepsSection = DepsSection()
    build: BuildSection = BuildSection()
    claims: ClaimsSection = ClaimsSection()
    ledger: LedgerSection = LedgerSection()
    comms: CommsSection = CommsSection()
    mobile: MobileSection = MobileSection()
    watch: WatchSection = WatchSection()
    slo: SloSection = SloSection()
    golive: GoliveSection = GoliveSection()
    docs: DocsSection = DocsSection()
    contacts: ContactsSection = ContactsSection()
    maintenance: MaintenanceSection = MaintenanceSection()
    rollback: RollbackSection = RollbackSection()
    reports: ReportsSection = ReportsSection()
    reviews: ReviewsSection = ReviewsSection()
    triggers: TriggersSection = TriggersSection()
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

    @property
    def public_names(self) -> tuple[str, ...]:
        """The deployment's names: `target.domains`, or the base URL's host where that is a name."""
        host = str(urlsplit(self.target.base_url).hostname)
        bare = host.replace(":", "").replace(".", "").isdigit() or ":" in host or "." not in host
        return tuple(dict.fromkeys(self.target.domains)) or (() if bare else (host,))

    def file(self, relative: str) -> Path:
        """Return a path given in the target file as an absolute one."""
        return (self.path.parent / relative).resolve()
