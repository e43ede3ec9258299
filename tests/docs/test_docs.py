"""Docs that lie fail the build."""

from __future__ import annotations

import re
import sys
import tomllib
import types
from pathlib import Path

import pytest

from pytest_deploycheck.target import Target
from pytest_deploycheck.verdict import Reason, Verdict
from tests.docs.reference import PAGE, page

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_SNIPPET = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets(language: str) -> list[tuple[str, str]]:
    """Return (page, code) of every snippet of a language."""
    return [
        (path.name, code)
        for path in PAGES
        for found, code in _SNIPPET.findall(path.read_text())
        if found == language
    ]


def test_the_reference_is_up_to_date() -> None:
    """docs/reference.md is what `python -m tests.docs.reference` writes now."""
    assert PAGE.read_text() == page()


def test_every_option_has_a_heading(pytestconfig: pytest.Config) -> None:
    """Each command-line option of ours is a heading of docs/options.md."""
    text = (ROOT / "docs" / "options.md").read_text()
    source = (ROOT / "pytest_deploycheck" / "session" / "options.py").read_text()
    options = set(re.findall(r'"(--[a-z-]+)"', source))
    assert len(options) == 11
    assert not [name for name in options if f"## {name}" not in text]
    for name in ("deploycheck_target", "deploycheck_checklist", "deploycheck_suites"):
        pytestconfig.getini(name)
        assert name in text


def test_every_verdict_and_reason_is_explained() -> None:
    """Each verdict and reason has its row."""
    text = (ROOT / "docs" / "verdicts.md").read_text()
    assert not [word for word in (*Verdict, *Reason) if f"| {word.value} |" not in text]


@pytest.mark.parametrize(("place", "code"), snippets("toml"))
def test_target_snippets_are_valid(place: str, code: str) -> None:
    """Each TOML snippet is a target file that we accept."""
    Target.model_validate(tomllib.loads(code))


@pytest.mark.parametrize(("place", "code"), snippets("python"))
def test_python_snippets_run(place: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Python snippet can be executed as a module."""
    module = types.ModuleType("snippet")
    monkeypatch.setitem(sys.modules, "snippet", module)  # dataclasses look their module up
    exec(compile(code, place, "exec"), vars(module))  # noqa: S102 - our own docs


def test_links_lead_somewhere() -> None:
    """Each relative link is to a file that exists."""
    for path in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_a_users_own_check_and_probe_work(pytester: pytest.Pytester) -> None:
    """The examples of the two writing pages run together in a project of their own."""
    (probe,) = [code for place, code in snippets("python") if place == "writing-a-probe.md"]
    checks = [code for place, code in snippets("python") if place == "writing-a-check.md"]
    pytester.makeconftest(probe)
    pytester.mkdir("targets").joinpath("mine.toml").write_text(
        '[target]\nname = "mine"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
    )
    pytester.makepyfile(
        test_mine="\n".join(checks) + "\ndef test_terms(terms_facts):\n    assert terms_facts.status == 200\n"
    )
    result = pytester.runpytest_subprocess("--target", "mine", timeout=60)
    outcomes = result.parseoutcomes()
    # Nothing listens there: the facts are blocked behind the network, the live client has nobody to speak to.
    assert outcomes.get("blocked", 0) == 2
    assert "passed" not in outcomes
