"""`deploycheck verify`: a bundle is whole, or the place where it is not is named."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_deploycheck import ledger as ledgers
from pytest_deploycheck.checklist import default
from pytest_deploycheck.claims import carried
from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import bundle
from pytest_deploycheck.run import Run
from pytest_deploycheck.verdict import Outcome, Verdict
from pytest_deploycheck.verify import sums, verify
from tests.claims.people import People
from tests.claims.test_sign_off import TARGET, World

EDITS = 10_000


def make(world: World, directory: Path, verdict: Verdict = Verdict.PASSED) -> Path:
    """Write the bundle of a run in which one item was judged."""
    run = Run(world.target)
    item = "post_deploy.functional.health"
    run.select([item], {"items_without_test": [], "tests_without_item": [], "drift": []})
    run.seen.outcomes.append(Outcome("suites/t.py::test", (item,), verdict, message="so"))
    record: Record = run.record()

    def more(sha256: str) -> dict[str, bytes]:
        ledgers.append(world.folder / "ledger.jsonl", record, sha256)
        return carried.files(world.target)

    bundle.write(directory, record, run.checklist, more)
    return directory


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a signed project."""
    folder = tmp_path_factory.mktemp("project")
    people = People(tmp_path_factory.mktemp("people"))
    go_live = datetime.now(UTC).isoformat(timespec="seconds")
    (folder / "target.toml").write_text(TARGET.format(go_live=go_live))
    (folder / "allowed_signers").write_text(people.trust.allowed_signers.read_text())
    lines = [f"{role} = {json.dumps(names)}" for role, names in people.roles.roles.items()]
    (folder / "roles.toml").write_text("\n".join(["[roles]", *lines, ""]))
    made = World(folder, people)
    made.run()
    made.sign("devops")
    made.sign("qa")
    return made


@pytest.fixture(scope="module")
def bundles(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the bundles of two runs."""
    folder = tmp_path_factory.mktemp("bundles")
    return make(world, folder / "a"), make(world, folder / "b", Verdict.FAILED)


def test_a_bundle_is_sound(bundles: tuple[Path, Path]) -> None:
    """As it was written nothing is wrong, and it says what stands."""
    found = verify(bundles[1])
    assert found.problems == ()
    assert "signed files: 2 of 2 count" in found.notes
    assert any(note.startswith("ledger: 3 runs, unbroken; this is number 3") for note in found.notes)
    assert any(note.startswith("NO-GO") for note in found.notes)


def test_every_random_change_is_found(bundles: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Ten thousand edits, inserts, deletions and swaps between runs: each is found."""
    chance = random.Random(20261124)  # noqa: S311 - to be repeatable
    here, other = bundles
    names = sorted(str(path.relative_to(here)) for path in here.rglob("*") if path.is_file())
    whole = {name: (here / name).read_bytes() for name in names}
    theirs = {name: (other / name).read_bytes() for name in names if (other / name).is_file()}
    counts = dict.fromkeys(("edit", "insert", "delete", "swap"), 0)
    while sum(counts.values()) < EDITS:
        name, how = chance.choice(names), chance.choice(list(counts))
        content = bytearray(whole[name])
        at = chance.randrange(len(content))
        if how == "edit":
            content[at] = (content[at] + chance.randrange(1, 256)) % 256
        elif how == "insert":
            content.insert(at, chance.randrange(256))
        elif how == "delete":
            del content[at : at + chance.randrange(1, 9)]
        else:
            content = bytearray(theirs.get(name, whole[name]))
        if bytes(content) == whole[name]:
            continue
        (here / name).write_bytes(content)
        assert next(sums(here), None) is not None, f"{how} in {name} at {at} was not found"
        counts[how] += 1
        (here / name).write_bytes(whole[name])
    with capsys.disabled():
        print(f"\n{sum(counts.values())} changes of a bundle, all found: {counts}")
    assert verify(here).problems == ()


def again(directory: Path) -> None:
    """Make the sums again, as a forger would."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != bundle.SUMS)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(directory)}\n" for path in paths
    ]
    (directory / bundle.SUMS).write_text("".join(sorted(lines, key=lambda line: line[66:])))


def verdict(directory: Path) -> None:
    """Turn the failure into a pass in the record."""
    path = directory / "evidence.json"
    path.write_text(path.read_text().replace('"verdict":"failed"', '"verdict":"passed"'))


def run_left_out(directory: Path) -> None:
    """Take an earlier run out of the ledger."""
    path = directory / carried.LEDGER
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))


def statement(directory: Path) -> None:
    """Change what QA signed."""
    (path,) = (directory / "claims").glob("*qa*.json")
    path.write_bytes(path.read_bytes().replace(b"Good.", b"Fine."))


def own_key(directory: Path) -> None:
    """Sign in QA's name with another key."""
    (path,) = (directory / "claims").glob("*qa*.json")
    (other,) = (directory / "claims").glob("*devops*.sig")
    shutil.copyfile(other, path.with_name(path.name + ".sig"))


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (verdict, "evidence.json is not the one"),
        (run_left_out, "broken at line 1"),
        (statement, "changed after it was signed"),
        (own_key, "changed after it was signed"),
    ],
)
def test_forgeries_with_new_sums(
    bundles: tuple[Path, Path], tmp_path: Path, forge: Callable[[Path], None], why: str
) -> None:
    """Whoever also makes the sums again is found by the ledger or by a signature."""
    copy = tmp_path / "copy"
    shutil.copytree(bundles[1], copy)
    forge(copy)
    again(copy)
    assert not list(sums(copy))
    assert why in "; ".join(verify(copy).problems)


def test_an_unlisted_file_is_found(bundles: tuple[Path, Path], tmp_path: Path) -> None:
    """A file that was put in is named."""
    copy = tmp_path / "copy"
    shutil.copytree(bundles[0], copy)
    (copy / "claims" / "more.txt").write_text("x")
    assert verify(copy).problems == ("claims/more.txt is not one of the bundle's files",)


def test_strangers_are_not_believed(bundles: tuple[Path, Path], tmp_path: Path) -> None:
    """With the verifier's own list of signers, others count for nothing."""
    mine = tmp_path / "allowed_signers"
    mine.write_text("")
    assert "allowed_signers" in "; ".join(verify(bundles[0], mine).problems)


def test_what_is_no_bundle(tmp_path: Path) -> None:
    """An empty directory is no bundle."""
    assert "holds no finished bundle" in "; ".join(verify(tmp_path).problems)


def test_the_checklist_is_ours() -> None:
    """The items that these tests use are in it."""
    assert "post_deploy.functional.health" in default().by_id
