"""The bundle on disk, its sums and its statement."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from pytest_deploycheck import record as records
from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import bundle, statement
from pytest_deploycheck.reports.bundle import BundleError, write

from .factory import checklist, record

FILES = {"report.html", "evidence.json", "checklist.md", "summary.md", "statement.json", "SHA256SUMS"}


def test_all_files_are_written_and_named(tmp_path: Path) -> None:
    """The bundle holds its six files and nothing else, and says where they are."""
    directory = tmp_path / "release" / "1.4.2"
    written = write(directory, record(), checklist(125))
    assert set(written) == FILES
    assert {path.name for path in directory.iterdir()} == FILES
    assert all(path == directory / name for name, path in written.items())


def test_the_sums_hold_and_notice_a_change(tmp_path: Path) -> None:
    """`sha256sum --check` accepts the bundle as written and refuses one with a byte changed."""
    write(tmp_path, record(), checklist(125))
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.count(": OK") == 5
    with (tmp_path / "summary.md").open("a") as file:
        file.write(" ")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 1


def test_page_and_evidence_can_be_read_back(tmp_path: Path) -> None:
    """Both the evidence file and the page give the record back, as --baseline reads it."""
    made = record()
    written = write(tmp_path, made, checklist(125))
    for name in ("evidence.json", "report.html"):
        assert records.read(written[name]).to_json() == made.to_json()


def test_an_interrupted_write_leaves_no_half_file_and_no_sums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a file cannot be finished, the old ones stay whole and the sums, which vouch for all, are gone."""
    write(tmp_path, record(green=True), checklist(125))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    real = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if Path(target).name == "checklist.md":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(BundleError, match=r"No space left on device.*--evidence"):
        write(tmp_path, record(), checklist(125))
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(after) == FILES - {"SHA256SUMS"}
    assert after["checklist.md"] == before["checklist.md"]
    assert after["report.html"] != before["report.html"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the directory should be is an error that says what to give instead."""
    place = tmp_path / "taken"
    place.write_text("")
    with pytest.raises(BundleError, match=r"taken.*give --evidence a directory"):
        write(place, record(), checklist(125))


@pytest.mark.parametrize(
    ("decision", "result"),
    [("GO", "PASSED"), ("GO WITH WAIVERS", "WARNED"), ("NO-GO", "FAILED"), ("INCOMPLETE", "FAILED")],
)
def test_the_statement_says_the_result(decision: str, result: str) -> None:
    """Only GO is a passed in-toto test result; what is not fully proven is failed."""
    made = record()
    said = json.loads(
        statement.render(Record(**{**vars(made), "decision": {**made.decision, "decision": decision}}), {})
    )
    assert said["predicate"]["result"] == result


def test_the_statement_names_files_images_configuration_and_tests(tmp_path: Path) -> None:
    """Subjects are the other files and the images; every item is named once, in the list of its result."""
    made = record()
    written = write(tmp_path, made, checklist(125))
    said = json.loads(written["statement.json"].read_text())
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    subjects = {entry["name"]: entry["digest"]["sha256"] for entry in said["subject"]}
    for name in FILES - {"SHA256SUMS", "statement.json"}:
        assert subjects.pop(name) == hashlib.sha256(written[name].read_bytes()).hexdigest()
    assert subjects == {
        name: digest.removeprefix("sha256:") for name, digest in made.release["images"].items()
    }
    predicate = said["predicate"]
    named = predicate["passedTests"] + predicate["warnedTests"] + predicate["failedTests"]
    assert sorted(named) == sorted(made.selection)
    assert predicate["failedTests"] == [item for item in made.selection if item in made.decision["blocking"]]
    assert "deploy.database.tuning" in predicate["warnedTests"]
    assert {entry["name"] for entry in predicate["configuration"]} == {"checklist.md", "targets/prod.toml"}
    assert predicate["url"] == made.run["ci_run"]


def test_a_bundle_is_byte_for_byte_the_same_again(tmp_path: Path) -> None:
    """Writing the same record twice gives the same sums (R13)."""
    first = write(tmp_path / "a", record(), checklist(125))[bundle.SUMS].read_bytes()
    assert write(tmp_path / "b", record(), checklist(125))[bundle.SUMS].read_bytes() == first
