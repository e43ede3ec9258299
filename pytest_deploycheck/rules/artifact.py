"""A compiled contract, read from what Hardhat, Foundry, solc and Vyper write.

Accepted: a Hardhat artifact or build-info, a Foundry artifact, standard JSON output (also as a bare
`{contracts: …}`), Vyper's `combined_json`. Where an artifact does not tell where immutables stand (Hardhat 2
leaves them out), they are inferred: solc pushes each as PUSH32 followed by 32 zero bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.rules.vyper import Immutable, Span, laid_out, vyper_trailer
from pytest_deploycheck.rules.vyper import appended as appended_size

_PUSH32_ZERO = re.compile(rb"\x7f\x00{32}")
_PLACEHOLDER = re.compile(r"__.{36}__|__[^_].{37}", re.DOTALL)


class BadArtifact(ValueError):
    """A document is no compiled contract; the message says what is missing."""


@dataclass(frozen=True)
class Link:
    """A library whose address is written into the code; `name` is `file:Library`."""

    name: str
    runtime: tuple[Span, ...] = ()
    creation: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """A compiled contract: placeholders of libraries are zero in `runtime` and `creation`.

    appended: bytes of immutables that follow the runtime code (Vyper).  inferred: the places of immutables
    are guessed from the code.  compiler, optimizer, runs, evm: as the artifact tells, None where it does not.
    sources: file -> Keccak-256 of its text, from the metadata.  source_sha256: file -> SHA-256 of its text.
    """

    name: str
    abi: tuple[Mapping[str, Any], ...]
    runtime: bytes
    creation: bytes = b""
    immutables: tuple[Immutable, ...] = ()
    links: tuple[Link, ...] = ()
    appended: int = 0
    vyper: bool = False
    inferred: bool = False
    compiler: str | None = None
    optimizer: bool | None = None
    runs: int | None = None
    evm: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    source_sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def creation_sha256(self) -> str:
        """SHA-256 over the creation code without library addresses: names this build in other reports."""
        return hashlib.sha256(self.creation or self.runtime).hexdigest()

    @property
    def abi_sha256(self) -> str:
        """SHA-256 over the ABI, whatever the order of its entries and keys."""
        return abi_sha256(self.abi)


def abi_sha256(abi: Any) -> str:
    """Return SHA-256 over an ABI by what it says: the order of entries and keys, and `internalType`, do not count."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(entry) for key, entry in value.items() if key not in ("internalType", "gas")}
        return [plain(entry) for entry in value] if isinstance(value, list | tuple) else value

    entries = sorted(json.dumps(plain(entry), sort_keys=True) for entry in abi)
    return hashlib.sha256("\n".join(entries).encode()).hexdigest()


def parse(document: Any, name: str = "") -> Artifact:
    """Return the contract of a JSON document; BadArtifact when it holds none, or several without a name."""
    if not isinstance(document, Mapping):
        raise BadArtifact("it is no JSON object")
    if isinstance(document.get("output"), Mapping):
        return _standard(document["output"], name, document.get("input"))
    if isinstance(document.get("contracts"), Mapping):
        return _standard(document, name, None)
    if "bytecode_runtime" in document:
        return _vyper(document, name)
    combined = {k: v for k, v in document.items() if isinstance(v, Mapping) and "bytecode_runtime" in v}
    if combined:
        key = _only(combined, name)
        return _vyper(combined[key], name or key.rpartition("/")[2].removesuffix(".vy"))
    return _single(document, name)


def _standard(output: Mapping[str, Any], name: str, given: Any) -> Artifact:
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for file, contracts in output["contracts"].items():
        for contract, made in contracts.items():
            if made.get("evm", {}).get("deployedBytecode", {}).get("object"):
                found[f"{file}:{contract}"] = (contract, made)
    key = _only(found, name)
    contract, made = found[key]
    trees = [source.get("ast") for source in (output.get("sources") or {}).values()]
    document = {
        "contractName": contract,
        "abi": made.get("abi", []),
        "bytecode": made["evm"].get("bytecode", {}),
        "deployedBytecode": made["evm"]["deployedBytecode"],
        "metadata": made.get("metadata"),
        "ast": trees,
        "layout": made.get("layout"),
        "language": (given or {}).get("language", ""),
    }
    return _single(document, contract)


def _single(document: Mapping[str, Any], name: str) -> Artifact:
    """Read one contract in the shape of Hardhat, Foundry, or solc's `evm` member."""
    made, deployed = _object(document, "bytecode"), _object(document, "deployedBytecode", "deployed")
    if deployed.get("object") in (None, "", "0x"):
        raise BadArtifact("it has no deployedBytecode: an interface, an abstract contract, or no artifact")
    links: dict[str, dict[str, tuple[Span, ...]]] = {}
    for side, source in (("runtime", deployed), ("creation", made)):
        for file, libraries in (source.get("linkReferences") or {}).items():
            for library, spans in libraries.items():
                links.setdefault(f"{file}:{library}", {})[side] = _spans(spans)
    runtime, creation = _hex(deployed["object"]), _hex(made.get("object", ""))
    references = deployed.get("immutableReferences")
    names = dict(_immutables(document.get("ast")))
    if references is None:
        places = tuple(Span(found.start() + 1, 32) for found in _PUSH32_ZERO.finditer(runtime))
        immutables = tuple(Immutable(f"at {span.start}", (span,)) for span in places)
    else:
        immutables = tuple(
            Immutable(names.get(str(key), (str(key), ""))[0], _spans(spans), names.get(str(key), ("", ""))[1])
            for key, spans in references.items()
        )
    vyper = "Vyper" in str(document.get("language", "")) or vyper_trailer(creation) is not None
    appended = appended_size(creation, document.get("layout")) if vyper else 0
    return Artifact(
        name=str(document.get("contractName") or name),
        abi=tuple(document.get("abi") or ()),
        runtime=runtime,
        creation=creation,
        immutables=laid_out(document.get("layout"), runtime, appended) if vyper else immutables,
        links=tuple(Link(key, **sides) for key, sides in sorted(links.items())),
        appended=appended,
        vyper=vyper,
        inferred=references is None and not vyper,
        **_settings(document),
    )


def _vyper(document: Mapping[str, Any], name: str) -> Artifact:
    """Read an entry of Vyper's combined_json: its immutables follow the runtime code."""
    abi, layout = document.get("abi") or (), document.get("layout")
    whole = {
        "contractName": name,
        "abi": safe_json.loads(abi) if isinstance(abi, str) else abi,
        "bytecode": document.get("bytecode", ""),
        "deployedBytecode": document["bytecode_runtime"],
        "layout": safe_json.loads(layout) if isinstance(layout, str) else layout,
        "language": "Vyper",
    }
    return _single(whole, name)


def _object(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return one of the two codes as {object, linkReferences, immutableReferences}, whoever wrote it."""
    value = next((document[name] for name in names if document.get(name)), "")
    if isinstance(value, Mapping):
        return dict(value)
    deployed = names[0] != "bytecode"
    found = {"object": value}
    references = document.get("deployedLinkReferences" if deployed else "linkReferences")
    if references:
        found["linkReferences"] = references
    for key in ("immutableReferences", "imm"):
        if deployed and isinstance(document.get(key), Mapping):
            found["immutableReferences"] = document[key]
    return found


def _hex(text: Any) -> bytes:
    """Decode hexadecimal code in which placeholders of libraries may stand."""
    if not isinstance(text, str):
        raise BadArtifact("its code is no text")
    try:
        return bytes.fromhex(_PLACEHOLDER.sub("0" * 40, text.removeprefix("0x")))
    except ValueError:
        raise BadArtifact("its code is not hexadecimal") from None


def _spans(spans: Any) -> tuple[Span, ...]:
    return tuple(Span(int(span["start"]), int(span["length"])) for span in spans)


def _immutables(tree: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield id, name and type of the immutable variables of syntax trees."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            todo += node
        elif isinstance(node, Mapping):
            if node.get("nodeType") == "VariableDeclaration" and node.get("mutability") == "immutable":
                kind = (node.get("typeDescriptions") or {}).get("typeString", "")
                yield str(node["id"]), (str(node["name"]), str(kind))
            todo += [entry for entry in node.values() if isinstance(entry, Mapping | list)]


def _settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return compiler, optimizer, EVM version and the sources' hashes from metadata, or our demo's fields."""
    metadata = document.get("metadata") or document.get("rawMetadata")
    if isinstance(metadata, str):
        try:
            metadata = safe_json.loads(metadata)
        except ValueError:
            metadata = None
    found: dict[str, Any] = {}
    compiler = document.get("compiler")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("settings"), Mapping):
        compiler = {**metadata["settings"], "version": (metadata.get("compiler") or {}).get("version")}
        hashes = {file: source.get("keccak256") for file, source in (metadata.get("sources") or {}).items()}
        found["sources"] = {file: digest for file, digest in hashes.items() if digest}
    if isinstance(compiler, Mapping):
        optimizer = compiler.get("optimizer") or {}
        found |= {
            "compiler": compiler.get("version"),
            "optimizer": optimizer.get("enabled"),
            "runs": optimizer.get("runs"),
            "evm": compiler.get("evmVersion"),
        }
    if document.get("sourceSha256") and document.get("sourceName"):
        found["source_sha256"] = {document["sourceName"]: document["sourceSha256"]}
    return found


def _only(found: Mapping[str, Any], name: str) -> str:
    """Return the one key that a name picks: `Token`, or `contracts/Token.sol:Token`."""
    if not found:
        raise BadArtifact("it holds no contract with code")
    wanted = [key for key in found if not name or key == name or key.rpartition(":")[2] == name]
    if len(wanted) != 1:
        there = ", ".join(sorted(found)[:8])
        raise BadArtifact(f"contract.name {name!r} picks {len(wanted)} of its contracts: {there}")
    return wanted[0]
