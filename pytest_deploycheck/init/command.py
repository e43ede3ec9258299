"""`deploycheck init`: what was found becomes files; what is there already stays as it is."""

from __future__ import annotations

import argparse
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from pytest_deploycheck.init import ci, project, stack, target_toml
from pytest_deploycheck.init.found import Found

CHECKLIST = "deploycheck-checklist.md"


class InitRefused(Exception):
    """Nothing can be written there; the message says why and what to do."""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    init = commands.add_parser(
        "init", help="read a project and write targets/prod.toml, the checklist, the suites and a CI stage"
    )
    init.add_argument("directory", type=Path, nargs="?", default=Path(), metavar="DIR")
    init.set_defaults(run=_init)


def _init(options: argparse.Namespace) -> int:
    root: Path = options.directory
    if not root.is_dir():
        raise InitRefused(f"{root} is no directory; give the project's own")
    found = discover(root)
    written, kept = write(root, found)
    for note in found.notes:
        print(f"read     {note}")
    for name in written:
        print(f"wrote    {name}")
    for name in kept:
        print(f"kept     {name} (it was there already)")
    for question in found.unsure:
        print(f"missing  {question}")
    print("next     look at targets/prod.toml, then: pytest suites -m smoke --target prod --plan")
    return 0


def discover(root: Path) -> Found:
    """Read a project; nothing is asked and nothing is run but `git`."""
    found = Found()
    stack.read(root, found)
    project.read(root, found)
    found.put("target", "name", "prod", "deploycheck init")
    found.put("target", "environment", "production", "deploycheck init")
    found.put("target", "checklist", f"../{CHECKLIST}", "deploycheck init")
    found.put("release", "commit", "${RELEASE_COMMIT}", "set by the CI stage")
    found.put("ledger", "path", "../.deploycheck/ledger.jsonl", "deploycheck init")
    if found.get("target", "base_url") is None:
        found.put("target", "base_url", "https://YOUR-DOMAIN", "nothing told", guess=False)
        found.unsure.append("the public address was not found; set target.base_url")
    for section, what in (
        ("host", "the server is not known; set host.uri, or nothing on it is judged"),
        ("auth", "the test account is not known; set auth.test_account, or most of the API is not judged"),
        ("dns", "the server's addresses are not known; set dns.expected_ips"),
    ):
        if not (section == "auth" and found.get("auth", "test_account")):
            found.unsure.append(what)
    return found


def secrets(found: Found) -> list[str]:
    """Return the environment variables that the target file refers to."""
    names = {
        value.value["env"]
        for value in found.values.values()
        if isinstance(value.value, dict) and "env" in value.value
    }
    return sorted(names | {"DEPLOYCHECK_TEST_PASSWORD"})


def write(root: Path, found: Found) -> tuple[list[str], list[str]]:
    """Write every file that is not there; return the names of those written and of those kept."""
    provider = str(found.get("ci", "provider") or "")
    files = {
        "targets/prod.toml": target_toml.render(found),
        CHECKLIST: resources.files("pytest_deploycheck").joinpath("checklist.md").read_text(encoding="utf-8"),
        **ci.stages(root, provider, secrets(found)),
    }
    written, kept = [], []
    for name, text in files.items():
        path = root / name
        if path.exists():
            kept.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(name)
    if (root / "suites").exists():
        kept.append("suites/")
    else:
        shutil.copytree(suites(), root / "suites", ignore=shutil.ignore_patterns("__pycache__"))
        written.append("suites/")
    return written, kept


def suites() -> Path:
    """Return the suites as they are installed, or as they stand in the repository."""
    package = Path(__file__).parents[1]
    installed = package / "_suites"
    return installed if installed.is_dir() else package.parent / "suites"
