"""The integrity probe: page checksums, and what must always be true of the data, from one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import evm
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.triggers import Invariant
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.sql import Sql

_SETTINGS = "SELECT current_setting('data_checksums') AS checksums, current_setting('ignore_checksum_failure', true) AS ignored"
_FAILURES = (
    "SELECT coalesce(datname, '(shared)') AS database, checksum_failures AS failures "
    "FROM pg_stat_database ORDER BY 1"
)
_UNUSABLE = "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid OR NOT indisready ORDER BY 1"
_TRIES, _PAUSE_S = 4, 0.5


@dataclass(frozen=True)
class Held:
    """One invariant: its value as text, None where its statement could not be carried out, which `problem` says."""

    name: str
    value: str | None
    expected: str
    problem: str

    @property
    def holds(self) -> bool:
        """Whether the value is the expected one."""
        return self.value == self.expected


@dataclass(frozen=True)
class Supply:
    """Tokens by the database and by the contract at one block, None where one of them does not tell."""

    booked: int | None
    on_chain: int | None
    block: int | None
    problem: str


@dataclass(frozen=True)
class IntegrityFacts:
    """One cluster.

    checksums: whether pages have checksums.  ignored: whether the server goes on reading pages whose checksum is
    wrong.  failures: pages with a wrong checksum, by database; None where nobody counts.  invariants: all from
    one snapshot.  supply: None without `triggers.supply_sql`.  contract: the product has one.
    """

    checksums: bool
    ignored: bool
    failures: tuple[tuple[str, int | None], ...]
    invariants: tuple[Held, ...]
    supply: Supply | None
    contract: bool


@probe(facts=IntegrityFacts, deadline=30, needs=("db_gate",), uses={"db": "read", "rpc": "POST"})
def integrity(target: Target, connect: Connections) -> IntegrityFacts:
    """Ask PostgreSQL for checksums and their failures, and for every invariant in one statement."""
    sql = connect.sql()
    settings = sql.one(_SETTINGS)
    return IntegrityFacts(
        checksums=settings.get("checksums") == "on",
        ignored=settings.get("ignored") == "on",
        failures=tuple(
            (str(row["database"]), None if row["failures"] is None else int(row["failures"]))
            for row in sql.rows(_FAILURES)
        ),
        invariants=_invariants(sql, target.triggers.invariants),
        supply=_supply(target, connect, sql) if target.triggers.supply_sql else None,
        contract=target.contract.enabled and bool(target.contract.address),
    )


def together(invariants: Sequence[Invariant]) -> str:
    """Return one statement that reads every invariant: one statement is one snapshot, also in READ COMMITTED."""
    columns = (f"({one.sql.strip().rstrip(';')})::text AS i{n}" for n, one in enumerate(invariants))
    return f"SELECT {', '.join(columns)}"


def _invariants(sql: Sql, invariants: Sequence[Invariant]) -> tuple[Held, ...]:
    if not invariants:
        return ()
    row, problem = _ask(sql, together(invariants))
    if row is not None:
        return tuple(_held(one, row.get(f"i{n}"), "it gives no value") for n, one in enumerate(invariants))
    # One of them is wrong; asked one by one it is named. The others stay unread, since they would be of other snapshots.
    problems = [_ask(sql, together([one]))[1] for one in invariants]
    return tuple(
        _held(one, None, why or f"not read, since another could not be: {problem}")
        for one, why in zip(invariants, problems, strict=True)
    )


def _held(one: Invariant, value: Any, problem: str) -> Held:
    text = None if value is None else str(value)
    return Held(one.name, text, str(one.equals), problem if text is None else "")


def _ask(sql: Sql, statement: str) -> tuple[dict[str, Any] | None, str]:
    import psycopg

    try:
        return sql.one(statement), ""
    except CannotLook as why:
        return None, why.message
    except psycopg.Error as error:
        return None, str(error).splitlines()[0][:200]


def _supply(target: Target, connect: Connections, sql: Sql) -> Supply:
    """Compare at the block up to which the database followed the chain; without one, at a moment when both rest."""
    found = Supply(None, None, None, "nothing was read")
    if not target.contract.address:
        raise CannotLook(
            Reason.NO_CONFIG, f"triggers.supply_sql needs contract.address in {target.path.name}"
        )
    for attempt in range(_TRIES):
        if attempt:
            connect.sleep(_PAUSE_S)
        found = _supply_once(target, connect, sql)
        if found.booked == found.on_chain:
            break
    return found


def _supply_once(target: Target, connect: Connections, sql: Sql) -> Supply:
    rpc, address = connect.rpc(), target.contract.address
    try:
        before = rpc.number("eth_blockNumber")
        row, problem = _ask(sql, target.triggers.supply_sql)
        if row is None or row.get("supply") is None:
            return Supply(None, None, None, problem or "triggers.supply_sql gives no supply")
        block = before if row.get("block") is None else int(row["block"])
        on_chain = evm.read(rpc, address, "totalSupply()", block=hex(block))
    except (Dead, CannotLook) as why:
        return Supply(None, None, None, why.message)
    said = "" if on_chain is not None else f"the node does not know the contract's state at block {block}"
    return Supply(int(row["supply"]), on_chain, block, said)
