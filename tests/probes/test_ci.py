"""The CI probe at stand-ins that answer as GitHub and GitLab document it, and with files of any other CI."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.observe import Observation
from tests.probes.service import Asked, Reply, look, serving

SHA = "0123456789abcdef0123456789abcdef01234567"
GITHUB = "/repos/shop/api"
GITLAB = "/projects/shop%2Fapi"


def check(name: str, conclusion: str | None = "success", status: str = "completed") -> dict[str, Any]:
    """Return a check run as GitHub gives it, with a few of its many fields."""
    return {
        "id": 4,
        "head_sha": SHA,
        "name": name,
        "status": status,
        "conclusion": conclusion,
        "completed_at": "2026-11-24T08:00:00Z" if conclusion else None,
        "app": {"slug": "github-actions"},
    }


def github(
    runs: list[dict[str, Any]], statuses: list[dict[str, Any]] | None = None, *, total: int | None = None
) -> Callable[[Asked], Reply]:
    """Answer as api.github.com does: pages of a hundred, a combined state that is pending without statuses."""
    listed = statuses or []

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization") != "Bearer ci-token-for-tests":
            return Reply(404, {"message": "Not Found"})
        if asked.path == GITHUB:
            return Reply(200, {"full_name": "shop/api"})
        if asked.path == f"{GITHUB}/commits/{SHA}":
            return Reply(200, {"sha": SHA, "commit": {"committer": {"date": "2026-11-24T07:00:00Z"}}})
        if asked.path == f"{GITHUB}/commits/{SHA}/check-runs":
            size, page = int(asked.query["per_page"][0]), int(asked.query["page"][0])
            part = runs[size * (page - 1) : size * page]
            return Reply(200, {"total_count": len(runs) if total is None else total, "check_runs": part})
        if asked.path == f"{GITHUB}/commits/{SHA}/status":
            state = "pending" if not listed else "success"
            return Reply(200, {"state": state, "statuses": listed, "total_count": len(listed), "sha": SHA})
        return Reply(422, {"message": f"No commit found for SHA: {asked.path.rpartition('/')[2]}"})

    return answer


def section(provider: str, base: str, more: str = "") -> str:
    """Return the target's sections for a CI."""
    return (
        f'[release]\ncommit = "{SHA}"\n[ci]\nprovider = "{provider}"\nurl = "{base}"\nproject = "shop/api"\n'
        f'token = {{ file = "token" }}\n{more}'
    )


def seen(folder: Path, provider: str, answer: Callable[[Asked], Reply], more: str = "") -> Observation:
    """Look at a stand-in."""
    (folder / "token").write_text("ci-token-for-tests")
    with serving(answer) as base:
        return look(folder, base, "ci", section(provider, base, more))


def test_github_lists_checks_on_many_pages(tmp_path: Path) -> None:
    """All of 205 checks are read, with the statuses that other systems report, and the commit's time."""
    runs = [check(f"job {number}") for number in range(204)] + [check("last", "failure")]
    status = {"context": "ci/jenkins", "state": "success", "updated_at": "2026-11-24T08:00:00Z"}
    facts = seen(tmp_path, "github", github(runs, [status])).facts
    assert len(facts.checks) == 206 and facts.complete and facts.known
    assert [one.name for one in facts.checks if not one.passed] == ["last"]
    assert facts.committed_at == "2026-11-24T07:00:00+00:00"


def test_github_without_any_check_has_none(tmp_path: Path) -> None:
    """A commit without checks has a combined state, which is no result of anything."""
    facts = seen(tmp_path, "github", github([])).facts
    assert facts.known and facts.checks == ()


def test_github_with_too_many_checks_is_incomplete(tmp_path: Path) -> None:
    """Where not every page is read, it is said."""
    runs = [check(f"job {number}") for number in range(301)]
    facts = seen(tmp_path, "github", github(runs)).facts
    assert len(facts.checks) == 300 and not facts.complete


@pytest.mark.parametrize(
    ("conclusion", "status", "passed", "passed_over"),
    [
        ("success", "completed", True, False),
        ("failure", "completed", False, False),
        ("cancelled", "completed", False, False),
        ("timed_out", "completed", False, False),
        ("action_required", "completed", False, False),
        ("neutral", "completed", False, True),
        ("skipped", "completed", False, True),
        (None, "in_progress", False, False),
        (None, "queued", False, False),
    ],
)
def test_github_words_for_an_end(
    tmp_path: Path, conclusion: str | None, status: str, passed: bool, passed_over: bool
) -> None:
    """Only success has passed; neutral and skipped say nothing; the rest has not."""
    (one,) = seen(tmp_path, "github", github([check("test", conclusion, status)])).facts.checks
    assert (one.passed, one.passed_over) == (passed, passed_over)


def test_github_does_not_know_the_commit(tmp_path: Path) -> None:
    """A commit that was never pushed is a fact about the release, and no lack of access."""
    (tmp_path / "token").write_text("ci-token-for-tests")
    with serving(github([check("test")])) as base:
        text = section("github", base).replace(SHA, "f" * 40)
        facts = look(tmp_path, base, "ci", text).facts
    assert not facts.known and facts.checks == ()


@pytest.mark.parametrize("status", [401, 403, 404, 500])
@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_a_ci_that_refuses_is_a_dead_gate(tmp_path: Path, provider: str, status: int) -> None:
    """No access to the project closes the gate; the sentence says what to give, and shows no token."""
    found = seen(tmp_path, provider, lambda asked: Reply(status, {"message": "no"}))
    assert (found.state, found.gate) == ("dead", "ci")
    assert "ci.token" in found.detail and "ci-token-for-tests" not in found.detail


def gitlab(pipelines: list[int], jobs: dict[int, list[dict[str, Any]]]) -> Callable[[Asked], Reply]:
    """Answer as GitLab's API v4 does; project names are escaped in its paths."""

    def answer(asked: Asked) -> Reply:
        if asked.path == GITLAB:
            return Reply(200, {"id": 3})
        if asked.path == f"{GITLAB}/repository/commits/{SHA}":
            return Reply(
                200, {"id": SHA, "committed_date": "2026-11-24T08:00:00.000+01:00", "status": "success"}
            )
        if asked.path == f"{GITLAB}/pipelines":
            assert asked.query["sha"] == [SHA]
            return Reply(200, [{"id": number, "status": "success", "sha": SHA} for number in pipelines])
        for number, listed in jobs.items():
            if asked.path == f"{GITLAB}/pipelines/{number}/jobs":
                return Reply(200, listed)
        return Reply(404, {"message": "404 Commit Not Found"})

    return answer


def job(number: int, name: str, status: str, **more: Any) -> dict[str, Any]:
    """Return a job as GitLab gives it."""
    return {"id": number, "name": name, "status": status, "finished_at": "2026-11-24T08:30:00.000Z", **more}


def test_gitlab_jobs_are_looked_at_one_by_one(tmp_path: Path) -> None:
    """A job that may fail and did has not passed, although its pipeline has."""
    jobs = {
        7: [
            job(1, "test", "failed", allow_failure=True),
            job(2, "lint", "success"),
            job(3, "deploy", "manual"),
        ]
    }
    facts = seen(tmp_path, "gitlab", gitlab([7], jobs)).facts
    found = {one.name: (one.passed, one.passed_over, one.said) for one in facts.checks}
    assert found["test"] == (False, False, "failed, allowed to fail")
    assert found["lint"][0] and found["deploy"] == (False, True, "manual")
    assert facts.committed_at == "2026-11-24T07:00:00+00:00"


def test_gitlab_counts_the_last_attempt_of_each_job(tmp_path: Path) -> None:
    """A nightly pipeline that ran one job more does not hide the tests of the push."""
    jobs = {
        9: [job(30, "scan", "success")],
        7: [job(11, "test", "failed"), job(20, "test", "success"), job(12, "scan", "failed")],
    }
    facts = seen(tmp_path, "gitlab", gitlab([7, 9], jobs)).facts
    assert {one.name: one.passed for one in facts.checks} == {"scan": True, "test": True}


def test_gitlab_without_a_pipeline_has_no_check(tmp_path: Path) -> None:
    """A commit that no pipeline ran for has no results."""
    assert seen(tmp_path, "gitlab", gitlab([], {})).facts.checks == ()


def test_gitlab_does_not_know_the_commit(tmp_path: Path) -> None:
    """A commit that is not there is told from a project that is not."""
    (tmp_path / "token").write_text("x")
    with serving(gitlab([7], {7: []})) as base:
        facts = look(tmp_path, base, "ci", section("gitlab", base).replace(SHA, "f" * 40)).facts
    assert not facts.known


def filed(folder: Path, *bodies: Any) -> Observation:
    """Look at files of results."""
    for number, body in enumerate(bodies):
        (folder / f"ci-{number}.json").write_text(body if isinstance(body, str) else json.dumps(body))
    more = f'[release]\ncommit = "{SHA}"\n[ci]\nfile = "ci-*.json"\n'
    return look(folder, "http://127.0.0.1:1", "ci", more)


OURS = {"commit": SHA, "committed_at": "2026-11-24T07:00:00Z", "checks": [check("test")]}


def test_files_of_any_other_ci(tmp_path: Path) -> None:
    """Ours and pages of GitHub's are united; files about other commits are left out."""
    other = {"commit": "f" * 40, "checks": [check("test", "failure")]}
    pages = [{"total_count": 1, "check_runs": [check("image")]}]
    facts = filed(tmp_path, OURS, other, pages).facts
    assert facts.known and sorted(one.name for one in facts.checks) == ["image", "test"]
    assert facts.committed_at == "2026-11-24T07:00:00+00:00"


def test_files_about_another_commit_know_nothing(tmp_path: Path) -> None:
    """Results of other code are none of this."""
    assert not filed(tmp_path, {**OURS, "commit": "f" * 40}).facts.known


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"checks": 7}', "null"])
def test_files_that_say_nothing_close_the_gate(tmp_path: Path, body: str) -> None:
    """A file without checks is no readable CI."""
    found = filed(tmp_path, body)
    assert (found.state, found.gate) == ("dead", "ci") and "ci-0.json" in found.detail


def test_without_a_ci_it_is_said_what_to_add(tmp_path: Path) -> None:
    """No section is no configuration, and no dead gate."""
    found = look(tmp_path, "http://127.0.0.1:1", "ci", f'[release]\ncommit = "{SHA}"\n')
    assert (found.state, found.reason) == ("unseen", "no_config") and "[ci]" in found.detail
