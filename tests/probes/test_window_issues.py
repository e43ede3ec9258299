"""What the window issues probe makes of trackers' lists: pages, states, and answers that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.window_issues import WindowIssuesFacts
from tests.probes.service import Asked, Reply, serving
from tests.probes.targets import gather

LIVE = datetime(2026, 11, 1, 12, tzinfo=UTC)
HEAD = (
    '[target]\nname = "t"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
    f"[release]\ngo_live_at = {LIVE.isoformat()}\n"
)


def issue(title: str, first_h: float, last_h: float = 30, **more: Any) -> dict[str, Any]:
    """Return an issue of Sentry's, seen from and until some hours after go-live."""
    first, last = (LIVE + timedelta(hours=hours) for hours in (first_h, last_h))
    stamps = {"firstSeen": first.isoformat(), "lastSeen": last.isoformat()}
    usual = {"title": title, "level": "error", "status": "unresolved", "assignedTo": None}
    return {**usual, **stamps, **more}


PAGES = [
    [
        issue("open", 1),
        issue("assigned", 2, assignedTo={"type": "user", "name": "a"}),
        issue("resolved", 2, status="resolved"),
        issue("ignored", 2, status="ignored"),
        issue("a warning", 2, level="warning"),
        issue("deploycheck canary", 2),
    ],
    [
        issue("of the second page", 3, 29),
        issue("older than the release", -90, 28),
        issue("of the second day", 25, 27),
    ],
    [issue("quiet since", -90, -1)],
    [issue("never asked for", 1, -2)],
]


def sentry(asked: Asked) -> Reply:
    """Answer as Sentry does, a page at a time."""
    if asked.path.endswith("/shop/"):
        return Reply(body={"id": "1", "slug": "shop"})
    if not asked.path.endswith("/issues/"):
        return Reply(404)
    page = int(asked.query.get("cursor", ["0:0:0"])[0].split(":")[1])
    link = f'<http://x/?cursor=0:{page + 1}:0>; rel="next"; results="true"; cursor="0:{page + 1}:0"'
    return Reply(body=PAGES[page], headers={"Link": link})


def seen(folder: Path, answer: Any, more: str = "") -> Observation:
    """Look at a tracker that answers so."""
    (folder / "token").write_text("not-a-secret-1")
    with serving(answer) as url:
        text = (
            f'{HEAD}[errors]\nkind = "sentry"\napi_base = "{url}"\norg = "us"\nproject = "shop"\n'
            f'token = {{ file = "token" }}\n{more}'
        )
        return gather(folder, text, "window_issues")["window_issues"]


def test_new_groups_and_who_took_them_up(tmp_path: Path) -> None:
    """Pages are read until issues are quiet since go-live; what was first seen in the day is told with its state."""
    facts = seen(tmp_path, sentry).facts
    assert isinstance(facts, WindowIssuesFacts)
    assert [(one.title, one.triaged, one.is_error) for one in facts.issues] == [
        ("open", "", True),
        ("assigned", "assigned", True),
        ("resolved", "resolved", True),
        ("ignored", "ignored", True),
        ("a warning", "", False),
        ("of the second page", "", True),
    ]
    assert (facts.tracker, facts.examined, facts.unread) == ("sentry", 9, False)


def test_more_than_is_read_is_told(tmp_path: Path) -> None:
    """A list without an end within ten pages is known to have more."""

    def endless(asked: Asked) -> Reply:
        if not asked.path.endswith("/issues/"):
            return sentry(asked)
        link = '<http://x/>; rel="next"; results="true"; cursor="0:1:0"'
        return Reply(body=[issue("assigned", 1, assignedTo={"name": "a"})], headers={"Link": link})

    facts = seen(tmp_path, endless).facts
    assert (facts.unread, facts.examined) == (True, 10)


def test_an_answer_that_is_no_list_is_not_none(tmp_path: Path) -> None:
    """A refusal, a mistake and an issue without a time are no empty list."""
    for reply, reason in (
        (Reply(422, body={"detail": "sort"}), "unparseable"),
        (Reply(403, body={}), "no_access"),
        (Reply(body={"detail": "no"}), "unparseable"),
        (Reply(body=[{"title": "timeless"}]), "unparseable"),
    ):

        def answer(asked: Asked, reply: Reply = reply) -> Reply:
            return reply if asked.path.endswith("/issues/") else sentry(asked)

        found = seen(tmp_path, answer)
        assert (found.state, found.reason) == ("unseen", reason), found


def test_without_a_tracker_there_is_nothing_to_ask(tmp_path: Path) -> None:
    """No `[errors]` is told as such."""
    facts = gather(tmp_path, HEAD, "window_issues")["window_issues"].facts
    assert (facts.tracker, facts.issues) == ("", ())
