"""What the probes of rollback triggers make of other shapes: plans, trackers, nodes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.admin_events import AdminEventsFacts
from pytest_deploycheck.probes.evm import topic
from pytest_deploycheck.probes.known_holes import counted
from pytest_deploycheck.probes.rollback_plan import RollbackPlanFacts
from pytest_deploycheck.probes.user_issues import UserIssuesFacts
from tests.probes.service import Asked, Reply, serving
from tests.probes.targets import gather

HEAD = '[target]\nname = "t"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
NOW = datetime.now(UTC)
RELEASED = NOW - timedelta(hours=3)


def plan(folder: Path, name: str, text: str) -> Any:
    """Return what is seen of a plan."""
    (folder / name).write_text(text)
    return gather(folder, f'{HEAD}[triggers]\nplan = "{name}"\n', "rollback_plan")["rollback_plan"]


def test_a_plan_in_yaml_says_the_same(tmp_path: Path) -> None:
    """Both notations, a single window and a percentage."""
    toml = '[perf]\ncriterion = "slow"\nfactor = 2\n[[perf.detector]]\nalert = "A"\nwhen = "> 5 %"\nover = "15m"\n'
    yaml = "perf:\n  criterion: slow\n  factor: 2\n  detector:\n    - {alert: A, when: '> 5 %', over: 15m}\n"
    first, second = plan(tmp_path, "p.toml", toml).facts, plan(tmp_path, "p.yaml", yaml).facts
    assert isinstance(first, RollbackPlanFacts)
    assert first.triggers == second.triggers
    assert first.detectors == second.detectors
    (only,) = first.detectors
    assert (only.compares, only.over_s, only.holds_s) == (((">", 0.05),), (900.0,), None)


def test_a_plan_with_a_guard(tmp_path: Path) -> None:
    """Several comparisons are all meant; one that cannot be read makes the criterion none."""
    text = '[perf]\n[[perf.detector]]\nalert = "A"\nwhen = ["> 5 %", "> 10"]\n[[perf.detector]]\nwhen = ["> 1", "often"]\n'
    first, second = plan(tmp_path, "p.toml", text).facts.detectors
    assert (first.compares, first.when) == (((">", 0.05), (">", 10.0)), "> 5 % and > 10")
    assert second.compares == ()


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("p.toml", "perf = [", "unparseable"),
        ("p.yaml", "{", "unparseable"),
        ("p.yaml", "- a", "unparseable"),
        ("p.toml", "", "no_evidence"),
        ("p.toml", '[prose]\ntext = "we roll back when it is bad"\n', "no_evidence"),
    ],
)
def test_a_plan_that_says_nothing(tmp_path: Path, name: str, text: str, reason: str) -> None:
    """Prose alone, nothing and nonsense are no plan."""
    seen = plan(tmp_path, name, text)
    assert (seen.state, seen.reason) == ("unseen", reason)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"total_count": 2, "incomplete_results": False, "items": []}, 2),
        ({"total_count": 0, "incomplete_results": True, "items": []}, None),
        ([{"iid": 1}], 1),
        ([], 0),
        ({"total": 3, "issues": []}, 3),
        ({"issues": [{}]}, 1),
        ({"total_count": True}, None),
        ({"message": "rate limit"}, None),
        ("no", None),
    ],
)
def test_searches_of_trackers(body: Any, count: int | None) -> None:
    """GitHub's, GitLab's and Jira's answers are counted; an unfinished search and a refusal are not zero."""
    assert counted(body)[0] == count


def sentry(asked: Asked) -> Reply:
    """Answer as Sentry does about a project and its issues."""

    def issue(title: str, first: datetime, last: datetime, users: int) -> dict[str, Any]:
        stamps = {"firstSeen": first.isoformat(), "lastSeen": last.isoformat()}
        return {"id": title, "title": title, "level": "error", "count": "40", "userCount": users, **stamps}

    if asked.path.endswith("/issues/"):
        return Reply(
            body=[
                issue("new", RELEASED + timedelta(hours=1), NOW, 17),
                issue("nameless", RELEASED + timedelta(hours=1), NOW, 0),
                issue("old and quiet", RELEASED - timedelta(days=9), RELEASED - timedelta(days=2), 900),
                issue("deploycheck canary", RELEASED, NOW, 1),
                {**issue("resolved", RELEASED, NOW, 400), "status": "resolved"},
            ]
        )
    if asked.path == "/search":
        return Reply(body={"total_count": 1})
    if asked.path.endswith("/rules/"):
        return Reply(body=[{"id": 1}])
    return Reply(body={"id": "1", "slug": "shop"}) if asked.path.endswith("/shop/") else Reply(404)


def user_issues_of(folder: Path, kind: str, answer: Callable[[Asked], Reply]) -> Observation:
    """Look at a tracker that answers so."""
    (folder / "token").write_text("not-a-secret-1")
    with serving(answer) as url:
        text = (
            f'{HEAD}[release]\ndeployed_at = {RELEASED.isoformat()}\n[errors]\nkind = "{kind}"\napi_base = "{url}"\n'
            'org = "us"\nproject = "shop"\ntoken = { file = "token" }\n'
            f'[triggers]\nblockers_url = "{url}/search?q=is:open+label:P0"\n'
        )
        return gather(folder, text, "user_issues")["user_issues"]


def test_sentry_counts_users_itself(tmp_path: Path) -> None:
    """Its own count is taken, zero is "nobody knows whom", and what was quiet since the release is left out."""
    seen = user_issues_of(tmp_path, "sentry", sentry)
    assert isinstance(seen.facts, UserIssuesFacts), seen
    assert [(one.title, one.users, one.new) for one in seen.facts.issues] == [
        ("new", 17, True),
        ("nameless", None, True),
    ]
    assert (seen.facts.alerts, seen.facts.blockers) == (True, 1)


def test_a_list_that_is_refused_is_not_an_empty_one(tmp_path: Path) -> None:
    """A tracker that will not list its issues has not said that there are none."""

    def refusing(asked: Asked) -> Reply:
        return Reply(400, body={"detail": "no"}) if asked.path.endswith("/issues/") else sentry(asked)

    seen = user_issues_of(tmp_path, "sentry", refusing)
    assert (seen.state, seen.reason) == ("unseen", "unparseable"), seen


@pytest.mark.parametrize(("events", "state"), [(3, "seen"), (400, "unseen")])
def test_more_issues_than_are_opened(tmp_path: Path, events: int, state: str) -> None:
    """Of Bugsink the issues with most events are opened; that there are others matters when those could be worse."""

    def bugsink(asked: Asked) -> Reply:
        if asked.path.endswith("/issues/"):
            stamps = {"first_seen": RELEASED.isoformat(), "last_seen": NOW.isoformat()}
            rows = [{"id": n, "digested_event_count": events, **stamps} for n in range(30)]
            return Reply(body={"results": rows, "next": None})
        if asked.path.endswith("/events/"):
            return Reply(body={"results": [], "next": None})
        return (
            Reply(body={"total_count": 0})
            if asked.path == "/search"
            else Reply(body={"id": "1", "slug": "shop"})
        )

    seen = user_issues_of(tmp_path, "bugsink", bugsink)
    assert seen.state == state, seen
    assert seen.facts is None or len(seen.facts.issues) == 25


PAUSED = "Paused(address)"
ADDRESS = "0x" + "a" * 40


class Node:
    """A hosted node: a block each twelve seconds, ten blocks a question about logs, one event in block 40."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, asked: Asked) -> Reply:
        """Answer one call, or each of a batch."""
        calls = asked.json if isinstance(asked.json, list) else [asked.json]
        answers = [
            {"jsonrpc": "2.0", "id": one["id"], **self._answer(one["method"], one["params"])} for one in calls
        ]
        return Reply(body=answers if isinstance(asked.json, list) else answers[0])

    def _answer(self, method: str, params: list[Any]) -> dict[str, Any]:
        if method == "eth_getBlockByNumber":
            at = RELEASED.timestamp() + (int(params[0], 16) - 30) * 12
            return {"result": {"number": params[0], "timestamp": hex(int(at)), "hash": "0x" + "1" * 64}}
        if method == "eth_getLogs":
            first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
            if last - first >= 10:
                return {"error": {"code": -32005, "message": "query exceeds max block range 10"}}
            self.ranges.append((first, last))
            log = {
                "address": ADDRESS,
                "topics": [topic(PAUSED)],
                "data": "0x",
                "blockNumber": hex(40),
                "transactionHash": "0x" + "4" * 64,
            }
            return {
                "result": [log] if first <= 40 <= last and topic(PAUSED) in params[0]["topics"][0] else []
            }
        return {
            "result": {"eth_blockNumber": hex(75), "eth_getCode": "0x6000", "eth_call": "0x"}.get(
                method, "0x1"
            )
        }


@pytest.mark.parametrize("planned", [False, True])
def test_events_are_read_from_the_release_on_in_small_pieces(tmp_path: Path, planned: bool) -> None:
    """The release's first block is found by its time, each block from there is asked for, and plans are excuses."""
    node = Node()
    with serving(node) as url:
        (tmp_path / "rpc").write_text(url)
        text = (
            f'{HEAD}[release]\ndeployed_at = {RELEASED.isoformat()}\n[rpc]\nurl = {{ file = "rpc" }}\n'
            f'[contract]\naddress = "{ADDRESS}"\n'
        )
        if planned:
            text += f'[triggers]\nexpected_transactions = ["0x{"4" * 64}"]\n'
        seen = gather(tmp_path, text, "admin_events")["admin_events"]
    assert isinstance(seen.facts, AdminEventsFacts), seen
    facts = seen.facts
    assert facts.first_block is not None
    assert abs(facts.first_block - 30) <= 1  # whole seconds
    blocks = sorted(block for first, last in node.ranges for block in range(first, last + 1))
    assert blocks == list(range(facts.first_block, 76))
    assert facts.events is not None
    assert [(one.name, one.block, one.expected) for one in facts.events] == [(PAUSED, 40, planned)]
    assert facts.paused is None


def test_without_a_contract_no_node_is_asked(tmp_path: Path) -> None:
    """A product without a contract has no events, and that is a fact."""
    seen = gather(tmp_path, f"{HEAD}[contract]\nenabled = false\n", "admin_events")["admin_events"]
    assert isinstance(seen.facts, AdminEventsFacts), seen
    assert (seen.facts.enabled, seen.facts.events) == (False, None)
