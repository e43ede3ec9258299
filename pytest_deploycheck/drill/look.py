"""What a drill sees of the target: by the same read-only transports as every probe, entered in the run's ledger.

None of these decides anything; where nothing could be seen, the fact is None or empty and the check says so.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, Probe
from pytest_deploycheck.probes import evm
from pytest_deploycheck.probes.migrations import TABLES
from pytest_deploycheck.target import Target
from pytest_deploycheck.transports import Connections, Wire
from pytest_deploycheck.transports.http import Http, Response
from pytest_deploycheck.transports.rpc import RpcError

_DEADLINE_S = 4 * 3600.0
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?")


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
    },
    safety="S5",
    summary="what a drill looks at before and after each step",
)


class Look:
    """The eyes of a drill."""

    def __init__(self, wire: Wire) -> None:
        self.target: Target = wire.target
        self.connect = Connections(wire, DRILL)

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
        return self.connect.http("api", base=base, source="")

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

    def value(self, statement: str) -> Any:
        """Return the first value of a query of the target file, as text or a number; None without one."""
        if not statement:
            return None
        row = self._one(statement)
        if not row:
            return None
        found = next(iter(row.values()))
        if isinstance(found, datetime):
            return found.isoformat()
        return float(found) if isinstance(found, int | float) or hasattr(found, "as_tuple") else str(found)

    def rows(self) -> dict[str, int]:
        """Return the number of rows of each business table."""
        return {name: int(self._one(f"SELECT count(*) AS n FROM {name}")["n"]) for name in self.tables()}  # noqa: S608 - checked

    def tables(self) -> list[str]:
        """Return the business tables of the target file whose names are names."""
        return [
            name
            for name in (self.target.db.business_tables if self.target.db else [])
            if _NAME.fullmatch(name)
        ]

    def lsn(self) -> str | None:
        """Return the position in the write-ahead log; None where nothing is written to it."""
        found = self._one(
            "SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn() END::text AS lsn"
        ).get("lsn")
        return None if found is None else str(found)

    def schema_version(self) -> str | None:
        """Return the newest migration that the database says was applied."""
        section = self.target.migrations
        if section.tool is None:
            return None
        table = section.table or TABLES[section.tool]
        column = {
            "alembic": "version_num",
            "django": "name",
            "flyway": "version",
            "prisma": "migration_name",
            "goose": "version_id",
        }.get(section.tool, "version")
        if not _NAME.fullmatch(table):
            return None
        row = self._one(f"SELECT max({column}) AS v FROM {table}")  # noqa: S608 - checked
        return None if row.get("v") is None else str(row["v"])

    def sequences(self) -> list[dict[str, Any]]:
        """Return each sequence of a business table with its last value and the column's highest."""
        found = []
        for table in self.tables():
            for column in self._rows(
                "SELECT a.attname AS name, pg_get_serial_sequence(%s, a.attname) AS sequence FROM pg_attribute a"
                " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"
                " AND pg_get_serial_sequence(%s, a.attname) IS NOT NULL",
                (table, table, table),
            ):
                name, sequence = str(column["name"]), str(column["sequence"])
                top = self._one(f'SELECT max("{name}") AS top FROM {table}')  # noqa: S608 - of the catalogue
                try:
                    last = self._one(
                        "SELECT pg_sequence_last_value(%s::regclass) AS last", (sequence,), admin=True
                    )
                except CannotLook:
                    last = {}
                found.append({"sequence": sequence, "last": last.get("last"), "max": top["top"]})
        return found

    def grants(self) -> list[str] | None:
        """Return what the application's role may not do with the business tables; None where no role is named."""
        role = self.target.db.app_role if self.target.db else ""
        if not role:
            return None
        missing = []
        for table in self.tables():
            row = self._one(
                "SELECT has_table_privilege(%s, %s, 'SELECT') AND has_table_privilege(%s, %s, 'INSERT') AS may",
                (role, table, role, table),
            )
            if not row["may"]:
                missing.append(f"{role} may not use {table}")
        return missing

    def extensions(self) -> list[str]:
        """Return the extensions of the database."""
        return [str(row["n"]) for row in self._rows("SELECT extname AS n FROM pg_extension ORDER BY 1")]

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
        if not _NAME.fullmatch(table):
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
            rows = self._rows(
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

    def _one(self, statement: str, values: Sequence[Any] = (), *, admin: bool = False) -> dict[str, Any]:
        rows = self._rows(statement, values, admin=admin)
        return rows[0] if rows else {}

    def _rows(
        self, statement: str, values: Sequence[Any] = (), *, admin: bool = False
    ) -> list[dict[str, Any]]:
        """Ask the database on a connection of its own: in a drill databases come and go.

        admin: as the role that may see more, where the target file names one.  Without a database there are no rows.
        """
        if self.target.db is None:
            return []
        more = admin and self.target.db.admin_dsn is not None
        client = self.connect.sql("db_admin" if more else "db")
        try:
            return client.rows(statement, values)
        finally:
            client.close()


def closed(route: dict[str, Any]) -> bool:
    """Whether an answer turns users away as a maintenance does."""
    return bool(route["status"] == 503)


def _says(answer: Response) -> str:
    """Return how the body of a refusal begins."""
    return " ".join(answer.text[:160].split())
