"""Operational Readiness, Maintenance (items 73 and 74): updates, and the windows in which work is done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import evidence
from pytest_deploycheck.claims.documents import reviewed, sound
from pytest_deploycheck.claims.evidence import fact, moment, moment_of
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.calendar import CalendarFacts, Window
    from pytest_deploycheck.probes.docs_facts import DocsFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.silences import SilencesFacts
    from pytest_deploycheck.probes.updates import ServerUpdates, UpdatesFacts

UPDATES = "operations.maintenance.updates"
WINDOWS = "operations.maintenance.windows"
UPDATES_TEXT = "Update procedures documented"
WINDOWS_TEXT = "Maintenance windows scheduled"


@pytest.mark.checklist(UPDATES, text=UPDATES_TEXT)
def test_updates(docs_facts: DocsFacts, limits: Limits) -> None:
    """The procedure speaks of every part that is updated, in which order, after what, and of the way back."""
    procedure = docs_facts.updates
    if procedure is None:
        unproven(Reason.NO_CONFIG, "no docs.updates in the target file; add it")
    sound(procedure, limits)
    assert docs_facts.topics, f"{procedure.path} has nothing to speak of"
    for topic, told in docs_facts.topics:
        assert told, f"{procedure.path} does not speak of {topic}"


@pytest.mark.checklist(UPDATES, text=UPDATES_TEXT)
def test_updates_reviewed(
    docs_facts: DocsFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Whoever does it read the procedure as it is now."""
    age = limits.updates_review_max_age_d
    file = evidence.newest(evidence_facts.files, UPDATES, now=now, max_age_d=age, this_release=False)
    if docs_facts.updates is None:
        unproven(Reason.NO_CONFIG, "no docs.updates in the target file; add it")
    reviewed(fact(file, "documents", dict), [docs_facts.updates], file.name)
    at = moment(file, "reviewed_at")
    assert now - at <= timedelta(days=age), f"the review is {(now - at).days} days old"


@pytest.mark.checklist(UPDATES, text=UPDATES_TEXT)
def test_updates_of_code(docs_facts: DocsFacts, limits: Limits, now: datetime) -> None:
    """Something proposes updates of dependencies, and what is installed has changed not long ago."""
    if not docs_facts.repository:
        unproven(
            Reason.NO_ACCESS, "the clone of the repository does not have the released commit; set repo.clone"
        )
    assert docs_facts.bot_config, (
        "the released commit has no configuration of Dependabot, Renovate or their like"
    )
    changed = [(path, moment_of(at, path)) for path, at in docs_facts.locks if at]
    if not changed:
        unproven(
            Reason.NO_EVIDENCE, "the released commit has no file that says which dependencies are installed"
        )
    path, at = max(changed, key=lambda one: one[1])
    age = now - at
    assert age <= timedelta(days=limits.deps_update_max_age_d), (
        f"dependencies last changed {age.days} days ago, in {path}"
    )


@pytest.mark.checklist(UPDATES, text=UPDATES_TEXT)
def test_updates_of_servers(updates_facts: UpdatesFacts, limits: Limits, now: datetime) -> None:
    """Servers install updates by themselves, did so lately, and wait for no restart and no security update.

    Since when a security update waits is not told by package managers: those that were published after the last
    run are younger than it.
    """
    assert updates_facts.servers, "no server was seen"
    for server in updates_facts.servers:
        if updates_facts.way == "image":
            _image(server, limits, now)
        else:
            _patched(server, limits, now)
            _restarted(server, limits, now)


def _patched(server: ServerUpdates, limits: Limits, now: datetime) -> None:
    if not server.manager or server.automatic is None:
        unproven(
            Reason.NO_ACCESS, f"{server.uri}: neither apt nor dnf tells of updates; set maintenance.packages"
        )
    assert server.automatic, f"{server.uri} installs no updates by itself: {server.why}"
    if not server.succeeded_at:
        unproven(Reason.NO_EVIDENCE, f"{server.uri} does not say when updates were last installed")
    ran = moment_of(server.succeeded_at, f"{server.uri}: last update")
    age = now - ran
    assert age <= timedelta(days=limits.updates_run_max_age_d), (
        f"{server.uri}: updates were last installed {age.days} days ago"
    )
    if server.security is None:
        unproven(Reason.NO_ACCESS, f"{server.uri}: which security updates wait could not be asked")
    if not server.security:
        return
    seen = moment_of(server.looked_at, "the lists") if server.looked_at else None
    left = seen is None or ran >= seen
    assert not left, (
        f"{server.uri}: the update of {ran.isoformat()} left {len(server.security)} security updates behind: "
        f"{', '.join(server.security[:5])}"
    )
    assert age <= timedelta(days=limits.security_update_max_age_d), (
        f"{server.uri}: {len(server.security)} security updates wait, {age.days} days after the last run"
    )


def _restarted(server: ServerUpdates, limits: Limits, now: datetime) -> None:
    if server.restart_since is None:
        unproven(Reason.NO_EVIDENCE, f"{server.uri} does not say whether, or since when, a restart is due")
    if server.restart_since:
        age = now - moment_of(server.restart_since, f"{server.uri}: restart wanted")
        named = f" for {', '.join(server.restart_for[:3])}" if server.restart_for else ""
        assert age <= timedelta(days=limits.reboot_max_age_d), (
            f"{server.uri} wants a restart since {age.days} days{named}"
        )


def _image(server: ServerUpdates, limits: Limits, now: datetime) -> None:
    if not server.installed_at:
        unproven(Reason.NO_EVIDENCE, f"{server.uri} does not say when its packages were installed")
    age = now - moment_of(server.installed_at, f"{server.uri}: packages")
    assert age <= timedelta(days=limits.image_max_age_d), (
        f"{server.uri}: its packages are {age.days} days old"
    )


@pytest.mark.checklist(WINDOWS, text=WINDOWS_TEXT)
def test_windows(calendar_facts: CalendarFacts, limits: Limits, now: datetime) -> None:
    """A next window is set, somebody's, approved, told in time, outside of busy hours; and others follow it."""
    facts = calendar_facts
    assert not facts.problem, f"{facts.path}: {facts.problem}"
    if not facts.path and facts.zero_downtime:
        return
    assert facts.windows, f"{facts.path}: no window lies ahead; {facts.past} are over"
    first = facts.windows[0]
    ahead = first.opens - now
    assert ahead <= timedelta(days=limits.window_ahead_max_d), f"the next window is in {ahead.days} days"
    last = now
    for window in facts.windows:
        _window(window, limits, now)
        gap = window.opens - last
        assert gap <= timedelta(days=limits.window_gap_max_d), (
            f"no window for {gap.days} days after {last.date()}"
        )
        last = window.opens
    assert last - now >= timedelta(days=limits.window_span_d), f"after {last.date()} nothing is planned"


def _window(window: Window, limits: Limits, now: datetime) -> None:
    name = f"the window of {window.start}"
    assert window.lasts > timedelta(), f"{name} ends before it begins"
    for key in ("owner", "approver", "audience"):
        assert getattr(window, key), f"{name} names no {key}"
    assert not window.peak, f"{name} touches busy hours: {window.peak}"
    notice = timedelta(hours=limits.window_notice_min_h)
    if window.announced_at:
        told = moment_of(window.announced_at, name)
        assert told <= now + timedelta(minutes=5), f"{name}: announced_at lies in the future"
        assert window.opens - told >= notice, f"{name} was announced {window.opens - told} before"
        assert window.notice, f"{name} was announced, and does not say where"
    else:
        assert window.opens - now >= notice, f"{name} is near and was not announced"


@pytest.mark.checklist(WINDOWS, text=WINDOWS_TEXT)
def test_windows_silences(
    calendar_facts: CalendarFacts, silences_facts: SilencesFacts, limits: Limits
) -> None:
    """No silence for maintenance, and none that hides alerts of all kinds, lasts longer than a window and a bit.

    Silences that single out an alert or a thing are another matter: somebody knows of that one.
    """
    if not calendar_facts.path and not calendar_facts.zero_downtime:
        unproven(Reason.NO_CONFIG, "no maintenance.calendar in the target file; add it")
    longest = max((one.lasts for one in calendar_facts.windows), default=timedelta())
    most = longest + timedelta(hours=limits.silence_extra_max_h)
    judged = [silence for silence in silences_facts.silences if silence.maintenance or silence.broad]
    too_long = [
        f"{one.id} ({', '.join(one.matchers)}) until {one.ends_at}" for one in judged if one.lasts > most
    ]
    assert len(too_long) == 0, f"silence {too_long[0]} lasts too long; windows are {longest} at most"


@pytest.mark.checklist(WINDOWS, text=WINDOWS_TEXT)
def test_windows_reviewed(
    calendar_facts: CalendarFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Operations stand by this calendar, or by there being no downtime."""
    age = limits.windows_review_max_age_d
    file = evidence.newest(evidence_facts.files, WINDOWS, now=now, max_age_d=age, this_release=False)
    at = moment(file, "reviewed_at")
    assert now - at <= timedelta(days=age), f"the review is {(now - at).days} days old"
    if not calendar_facts.path:
        assert fact(file, "zero_downtime", bool) is True, (
            f"{file.name} does not say that there is no downtime"
        )
        return
    assert fact(file, "calendar_sha256", str).lower() == calendar_facts.digest, (
        f"{file.name} is about another text of {calendar_facts.path}: it was changed after the review"
    )
