"""Where services put the values that checks compare: no two name them alike, so the usual names are tried."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook

if TYPE_CHECKING:
    from pytest_deploycheck.transports.http import Response

NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "walletid", "wallet"),
    "address": ("address", "walletaddress", "depositaddress", "account"),
    "chain_id": ("chainid", "networkid", "network"),
    "native_balance": (
        "nativebalancewei",
        "balancewei",
        "ethbalancewei",
        "nativebalance",
        "ethbalance",
        "balance",
    ),
    "token_balance": ("tokenbalance", "tokens", "tokenamount"),
    "block": ("blocknumber", "block", "latestblock", "head", "height", "headblock"),
    "contract_address": ("contractaddress", "tokenaddress", "contract", "address"),
    "indexer_block": ("indexerblock", "indexedto", "indexedblock", "indexedheight", "lastindexedblock"),
    "queue_depth": ("queuedepth", "queuelength", "queuesize", "pending", "pendingtransactions"),
    "total_supply": ("totalsupply", "supply"),
    "paused": ("paused", "ispaused"),
    "price": ("pricewei", "price", "unitprice"),
    "cost": ("costwei", "cost", "totalwei", "total", "amountwei", "amount"),
    "tx_hash": ("txhash", "transactionhash", "hash", "txid", "transaction"),
    "status": ("status", "state"),
}
"""Our name for a value -> the keys it is looked for under, without case, underscores and hyphens.

The target file's `api.fields` puts a product's own key before these.
"""


def document(answer: Response) -> Any:
    """Return an answer's JSON, None when it has none."""
    try:
        return answer.json()
    except CannotLook:
        return None


class Fields:
    """Finds values in a product's answers."""

    def __init__(self, own: Mapping[str, str]) -> None:
        self._own = own

    def get(self, body: Any, name: str) -> Any:
        """Return a value by our name for it, the shallowest first; None when it is not there."""
        keys = [_plain(self._own[name])] if name in self._own else NAMES[name]
        for key in keys:
            found = _search(body, key)
            if found is not None:
                return found
        return None

    def integer(self, body: Any, name: str) -> int | None:
        """Return a whole number, written in decimal or as 0x…; None when it is anything else."""
        return integer(self.get(body, name))

    def text(self, body: Any, name: str) -> str | None:
        """Return a text or number as text."""
        found = self.get(body, name)
        return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else None


def integer(value: Any) -> int | None:
    """Return a whole number, written in decimal or as 0x…; None when it is anything else."""
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, str) and value.lower().startswith("0x"):
            return int(value, 16)
        number = Decimal(str(value))
    except (ValueError, InvalidOperation):
        return None
    return int(number) if number.is_finite() and number == number.to_integral_value() else None


def same_amount(shown: str, base_units: int, decimals: int) -> bool:
    """Whether an amount as a product shows it is `base_units`: as they are, or with the point moved.

    1500000000000000000, "1.5" and "1.50" are all 1.5 ether; "1.5" may have been rounded to its digits.
    """
    try:
        number = Decimal(str(int(shown, 16))) if shown.lower().startswith("0x") else Decimal(shown)
    except (ValueError, InvalidOperation):
        return False
    if not number.is_finite():
        return False
    exponent = number.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    if places == 0:
        return number in (Decimal(base_units), Decimal(base_units).scaleb(-decimals))
    return abs(number.scaleb(decimals) - base_units) < Decimal(1).scaleb(max(decimals - places, 0))


def rows(body: Any) -> list[dict[str, Any]]:
    """Return the first list of objects in an answer, at most two levels down."""
    if isinstance(body, list):
        return [entry for entry in body if isinstance(entry, dict)]
    if isinstance(body, dict):
        nested = list(body.values())
        for value in (*nested, *(inner for one in nested if isinstance(one, dict) for inner in one.values())):
            if isinstance(value, list):
                return [entry for entry in value if isinstance(entry, dict)]
    return []


def _search(body: Any, key: str) -> Any:
    level = [body]
    for _ in range(3):
        below = []
        for entry in level:
            if isinstance(entry, dict):
                for name, value in entry.items():
                    if _plain(str(name)) == key and value is not None and not isinstance(value, dict | list):
                        return value
                    below.append(value)
        level = below
    return None


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
