"""Who may import whom; the arrows of docs/architecture.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pytest_deploycheck"
SUITES = PACKAGE.parent / "suites"
MIDDLE = ("verdict.py", "decision.py", "record.py", "assemble.py", "reports")


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports when it is imported itself."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        todo += ast.iter_child_nodes(node)
    return found


def modules(*places: str) -> list[Path]:
    """Return the Python files of some places in the package."""
    return [
        path
        for place in places
        for path in ([PACKAGE / place] if place.endswith(".py") else sorted((PACKAGE / place).rglob("*.py")))
    ]


def starts(names: set[str], *prefixes: str) -> list[str]:
    """Return the names that are, or are in, one of the prefixes."""
    return sorted(n for n in names if any(n == p or n.startswith(p + ".") for p in prefixes))


@pytest.mark.parametrize("path", modules(*MIDDLE), ids=str)
def test_the_middle_knows_no_pytest_and_no_probes(path: Path) -> None:
    """Verdicts, record and reports import neither pytest nor anything that looks."""
    assert not starts(
        imports(path), "pytest", "requests", "pytest_deploycheck.probes", "pytest_deploycheck.session"
    )


def test_the_decision_rests_on_verdicts_and_verdicts_on_nothing() -> None:
    """The middle has one direction: from what a test came to, over the item, to the run."""
    own = {
        name: starts(imports(PACKAGE / name), "pytest_deploycheck") for name in ("verdict.py", "decision.py")
    }
    assert own == {"verdict.py": [], "decision.py": ["pytest_deploycheck.verdict"]}


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(PACKAGE.rglob("*.py")) if "demo" not in p.parts and "session" not in p.parts],
    ids=str,
)
def test_nobody_imports_the_plugin(path: Path) -> None:
    """The plugin and its session are the last floor, the demo stands beside the house, and libraries are lazy."""
    names = imports(path)
    assert not starts(names, "pytest_deploycheck.plugin")
    if path.name != "plugin.py":
        assert not starts(names, "pytest_deploycheck.session", "pytest", "_pytest")
    assert not starts(names, "pytest_deploycheck.demo")
    heavy = ("psycopg", "redis", "web3", "sslyze", "locust", "testinfra", "dns", "eth_account", "yaml")
    if path.parent.name != "load":
        assert not starts(names, *heavy)


@pytest.mark.parametrize("path", sorted(SUITES.rglob("*.py")), ids=str)
def test_suites_do_no_io(path: Path) -> None:
    """Suites import facts and limits, and nothing that speaks to anybody."""
    assert not starts(
        imports(path), "requests", "socket", "subprocess", "pathlib", "os", "pytest_deploycheck.transports"
    )
