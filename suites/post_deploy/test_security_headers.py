"""Item 53 in depth: what answers tell of the inside, and what may be stored of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules import headers
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.http_matrix import Answer, HttpMatrixFacts

HEADERS = "Security headers present"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.security.headers", text=HEADERS)
def test_headers_tell_nothing(http_matrix_facts: HttpMatrixFacts) -> None:
    """No answer names the software, its version or the hosts behind the edge."""
    assert http_matrix_facts.answers, "no answer was seen"
    for answer in http_matrix_facts.answers:
        told = headers.telltales(answer.by_name(), http_matrix_facts.allow_extra)
        assert not told, f"{_where(answer)} tells {'; '.join(told)}"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.security.headers", text=HEADERS)
def test_headers_keep_private(http_matrix_facts: HttpMatrixFacts) -> None:
    """What is for one user is stored nowhere, and cookies stay with the browser that they were given to."""
    private = [answer for answer in http_matrix_facts.answers if answer.label in ("login", "authenticated")]
    if not private:
        unproven(Reason.NO_EVIDENCE, http_matrix_facts.why_unseen("authenticated"))
    for answer in private:
        problem = headers.storing_problem(answer.by_name().get("cache-control", ()))
        assert not problem, f"{_where(answer)} may be stored: {problem}"
    for answer in http_matrix_facts.answers:
        for cookie in answer.cookies:
            problems = headers.cookie_problems(cookie)
            assert not problems, f"{_where(answer)}: {'; '.join(problems)}"


def _where(answer: Answer) -> str:
    return f"{answer.label}: {answer.method} {answer.path} ({answer.status})"
