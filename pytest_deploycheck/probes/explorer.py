"""The explorer probe: whether the contract's source is public, and whether it is ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import artifacts
from pytest_deploycheck.probes.evm import ADDRESS, keccak
from pytest_deploycheck.rules import published
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.contract import ContractFacts
    from pytest_deploycheck.rules.artifact import Artifact
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

VERIFIED, UNVERIFIED, UNKNOWN = "verified", "unverified", "unknown"
_SOURCIFY_FIELDS = "abi,sources,compilation,proxyResolution"


@dataclass(frozen=True)
class Publication:
    """What one service says of one address.

    what: "contract", "proxy" or "implementation".  state: verified, unverified, or unknown, of which `reason`
    and `why` tell why.  match: Sourcify's word for how well the bytecode matches.  similar: the address of a
    twin whose source is shown in its place.  implementation: where the service says that the proxy points.
    sources: every source of the build is there, None when that cannot be told.  differences: what it says
    differently of ABI, compiler and settings.
    """

    service: str
    address: str
    what: str
    state: str
    reason: str = ""
    why: str = ""
    match: str = ""
    similar: str = ""
    implementation: str = ""
    sources: bool | None = None
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExplorerFacts:
    """All publications; `effective` is where calls end up behind a proxy, else the contract itself."""

    address: str
    effective: str
    published: tuple[Publication, ...]


@probe(facts=ExplorerFacts, deadline=45, uses={"etherscan": "GET", "sourcify": "GET", "files": "read"})
def explorer(target: Target, connect: Connections, contract_facts: ContractFacts) -> ExplorerFacts:
    """Ask every configured explorer for the source of the contract, and of the implementation behind it."""
    section, proxy = target.explorer, contract_facts.proxy
    address = contract_facts.address
    effective = proxy.effective if proxy and proxy.kind != "none" and proxy.effective else address
    wanted = [(address, "contract" if effective == address else "proxy")]
    if effective != address:
        wanted.append((effective, "implementation"))
    hosted = "etherscan.io" in section.etherscan_url
    ask = []
    if section.etherscan_url and (section.etherscan_key or not hosted):
        ask.append(_etherscan)
    if section.sourcify_url:
        ask.append(_sourcify)
    if not ask:
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no explorer.etherscan_key and no explorer.sourcify_url in {target.path.name}; add one of them",
        )
    made = artifacts.own(target)
    found = []
    for service in ask:
        for number, (place, what) in enumerate(wanted):
            if number:
                connect.sleep(target.limits.explorer_interval_s)
            found.append(service(target, connect, place, what, made if what != "proxy" else None))
    return ExplorerFacts(address, effective, tuple(found))


def _etherscan(
    target: Target, connect: Connections, address: str, what: str, made: Artifact | None
) -> Publication:
    section = target.explorer
    asked = {
        "chainid": str(target.contract.chain_id),
        "module": "contract",
        "action": "getsourcecode",
        "address": address,
    }
    if section.etherscan_key is not None:
        asked["apikey"] = connect.secret(section.etherscan_key)
    base = Publication("etherscan", address, what, UNKNOWN)
    try:
        answer = connect.http("etherscan").get("", params=asked)
        body = answer.json()
    except (CannotLook, Dead) as why:
        return _unknown(base, why)
    result = body.get("result") if isinstance(body, dict) else None
    if answer.status != 200 or not isinstance(body, dict) or str(body.get("status")) != "1":
        return _refused(base, answer.status, str(result if isinstance(result, str) else body)[:160])
    entry = result[0] if isinstance(result, list) and result and isinstance(result[0], dict) else None
    if entry is None:
        return _refused(base, answer.status, "an answer without an entry")
    source = published.etherscan(entry)
    similar = str(entry.get("SimilarMatch") or "")
    points = str(entry.get("Implementation") or entry.get("ImplementationAddress") or "")
    if not source.sources and not similar:
        return _with(base, state=UNVERIFIED, why=str(entry.get("ABI") or "no SourceCode")[:80])
    return _with(
        base,
        state=VERIFIED,
        similar=similar,
        implementation=points if ADDRESS.fullmatch(points) else "",
        **_compared(made, source),
    )


def _sourcify(
    target: Target, connect: Connections, address: str, what: str, made: Artifact | None
) -> Publication:
    base = Publication("sourcify", address, what, UNKNOWN)
    path = f"/v2/contract/{target.contract.chain_id}/{address}"
    try:
        answer = connect.http("sourcify").get(path, params={"fields": _SOURCIFY_FIELDS})
        body = answer.json()
    except (CannotLook, Dead) as why:
        return _unknown(base, why)
    words = (None, "match", "exact_match")
    if not isinstance(body, dict) or body.get("match", "") not in words or answer.status not in (200, 404):
        said = str(body.get("message") or body) if isinstance(body, dict) else str(body)
        return _refused(base, answer.status, said[:160])
    match = body.get("runtimeMatch") and body["match"]
    if match not in ("match", "exact_match"):
        return _with(base, state=UNVERIFIED, why=f"match is {body['match']}")
    proxies = (body.get("proxyResolution") or {}).get("implementations") or [{}]
    return _with(
        base,
        state=VERIFIED,
        match=str(match),
        implementation=str(proxies[0].get("address") or "") if isinstance(proxies[0], dict) else "",
        **_compared(made, published.sourcify(body)),
    )


def _compared(made: Artifact | None, source: published.Source) -> dict[str, Any]:
    if made is None:
        return {}
    return {
        "sources": published.sources_agree(made, source, keccak),
        "differences": published.differences(made, source),
    }


def _refused(base: Publication, status: int, said: str) -> Publication:
    """Return that a service says no, which says nothing about the contract; its words tell what to do."""
    limited = status == 429 or "rate limit" in said.lower() or status >= 500
    reason = Reason.NO_EVIDENCE if limited else Reason.NO_ACCESS
    return _with(base, reason=reason.value, why=f"it answers {status}: {said}")


def _unknown(base: Publication, why: CannotLook | Dead) -> Publication:
    reason = why.reason if isinstance(why, CannotLook) else Reason.NO_ACCESS
    return _with(base, reason=reason.value, why=why.message)


def _with(base: Publication, **values: Any) -> Publication:
    fields: Mapping[str, Any] = {**vars(base), **values}
    return Publication(**fields)
