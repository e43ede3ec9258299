"""The wallet probe: what the API shows of the test account's wallet, and what the chain says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import evm
from pytest_deploycheck.probes.fields import Fields, document, same_amount
from pytest_deploycheck.probes.wallet_history import HistoryFacts, Owner, history
from pytest_deploycheck.transports.rpc import Rpc, RpcError
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http

ETHER_DECIMALS = 18
_BEHIND_S = 3.0
"""How long to wait for a reference node that has not the block yet which the API names."""


@dataclass(frozen=True)
class WalletView:
    """A wallet as the API shows it.

    native, tokens: the balances as they were written, None when not shown.  block: the block that they
    are said to be of, None when none is named.
    """

    status: int
    address: str
    chain_id: int | None
    native: str | None
    tokens: str | None
    block: int | None


@dataclass(frozen=True)
class Held:
    """What an address held at a block, by the reference node; tokens: None without a token contract."""

    block: int
    native_wei: int
    tokens: int | None


@dataclass(frozen=True)
class QuoteTry:
    """How a withdrawal quote was answered; `sound`: whether it should be given."""

    says: str
    sound: bool
    status: int


@dataclass(frozen=True)
class WalletFacts:
    """Both views of the test account's wallet.

    checksummed: the address is in its EIP-55 spelling.  held: by the reference node at the block that the
    API names, else at the newest block at which it agrees with the API, else at its head.  head: the
    reference node's newest block right before the look.  decimals: the token's.  other_address: the
    wallet of test_account_b, None without that account.  quotes: empty where the product has none.
    """

    path: str
    view: WalletView
    checksummed: bool
    chain_id: int
    reference_chain_id: int
    held: Held
    head: int
    decimals: int
    other_address: str | None
    history_path: str
    history: HistoryFacts | None
    quote_path: str
    quotes: tuple[QuoteTry, ...]

    @property
    def native_agrees(self) -> bool | None:
        """Whether the API shows what the chain says; None when it shows no native balance."""
        shown = self.view.native
        return None if shown is None else same_amount(shown, self.held.native_wei, ETHER_DECIMALS)

    @property
    def tokens_agree(self) -> bool | None:
        """The same for the tokens; None when it shows none, or there is no token contract."""
        shown, held = self.view.tokens, self.held.tokens
        return None if shown is None or held is None else same_amount(shown, held, self.decimals)


@probe(
    facts=WalletFacts,
    deadline=45,
    needs=("acct", "rpc_gate"),
    uses={"api": "GET POST", "rpc": "POST", "login": "POST"},
)
def wallet(target: Target, connect: Connections) -> WalletFacts:
    """Read the test account's wallet through the API and on the chain; ask for withdrawals, but make none."""
    section, http, rpc = target.api, connect.api(), connect.rpc()
    fields = Fields(section.fields)
    before = rpc.number("eth_blockNumber")
    answer = http.get(section.wallet_path)
    body = document(answer)
    view = _view(answer.status, body, fields)
    if not evm.ADDRESS.fullmatch(view.address):
        message = (
            f"{section.wallet_path} answers {answer.status} and shows no address; name its key in api.fields"
        )
        raise CannotLook(Reason.NO_EVIDENCE, message)
    decimals = evm.read(rpc, target.contract.address, "decimals()") if target.contract.address else None
    scale = ETHER_DECIMALS if decimals is None else decimals
    held = _held(connect, rpc, target, view, before, scale)
    wallet_id = fields.text(body, "id") or view.address
    return WalletFacts(
        path=section.wallet_path,
        view=view,
        checksummed=view.address == evm.checksum(view.address),
        chain_id=target.contract.chain_id,
        reference_chain_id=rpc.number("eth_chainId"),
        held=held,
        head=before,
        decimals=scale,
        other_address=_other(target, connect, fields),
        history_path=section.wallet_history_path,
        history=history(target, http, rpc, fields, Owner(view.address, wallet_id, scale)),
        quote_path=section.withdrawal_quote_path,
        quotes=_quotes(target, http, view.address, wallet_id, held),
    )


def _view(status: int, body: Any, fields: Fields) -> WalletView:
    return WalletView(
        status=status,
        address=fields.text(body, "address") or "",
        chain_id=fields.integer(body, "chain_id"),
        native=fields.text(body, "native_balance"),
        tokens=fields.text(body, "token_balance"),
        block=fields.integer(body, "block"),
    )


def _held(connect: Connections, rpc: Rpc, target: Target, view: WalletView, before: int, scale: int) -> Held:
    """Return the chain's balances at the named block, or at the newest one that agrees within the skew."""
    after = rpc.number("eth_blockNumber")
    if view.block is not None:
        waited = 0.0
        while after < view.block and waited < _BEHIND_S:
            connect.sleep(0.2)
            waited += 0.2
            after = rpc.number("eth_blockNumber")
        return _at(rpc, target, view.address, min(view.block, after))
    newest = _at(rpc, target, view.address, after)
    for number in range(after, max(before - target.limits.wallet_max_block_skew, 0), -1):
        found = newest if number == after else _at(rpc, target, view.address, number)
        native = view.native is None or same_amount(view.native, found.native_wei, ETHER_DECIMALS)
        if native and (
            view.tokens is None or found.tokens is None or same_amount(view.tokens, found.tokens, scale)
        ):
            return found
    return newest


def _at(rpc: Rpc, target: Target, address: str, block: int) -> Held:
    contract = target.contract.address
    tag = hex(block)
    try:
        native = rpc.number("eth_getBalance", address, tag)
    except RpcError as error:
        message = f"the reference node has no state of block {block}: {error}"
        raise CannotLook(Reason.NO_EVIDENCE, message) from None
    tokens = evm.read(rpc, contract, "balanceOf(address)", address, block=tag) if contract else None
    return Held(block, native, tokens)


def _other(target: Target, connect: Connections, fields: Fields) -> str | None:
    if target.auth.test_account_b is None:
        return None
    answer = connect.api("test_account_b").get(target.api.wallet_path)
    return fields.text(document(answer), "address") or ""


def _quotes(target: Target, http: Http, address: str, wallet_id: str, held: Held) -> tuple[QuoteTry, ...]:
    """Ask for one withdrawal that could be made and three that could not."""
    section = target.api
    if not section.withdrawal_quote_path:
        return ()
    path = section.withdrawal_quote_path.replace("{id}", wallet_id)

    def ask(says: str, sound: bool, to: str, wei: int) -> QuoteTry:
        body = {section.withdrawal_address_field: to, section.withdrawal_amount_field: str(wei)}
        return QuoteTry(says, sound, http.post(path, json=body).status)

    return (
        ask("one wei to the own address", True, evm.checksum(address), 1),
        ask("an address with a wrong checksum", False, misspelt(address), 1),
        ask("the zero address", False, evm.ZERO_ADDRESS, 1),
        ask("more than the wallet holds", False, evm.checksum(address), held.native_wei + 10**18),
    )


def misspelt(address: str) -> str:
    """Return an address with the case of one letter changed, as a slip of the hand would."""
    right = evm.checksum(address)
    at = next((index for index, char in enumerate(right) if index > 1 and char.isalpha()), None)
    return right if at is None else right[:at] + right[at].swapcase() + right[at + 1 :]
