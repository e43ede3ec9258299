"""`--drill` on the command line: asked for, refused, and never by accident."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drill.world import World, small_world

SUITE = """
import pytest

@pytest.mark.checklist("{item}", text="x")
def test_it(drill_facts):
    assert drill_facts.events is not None
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a small world."""
    with small_world(tmp_path) as made:
        yield made


def run(
    pytester: pytest.Pytester, world: World, *more: str, item: str = "rollback.procedure.snapshot"
) -> pytest.RunResult:
    """Run one check with some options, in a process of its own."""
    pytester.makepyfile(test_drilled=SUITE.format(item=item))
    return pytester.runpytest_subprocess(
        "--target", str(world.target), *more, "-p", "no:cacheprovider", timeout=120
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--drill-production=2.0",), "only together with --drill"),
        (("--drill", "--as-of", "2026-11-24T10:00:00Z"), "leave --as-of out"),
        (("--drill", "-n", "2"), "leave pytest-xdist's -n out"),
    ],
)
def test_a_drill_that_cannot_be(
    pytester: pytest.Pytester, world: World, options: tuple[str, ...], words: str
) -> None:
    """Options that do not go together are refused before anything is done."""
    if "-n" in options:
        pytest.importorskip("xdist")
    result = run(pytester, world, *options)
    assert words in result.stderr.str() + result.stdout.str()
    assert result.ret != 0
    assert not world.done


def test_production_has_to_be_typed(pytester: pytest.Pytester, world: World) -> None:
    """On production nothing is run unless the release that runs was typed."""
    world.write(environment="production")
    for more in ((), ("--drill-production=1.9",)):
        result = run(pytester, world, "--drill", *more)
        assert "--drill-production=2.0" in result.stderr.str() + result.stdout.str()
        assert not world.done


def test_a_plan_runs_nothing(pytester: pytest.Pytester, world: World) -> None:
    """The commands are shown as what they are, and not run."""
    result = run(pytester, world, "--drill", "--plan")
    result.stdout.fnmatch_lines(["S5*drill*maintenance*touch maintenance*"])
    assert not world.done


def test_without_the_suite_of_the_procedure_nothing_is_run(pytester: pytest.Pytester, world: World) -> None:
    """--drill with other tests is a mistake, and is told."""
    result = run(pytester, world, "--drill", item="operations.maintenance.rollback")
    assert "select suites/rollback" in result.stderr.str() + result.stdout.str()
    assert not world.done


def test_without_the_option_nothing_is_run(pytester: pytest.Pytester, world: World) -> None:
    """The same tests without --drill only look."""
    run(pytester, world)
    assert not world.done
    assert not list((world.folder / "drills").glob("*")) if (world.folder / "drills").exists() else True
