"""`statement.json`: an in-toto statement of the run's result, ready to be signed.

Statement v1 with the predicate test-result v0.1 (github.com/in-toto/attestation). Its subjects are the
files of the bundle and, where the release names digests, the images that were judged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import words
from pytest_deploycheck.reports.view import view

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"

_SHA256 = re.compile(r"(?:.*@)?sha256:([0-9a-f]{64})")


def render(record: Record, digests: Mapping[str, str]) -> str:
    """Return the statement over files, given as name -> sha256 in hex."""
    shown = view(record)
    values = shown.record
    images = [
        {"name": name, "digest": {"sha256": match[1]}}
        for name, digest in values["release"]["images"].items()
        if (match := _SHA256.fullmatch(str(digest)))
    ]
    named: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for item in shown.items:
        if item.blocking:
            named["failedTests"].append(item.id)
        else:
            green = item.verdict in ("passed", "not_applicable")
            named["passedTests" if green else "warnedTests"].append(item.id)
    predicate: dict[str, Any] = {
        "result": words.RESULT.get(shown.decision, "FAILED"),
        "configuration": _configuration(values),
        **named,
    }
    if values["run"]["ci_run"]:
        predicate["url"] = values["run"]["ci_run"]
    statement = {
        "_type": TYPE,
        "subject": [*({"name": n, "digest": {"sha256": d}} for n, d in digests.items()), *images],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }
    return json.dumps(statement, indent=1, ensure_ascii=True) + "\n"


def _configuration(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the checklist and the target file as in-toto resource descriptors."""
    named = [
        (values["checklist"]["path"], values["checklist"]["digest"]),
        (values["target"]["file"], values["target"]["config_digest"]),
    ]
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in named if digest]
