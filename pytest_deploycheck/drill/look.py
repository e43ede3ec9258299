"""What a drill sees of the target: by the same read-only transports as every probe, entered in the run's ledger.

None of these decides anything; where nothing could be seen, the fact is None or empty and the check says so.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_deploycheck.drill.look_data import NAME, Data
from pytest_deploycheck.observe import CannotLook, Dead, Probe
from pytest_deploycheck.probes import evm
from pytest_deploycheck.transports import Connections, Wire
from pytest_deploycheck.transports.names import addresses_of
from pytest_deploycheck.transports.rpc import RpcError

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports.http import Http, Response

_DEADLINE_S = 4 * 3600.0


def _nothing() -> None:
    """Do nothing: a drill is no probe, but its conversation is declared as one's is, and transports hold it to that."""


DRILL = Probe(
    name="drill_run",
    function=_nothing,
    facts=type(None),
    deadline=_DEADLINE_S,
    uses={
        "api": "GET POST",
        "edge": "GET",
        "db": "read",
        "db_admin": "read",
        "rpc": "POST",
        "host": "read",
        "alertmanager": "GET",
        "dns": "query",
    },
    safety="S5",
    summary="what a drill looks at before and after each step",
)


class Look(Data):
    """The eyes of a drill."""

    def __init__(self, wire: Wire) -> None:
        self.target: Target = wire.target
        self.connect = Connections(wire, DRILL)
        self._addresses: dict[str, str] | None = None

    def close(self) -> None:
        """Close its connections."""
        self.connect.close()

    def public(self) -> list[str]:
        """Return the addresses of the public routes, those that stay open in maintenance left out."""
        target = self.target
        base = target.target.base_url
        routes = list(target.rollback.routes)
        if not routes:
            public = (operation.split(" ", 1) for operation in target.auth.public_ops)
            routes = [path for method, path in public if method == "GET" and "{" not in path]
            routes += [path for path in target.perf.endpoints if "{" not in path]
        port = f":{urlsplit(base).port}" if urlsplit(base).port else ""
        others = [f"{urlsplit(base).scheme}://{name}{port}/" for name in target.target.domains]
        urls = [route if "://" in route else base + route for route in routes or ["/"]]
        live = {base + path for path in self.live_paths()}
        kept = [url for url in (*urls, *others) if url.partition("?")[0] not in live]
        return list(dict.fromkeys(kept))

    def addresses(self) -> dict[str, str]:
        """Return where the deployment's own names lead, where they are asked of resolvers of the target file."""
        if self._addresses is None:
            self._addresses = {}
            if "resolvers" in self.target.dns.model_fields_set:
                for name in self.target.public_names:
                    with contextlib.suppress(CannotLook, Dead):
                        self._addresses[name] = addresses_of(self.target, self.connect, name)[0]
        return self._addresses

    def live_paths(self) -> list[str]:
        """Return the paths by which a load balancer asks whether the edge lives."""
        return list(self.target.rollback.live) or [self.target.health.path]

    def route(self, url: str, method: str = "GET") -> dict[str, Any]:
        """Ask a public route as a user does; the status is 0 where nothing answers."""
        base = "/".join(url.split("/", 3)[:3])
        try:
            with contextlib.closing(self._user(base)) as client:
                place = url[len(base) :] or "/"
                answer = client.post(place, json={}) if method == "POST" else client.get(place)
        except (CannotLook, Dead) as why:
            return {"url": url, "method": method, "status": 0, "why": why.message[:160]}
        return {
            "url": url,
            "method": method,
            "status": answer.status,
            "retry_after": answer.header("retry-after") or "",
            "media_type": (answer.header("content-type") or "").partition(";")[0].strip(),
            "says": _says(answer) if answer.status >= 400 else "",
        }

    def _user(self, base: str) -> Http:
        return self.connect.http("api", base=base, source="", addresses=self.addresses())

    def operator(self, path: str) -> Response | None:
        """Ask a path as an operator does; None where nothing answers."""
        client = self.connect.http("api", source=self.target.rollback.operator_source)
        try:
            return client.get(path, headers={"Cache-Control": "no-cache"})
        except (CannotLook, Dead):
            return None
        finally:
            client.close()

    def version(self) -> dict[str, str]:
        """Return what the version path tells an operator: version and commit, empty where it does not."""
        answer = self.operator(self.target.health.version_path)
        values: Any = {}
        if answer is not None and answer.status == 200:
            with contextlib.suppress(CannotLook):
                values = answer.json()
        if not isinstance(values, dict):
            values = {}
        return {
            "status": str(answer.status if answer is not None else 0),
            "version": str(values.get("version") or values.get("release") or ""),
            "commit": str(values.get("commit") or values.get("sha") or values.get("revision") or ""),
        }

    def healthy(self) -> bool:
        """Whether the release answers an operator, and its database too; workers may be paused."""
        if not 200 <= int(self.version()["status"]) < 400:
            return False
        try:
            self.rows()
        except (CannotLook, Dead):
            return False
        return True

    def block(self) -> int | None:
        """Return the chain's newest block; None where no node answers."""
        if self.target.rpc is None:
            return None
        try:
            return self.connect.rpc().number("eth_blockNumber")
        except (CannotLook, Dead, RpcError):
            return None

    def nonce(self) -> int | None:
        """Return how many transactions the product's account has sent; None where it is not known."""
        address = self.target.signer.address
        if self.target.rpc is None or not address:
            return None
        try:
            return self.connect.rpc().number("eth_getTransactionCount", address, "latest")
        except (CannotLook, Dead, RpcError):
            return None

    def events(self, first: int, last: int) -> dict[str, Any] | None:
        """Compare the contract's events in some blocks with the product's copy of them; None without either."""
        target = self.target
        if target.rpc is None or target.db is None or not target.contract.address:
            return None
        table = target.db.events_table
        if not NAME.fullmatch(table):
            return None
        topics = [evm.topic(one) for one in (target.contract.purchased, target.contract.redeemed)]
        query = {
            "address": target.contract.address,
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "topics": [topics],
        }
        try:
            logs = self.connect.rpc().call("eth_getLogs", query)
            rows = self.all_rows(
                f"SELECT DISTINCT lower(tx_hash) AS h FROM {table} WHERE block_number BETWEEN %s AND %s",  # noqa: S608
                (first, last),
            )
        except (CannotLook, Dead, RpcError):
            return None
        chain = {str(log.get("transactionHash", "")).lower() for log in logs}
        ours = {str(row["h"]) for row in rows}
        return {
            "first_block": first,
            "last_block": last,
            "on_chain": len(chain),
            "in_database": len(ours),
            "missing": len(chain - ours),
            "unknown": len(ours - chain),
        }

    def silences(self) -> list[dict[str, str]] | None:
        """Return the silences in force; None where there is no Alertmanager to ask."""
        if self.target.alertmanager is None:
            return None
        try:
            client = self.connect.http("alertmanager")
            values = client.get("/api/v2/silences").json()
        except (CannotLook, Dead):
            return None
        found = []
        for one in values if isinstance(values, list) else ():
            state = one.get("status", {}).get("state") if isinstance(one, dict) else None
            if state in ("active", "pending"):
                found.append(
                    {
                        "id": str(one.get("id", "")),
                        "ends_at": str(one.get("endsAt", "")),
                        "starts_at": str(one.get("startsAt", "")),
                        "comment": str(one.get("comment", ""))[:120],
                    }
                )
        return sorted(found, key=lambda one: one["id"])


def closed(route: dict[str, Any]) -> bool:
    """Whether an answer turns users away as a maintenance does."""
    return bool(route["status"] == 503)


def _says(answer: Response) -> str:
    """Return how the body of a refusal begins."""
    return " ".join(answer.text[:160].split())
