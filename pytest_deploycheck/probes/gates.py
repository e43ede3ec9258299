"""Gate probes: one short question each, asked first, so that a dead prerequisite is one failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Dead, Probe, Reads, probe
from pytest_deploycheck.probes import ci_results, docker_engine, doors
from pytest_deploycheck.transports.rpc import RpcError
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response


@dataclass(frozen=True)
class GateFacts:
    """A gate that is open: what answered, and how."""

    answered: str
    took_s: float


def _opened(answer: Response) -> GateFacts:
    return GateFacts(f"{answer.method} {answer.url} answered {answer.status}", round(answer.total_s, 4))


@probe(facts=GateFacts, deadline=12, uses={"edge": "connect", "dns": "query"})
def net_gate(target: Target, connect: Connections) -> GateFacts:
    """Open a TCP connection to the public door, at one of its addresses at least."""
    return GateFacts(doors.connected(target, connect), 0.0)


@probe(facts=GateFacts, deadline=15, needs=("net_gate",), uses={"edge": "handshake", "dns": "query"})
def tls_gate(target: Target, connect: Connections) -> GateFacts:
    """Shake hands at one of the TLS endpoints at least, whatever certificate it shows."""
    return GateFacts(doors.shaken(target, connect), 0.0)


@probe(facts=GateFacts, deadline=12, needs=("net_gate",), uses={"api": "GET"})
def api(target: Target, connect: Connections) -> GateFacts:
    """Ask the health path through the public door; any answer below 500 opens the gate."""
    answer = connect.http("api").get(target.health.path, timeout=10)
    if answer.status >= 500:
        raise Dead("api", f"{target.health.path} answers {answer.status}")
    return _opened(answer)


@probe(facts=GateFacts, deadline=15, needs=("api",), uses={"login": "POST"})
def acct(connect: Connections) -> GateFacts:
    """Log the test account in; its token serves every other probe of the run."""
    connect.token("test_account")
    return GateFacts("the test account logged in", 0.0)


@probe(facts=GateFacts, deadline=12, uses={"db": "read"})
def db_gate(connect: Connections) -> GateFacts:
    """Open a read-only database connection."""
    row = connect.sql().one("SELECT current_setting('server_version') AS version")
    return GateFacts(f"PostgreSQL {row['version']}", 0.0)


@probe(facts=GateFacts, deadline=12, uses={"redis": "read"})
def redis_gate(connect: Connections) -> GateFacts:
    """Send PING to the cache, without any password; whatever it replies opens the gate."""
    resp = connect.resp()
    return GateFacts(f"{resp.place} replied {resp.word('PING')}", 0.0)


@probe(facts=GateFacts, deadline=12, uses={"rpc": "POST"})
def rpc_gate(connect: Connections) -> GateFacts:
    """Ask the reference node for its chain id."""
    rpc = connect.rpc()
    try:
        return GateFacts(f"chain {rpc.number('eth_chainId')}", 0.0)
    except RpcError as error:
        raise Dead("rpc", f"eth_chainId is refused: {error}") from None
    except CannotLook:
        if rpc.status >= 500:
            raise Dead("rpc", f"{rpc.place} answers {rpc.status}") from None
        if rpc.status in (401, 403):
            raise CannotLook(
                Reason.NO_ACCESS, f"{rpc.place} answers {rpc.status}: is its key right?"
            ) from None
        raise


@probe(facts=GateFacts, deadline=12, needs=("rpc_gate",), uses={"rpc": "POST"})
def contract_gate(target: Target, connect: Connections) -> GateFacts:
    """Ask for the code at the contract's address."""
    address = target.contract.address
    if not address:
        raise CannotLook(Reason.NO_CONFIG, f"no contract.address in {target.path.name}; add it")
    try:
        code = str(connect.rpc().call("eth_getCode", address, "latest"))
    except RpcError as error:
        raise CannotLook(Reason.NO_ACCESS, f"eth_getCode is refused: {error}") from None
    if len(code) <= 2:
        raise Dead("contract", f"there is no code at {address}")
    return GateFacts(f"{len(code) // 2 - 1} bytes of code at {address}", 0.0)


@probe(facts=GateFacts, deadline=12, uses={"prometheus": "GET"})
def prom_gate(connect: Connections) -> GateFacts:
    """Ask Prometheus whether it is ready and whether it answers a query."""
    section = connect.target.prometheus
    token = connect.secret(section.token) if section and section.token else ""
    http = connect.http("prometheus", bearer=token)
    _open_or_dead(http, "/-/ready")
    answer = _open_or_dead(http, "/api/v1/query?query=vector(1)")
    body = answer.json()
    if not isinstance(body, dict) or body.get("status") != "success":
        raise Dead("prom", "Prometheus refuses the query vector(1)")
    return _opened(answer)


@probe(facts=GateFacts, deadline=12, needs=("prom_gate",), uses={"alertmanager": "GET"})
def am_gate(connect: Connections) -> GateFacts:
    """Ask Alertmanager whether it is ready and shows its status."""
    section = connect.target.alertmanager
    token = connect.secret(section.token) if section and section.token else ""
    http = connect.http("alertmanager", bearer=token)
    _open_or_dead(http, "/-/ready")
    return _opened(_open_or_dead(http, "/api/v2/status"))


@probe(facts=GateFacts, deadline=12, uses={"grafana": "GET"})
def grafana_gate(connect: Connections) -> GateFacts:
    """Ask Grafana for its health."""
    return _opened(_open_or_dead(connect.http("grafana"), "/api/health"))


@probe(facts=GateFacts, deadline=12, uses={"logs": "GET"})
def logs_gate(connect: Connections) -> GateFacts:
    """Ask the log backend whether it is ready."""
    return _opened(_open_or_dead(connect.http("logs"), "/ready"))


def _open_or_dead(http: Http, path: str) -> Response:
    answer = http.get(path)
    if answer.status in (401, 403):
        raise CannotLook(Reason.NO_ACCESS, f"{http.shown}{path} answers {answer.status}; give a token")
    if answer.status != 200:
        raise Dead(http.gate, f"{http.shown}{path.partition('?')[0]} answers {answer.status}")
    return answer


@probe(facts=GateFacts, deadline=60, uses={"host": "run"})
def ssh_gate(connect: Connections) -> GateFacts:
    """Run on every server, in one command each, all that the run's probes read there.

    The gate is the main server's; whether the others answer is for the item of the servers to judge.
    """
    servers = connect.collect()
    if servers.uris[0] in servers.dead:
        raise Dead("ssh", servers.dead[servers.uris[0]])
    alive = len(servers.uris) - len(servers.dead)
    return GateFacts(f"{alive} of {len(servers.uris)} servers run commands", 0.0)


def _engine_reads(target: Target) -> Reads:
    return Reads(main=(docker_engine.VERSION, docker_engine.INFO))


@probe(facts=GateFacts, deadline=12, needs=("ssh_gate",), uses={"host": "read"}, reads=_engine_reads)
def docker_gate(connect: Connections) -> GateFacts:
    """Ask whether an engine answers behind the server's docker command."""
    version, info = connect.read(docker_engine.VERSION), connect.read(docker_engine.INFO)
    found = docker_engine.engine(version.stdout, info.stdout)
    if found is None:
        said = next(
            (line for line in f"{version.stderr}\n{info.stderr}".splitlines() if line.strip()), "nothing"
        )
        if "permission denied" in said.lower():
            raise CannotLook(
                Reason.NO_ACCESS, "the engine's socket is closed to the user of host.uri; set host.sudo"
            )
        raise Dead("docker", f"no container engine answers: {said[:200]}")
    return GateFacts(f"{found.kind} {found.version}", 0.0)


@probe(facts=GateFacts, deadline=12, uses={"ci": "GET"})
def ci_gate(target: Target, connect: Connections) -> GateFacts:
    """Ask the CI for the project, or open the files of its results."""
    section = target.ci
    if section.provider == "file":
        return GateFacts(f"{len(ci_results.files(target))} files of results", 0.0)
    return _opened(
        ci_results.open_project(ci_results.client(target, connect), section.provider, section.project)
    )


GATE_PROBES: tuple[Probe, ...] = (
    ssh_gate,
    net_gate,
    tls_gate,
    api,
    acct,
    db_gate,
    redis_gate,
    rpc_gate,
    contract_gate,
    prom_gate,
    am_gate,
    grafana_gate,
    logs_gate,
    docker_gate,
    ci_gate,
)
