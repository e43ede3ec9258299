"""What CIs say about one commit: GitHub's checks and statuses, GitLab's jobs, and files of any other, in one shape."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes.evidence_files import Origin, documents, origin
from pytest_deploycheck.probes.image_scans import stamp
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

PAGE = 100
MOST_PAGES = 3
MOST_PIPELINES = 3
UNKNOWN = (404, 422)


@dataclass(frozen=True)
class CiCheck:
    """One check of a commit.

    said: its state in the CI's own words, as "completed/failure".  passed: it ended well.  passed_over: it ended
    without a judgement, as skipped and neutral ones do.  ended_at: UTC ISO 8601, "" while it runs.
    """

    name: str
    said: str
    passed: bool
    passed_over: bool
    ended_at: str


@dataclass(frozen=True)
class CiResults:
    """All checks of a commit; known: the CI has that commit.  complete: no page of the list was left out."""

    known: bool
    committed_at: str
    checks: tuple[CiCheck, ...]
    complete: bool


def client(target: Target, connect: Connections) -> Http:
    """Return a client of the CI's API; GitLab takes its tokens as bearers too."""
    section = target.ci
    if not section.project:
        raise CannotLook(Reason.NO_CONFIG, f"no ci.project in {target.path.name}; add it")
    kind = "application/vnd.github+json" if section.provider == "github" else "application/json"
    token = connect.secret(section.token) if section.token else ""
    return connect.http("ci", bearer=token, headers={"Accept": kind})


def open_project(http: Http, provider: str, project: str) -> Response:
    """Ask for the project itself; raise Dead("ci") when it is not there for us."""
    path = f"/projects/{quote(project, safe='')}" if provider == "gitlab" else f"/repos/{quote(project)}"
    answer = http.get(path)
    if answer.status != 200:
        raise refusal(answer)
    return answer


def files(target: Target) -> list[tuple[Origin, CiResults]]:
    """Read the files of `ci.file`; raise Dead("ci") where one cannot be read as results of a CI."""
    if not target.ci.file:
        what = "provider and project, or file"
        raise CannotLook(Reason.NO_CONFIG, f"no [ci] in {target.path.name} says what ran; add {what}")
    found = []
    try:
        for path, data, body in documents(target, "ci.file", target.ci.file):
            told = from_document(body)
            if told is None:
                raise Dead("ci", f"{path.name} holds no checks; see ci.file in the reference")
            about = origin(path, data, commits=(told[0],))
            found.append((about, CiResults(True, told[1], told[2], True)))
    except CannotLook as why:
        if why.reason is Reason.NO_CONFIG:
            raise
        raise Dead("ci", why.message) from None
    return found


def from_files(target: Target, commit: str) -> CiResults:
    """Unite the files that are about a commit; it is unknown where there is none."""
    about = [found for where, found in files(target) if (where.commit, where.disputed) == (commit, "")]
    made = next((one.committed_at for one in about if one.committed_at), "")
    return CiResults(bool(about), made, tuple(check for one in about for check in one.checks), True)


def github(http: Http, project: str, commit: str) -> CiResults:
    """Ask GitHub for the check runs of a commit, and for the statuses that others than Actions report."""
    base = f"/repos/{quote(project)}/commits/{commit}"
    about = readable(http.get(base))
    if about.status in UNKNOWN:
        return CiResults(False, "", (), True)
    runs, total = [], 0
    for page in range(1, MOST_PAGES + 1):
        body = _map(readable(http.get(f"{base}/check-runs", params={"per_page": PAGE, "page": page})).json())
        listed = _maps(body.get("check_runs"))
        total = _number(body.get("total_count"))
        runs += listed
        if len(runs) >= total or not listed:
            break
    # The combined state is "pending" where there is no status at all: only the statuses themselves say something.
    status = _map(readable(http.get(f"{base}/status", params={"per_page": PAGE})).json())
    statuses = _maps(status.get("statuses"))
    made = _map(_map(_map(about.json()).get("commit")).get("committer")).get("date")
    return CiResults(
        known=True,
        committed_at=stamp(made),
        checks=(*github_runs(runs), *(_status(one) for one in statuses)),
        complete=len(runs) >= total and len(statuses) >= _number(status.get("total_count")),
    )


def github_runs(runs: list[Mapping[str, Any]]) -> tuple[CiCheck, ...]:
    """Return GitHub's check runs in our shape."""
    return tuple(
        CiCheck(
            name=str(run.get("name") or "?"),
            said="/".join(str(run[key]) for key in ("status", "conclusion") if run.get(key)),
            passed=run.get("status") == "completed" and run.get("conclusion") == "success",
            passed_over=run.get("status") == "completed" and run.get("conclusion") in ("skipped", "neutral"),
            ended_at=stamp(run.get("completed_at")),
        )
        for run in runs
    )


def _status(one: Mapping[str, Any]) -> CiCheck:
    state = str(one.get("state") or "?")
    return CiCheck(
        str(one.get("context") or "?"), state, state == "success", False, stamp(one.get("updated_at"))
    )


def gitlab(http: Http, project: str, commit: str) -> CiResults:
    """Ask GitLab for the jobs of a commit's newest pipelines; of a job that ran several times the last one counts.

    A pipeline's own status is not asked: it is "success" where a job failed that was allowed to.
    """
    base = f"/projects/{quote(project, safe='')}"
    about = readable(http.get(f"{base}/repository/commits/{commit}"))
    if about.status in UNKNOWN and "project" not in about.text.lower():
        return CiResults(False, "", (), True)
    if about.status != 200:
        raise refusal(about)
    listed = readable(http.get(f"{base}/pipelines", params={"sha": commit, "per_page": PAGE})).json()
    pipelines = sorted(_maps(listed), key=lambda one: _number(one.get("id")), reverse=True)
    found: dict[str, CiCheck] = {}
    complete = True
    for pipeline in pipelines[:MOST_PIPELINES]:
        path = f"{base}/pipelines/{_number(pipeline.get('id'))}/jobs"
        jobs = _maps(readable(http.get(path, params={"per_page": PAGE})).json())
        complete = complete and len(jobs) < PAGE
        for job in sorted(jobs, key=lambda one: _number(one.get("id")), reverse=True):
            check = _job(job)
            found.setdefault(check.name, check)
    made = stamp(_map(about.json()).get("committed_date"))
    return CiResults(True, made, tuple(found.values()), complete)


def _job(job: Mapping[str, Any]) -> CiCheck:
    state = str(job.get("status") or "?")
    manual = state in ("skipped", "manual")
    said = f"{state}, allowed to fail" if job.get("allow_failure") and state == "failed" else state
    return CiCheck(
        str(job.get("name") or "?"), said, state == "success", manual, stamp(job.get("finished_at"))
    )


def from_document(body: Any) -> tuple[str, str, tuple[CiCheck, ...]] | None:
    """Return commit, its time and the checks of a file: ours, or pages of check runs as GitHub gives them.

    Ours is {"commit": …, "committed_at": …, "checks": [{"name", "status", "conclusion", "completed_at"}]}.
    """
    pages = list(_pages(body))
    ours = next((page for page in pages if isinstance(page.get("checks"), list)), None)
    if ours is not None:
        return (
            str(ours.get("commit") or ""),
            stamp(ours.get("committed_at")),
            github_runs(_maps(ours["checks"])),
        )
    runs = [run for page in pages for run in _maps(page.get("check_runs"))]
    if not any(isinstance(page.get("check_runs"), list) for page in pages):
        return None
    heads = {str(run.get("head_sha") or "") for run in runs}
    return heads.pop() if len(heads) == 1 else "", "", github_runs(runs)


def _pages(body: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(body, Mapping):
        yield body
    elif isinstance(body, list):
        for one in body:
            yield from _pages(one) if isinstance(one, Mapping) else ()


def readable(answer: Response) -> Response:
    """Return an answer that says something of the commit; raise Dead("ci") for a refusal."""
    if answer.status == 200 or answer.status in UNKNOWN:
        return answer
    raise Dead("ci", f"{_place(answer)} answers {answer.status}; give ci.token a token that may read it")


def refusal(answer: Response) -> Dead:
    """Return the refusal of a project that is not there for us."""
    return Dead("ci", f"{_place(answer)} answers {answer.status}; correct ci.project, or give ci.token")


def _place(answer: Response) -> str:
    return re.sub(r"\?.*", "", answer.url)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
