"""The fifth step: the suites themselves, in a process of their own, on the release before, through the operator's door."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from pytest_deploycheck.drill.commands import start_of
from pytest_deploycheck.drill.state import Drill, Facts, StepFailed
from pytest_deploycheck.safe_json import loads


def run(drill: Drill) -> Facts:
    """Run the smoke stage with the release before expected; return what it said."""
    folder = (drill.folder / f"{drill.id}.verify").absolute()
    folder.mkdir(exist_ok=True)
    target = expecting_previous(drill)
    command = [sys.executable, "-m", "pytest", f"{drill.suites}/post_deploy", "-m", "smoke"]
    command += ["-q", "-p", "no:cacheprovider", "--target", str(target)]
    command += ["--evidence", str(folder), f"--junitxml={folder / 'junit.xml'}"]
    begun = time.monotonic()
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=drill.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        drill.journal.write("process", step="verify", pid=process.pid, start=start_of(process.pid))
        try:
            status = process.wait(drill.limits.drill_verify_max_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            raise StepFailed(f"the suites were not done in {drill.limits.drill_verify_max_s:g} s") from None
    target.unlink()
    evidence = folder / "evidence.json"
    if not evidence.is_file():
        tail = (folder / "output.txt").read_text(errors="replace").strip()[-200:]
        raise StepFailed(f"the suites left no evidence (status {status}): {drill.commands.shown(tail)}")
    return {**summary(evidence), "exit_status": status, "took_s": round(time.monotonic() - begun, 3)}


def summary(evidence: Path) -> Facts:
    """Return what a run's evidence says, small enough for a record."""
    content = evidence.read_bytes()
    values = loads(content)
    items = {
        entry["item"]: entry["verdict"] for entry in values["items"] if entry["item"] in values["selection"]
    }
    return {
        "run": values["run"]["id"],
        "decision": values["decision"]["decision"],
        "sentence": str(values["decision"].get("sentence", ""))[:200],
        "release": {name: values["release"].get(name, "") for name in ("version", "commit")},
        "items": items,
        "passed": sum(verdict == "passed" for verdict in items.values()),
        "other": sorted(item for item, verdict in items.items() if verdict != "passed"),
        "evidence_sha256": hashlib.sha256(content).hexdigest(),
        "evidence": f"{evidence.parent.name}/{evidence.name}",
    }


def expecting_previous(drill: Drill) -> Path:
    """Write a target file beside the target's own in which the release before is what should run."""
    path = drill.target.path
    text = path.read_text(encoding="utf-8")
    text = _set(text, "release", "version", drill.previous.version)
    text = _set(text, "release", "commit", drill.previous.commit)
    if drill.target.rollback.operator_source:
        text = _set(text, "target", "source_address", drill.target.rollback.operator_source)
    made = path.with_name(f".{path.stem}.{drill.id}.toml")
    made.write_text(text, encoding="utf-8")
    return made


def _set(text: str, section: str, key: str, value: str) -> str:
    """Set a key of a TOML file's section, leaving all else as it is."""
    header = re.search(rf"(?m)^\[{re.escape(section)}\][^\n]*\n", text)
    line = f"{key} = {json.dumps(value)}\n"
    if header is None:
        return f"{text}\n[{section}]\n{line}"
    rest = text[header.end() :]
    following = re.search(r"(?m)^\[", rest)
    body = rest[: following.start()] if following else rest
    tail = rest[following.start() :] if following else ""
    body = re.sub(rf"(?m)^{re.escape(key)}\s*=[^\n]*\n", "", body)
    return text[: header.end()] + line + body + tail
