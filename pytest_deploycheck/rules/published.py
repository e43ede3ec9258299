"""A contract's source as explorers publish it, beside the build: what both say about one program."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.rules.artifact import Artifact, abi_sha256

Keccak = Callable[[bytes], bytes]
_VERSION = re.compile(r"\d+\.\d+\.\d+(\+commit\.[0-9a-f]+)?")


@dataclass(frozen=True)
class Source:
    """What an explorer publishes: sources by file, ABI, and the settings, None where it does not tell."""

    sources: Mapping[str, str] = field(default_factory=dict)
    abi: Any = None
    compiler: str | None = None
    optimizer: bool | None = None
    runs: int | None = None
    evm: str | None = None


def etherscan(entry: Mapping[str, Any]) -> Source:
    """Read an entry of `getsourcecode`, as Etherscan writes it or as Blockscout does."""
    try:
        abi = safe_json.loads(str(entry.get("ABI", "")))
    except ValueError:
        abi = None
    used = str(entry.get("OptimizationUsed", "")).lower()
    runs = str(entry.get("Runs") or entry.get("OptimizationRuns") or "")
    evm = str(entry.get("EVMVersion") or "")
    return Source(
        sources=files(str(entry.get("SourceCode") or "")),
        abi=abi,
        compiler=str(entry.get("CompilerVersion") or "") or None,
        optimizer={"1": True, "true": True, "0": False, "false": False}.get(used),
        runs=int(runs) if runs.isdigit() else None,
        evm=None if evm.lower() in ("", "default") else evm.lower(),
    )


def sourcify(body: Mapping[str, Any]) -> Source:
    """Read a contract of Sourcify's API 2."""
    made = body.get("compilation") or {}
    settings = made.get("compilerSettings") or {}
    optimizer = settings.get("optimizer") or {}
    sources = body.get("sources") or {}
    return Source(
        sources={
            file: str(one.get("content", "")) for file, one in sources.items() if isinstance(one, Mapping)
        },
        abi=body.get("abi"),
        compiler=made.get("compilerVersion"),
        optimizer=optimizer.get("enabled"),
        runs=optimizer.get("runs"),
        evm=settings.get("evmVersion"),
    )


def files(code: str) -> dict[str, str]:
    """Return sources by file: of one text, of a JSON of files, or of standard JSON input in double braces."""
    text = code.strip()
    if text.startswith("{{") and text.endswith("}}"):
        text = text[1:-1]
    if text.startswith("{"):
        try:
            document = safe_json.loads(text)
        except ValueError:
            document = None
        if isinstance(document, Mapping):
            found = document.get("sources", document)
            return {
                str(file): str(one.get("content", ""))
                for file, one in found.items()
                if isinstance(one, Mapping) and "content" in one
            }
    return {"": code} if text else {}


def sources_agree(made: Artifact, published: Source, keccak: Keccak) -> bool | None:
    """Whether every source of the build is published; None when that cannot be told, as of a flattened one.

    Line ends and the last of them do not count: explorers change them.
    """
    digest: Callable[[bytes], str] = lambda raw: "0x" + keccak(raw).hex()  # noqa: E731 - one of two hashes
    wanted = {value.lower() for value in made.sources.values()}
    if not wanted:
        wanted = {value.lower() for value in made.source_sha256.values()}
        digest = lambda raw: hashlib.sha256(raw).hexdigest()  # noqa: E731
    if not wanted or not published.sources:
        return None
    there = {digest(form) for text in published.sources.values() for form in _forms(text)}
    if wanted <= there:
        return True
    return None if len(published.sources) == 1 and len(wanted) > 1 else False


def _forms(text: str) -> Iterable[bytes]:
    plain = text.replace("\r\n", "\n")
    return {one.encode() for one in (text, plain, plain.rstrip("\n"), plain.rstrip("\n") + "\n")}


def differences(made: Artifact, published: Source) -> tuple[str, ...]:
    """Return what an explorer says differently of the build's ABI and settings, in words."""
    found = []
    if not isinstance(published.abi, list):
        found.append("there is no ABI")
    elif abi_sha256(published.abi) != made.abi_sha256:
        found.append("another ABI")
    pairs = {
        "compiler": (_version(made.compiler), _version(published.compiler)),
        "optimizer": (made.optimizer, published.optimizer),
        "runs": (made.runs if made.optimizer else None, published.runs if published.optimizer else None),
        "EVM version": (made.evm, published.evm),
    }
    for name, (ours, theirs) in pairs.items():
        if ours is not None and theirs is not None and str(ours).lower() != str(theirs).lower():
            found.append(f"{name} {theirs}, the build has {ours}")
    return tuple(found)


def _version(text: str | None) -> str | None:
    found = _VERSION.search(text or "")
    return found[0] if found else None
