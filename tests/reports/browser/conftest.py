"""One Chromium for a session, pages written once; without Chromium the tests skip, in CI they fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import html

from ..factory import record
from ..hostile import poisoned
from .cdp import Browser, BrowserError

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start Chromium."""
    try:
        running = Browser(tmp_path_factory.mktemp("chromium"))
    except BrowserError as error:
        pytest.skip(str(error))
    yield running
    running.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the source of the accessibility engine."""
    if not AXE.exists():
        pytest.skip(f"{AXE} is missing; run npm ci --prefix {AXE.parents[2]}")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def made() -> Record:
    """Return the NO-GO release."""
    return record()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory, made: Record) -> Path:
    """Write its page."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html.render(made), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def evil_file(tmp_path_factory: pytest.TempPathFactory, made: Record) -> Path:
    """Write the page of the poisoned release, with no policy to protect it."""
    policy, _, rest = html.render(poisoned(made)).partition('<meta http-equiv="Content-Security-Policy"')
    path = tmp_path_factory.mktemp("evil") / "report.html"
    path.write_text(policy + rest.partition(">")[2], encoding="utf-8")
    return path
