"""What a drill writes down: where its snapshot is listed, and the draft of its account for people to complete."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes.backup import catalogue as listed_in
from pytest_deploycheck.probes.backup import repository

if TYPE_CHECKING:
    from pytest_deploycheck.drill.state import Drill, Facts


def catalogue(drill: Drill, label: str) -> dict[str, Any] | None:
    """Return where the catalogues of backups list a snapshot; None where no catalogue can be read.

    repos, off_host: names of all repositories that list it, and of those on another machine.  at: when it was made,
    as the catalogue says.  encrypted: None where the tool does not say.
    """
    section = drill.target.backup
    if section is None or not label:
        return None
    found, off, at, encrypted = [], [], "", None
    seen = False
    for repo in section.repos:
        try:
            listed, facts, problem = listed_in(section, repo, drill.look.connect)
            about = repository(section, repo, facts, problem, "", drill.look.connect)
        except (CannotLook, Dead):
            continue
        seen = seen or not problem
        for one in listed:
            if one.label and (label.startswith(one.label) or {label, drill.id} & {one.label, *one.tags}):
                found.append(repo.name)
                off += [repo.name] if about.off_host else []
                at, encrypted = max(at, one.started_at), about.encrypted
    if not seen:
        return None
    return {"repos": sorted(set(found)), "off_host": sorted(set(off)), "at": at, "encrypted": encrypted}


def timeline(drill: Drill) -> list[tuple[str, str]]:
    """Return what happened and when, from the journal."""
    words = {
        "begun": "the drill began",
        "resumed": "the drill was found killed, and went on",
        "note": "",
        "command": "ran the command of {step}",
        "ran": "the command of {step} ended",
        "done": "{step} was done",
        "failed": "{step} failed: {why}",
    }
    found = []
    for entry in drill.journal.entries:
        text = words.get(entry["what"])
        if text is not None:
            said = (text or str(entry.get("text", ""))).format(
                step=entry.get("step", ""), why=entry.get("why", "")
            )
            found.append((str(entry["at"]), said))
    return found


def draft(drill: Drill) -> Facts:
    """Write the draft of the account: facts are filled in, what only people know is asked for."""
    lines = [
        f"# The account of drill {drill.id}; complete it, then sign it:",
        "#   deploycheck attest rollback.procedure.postmortem --as techlead --facts THIS-FILE …",
        f'event = "{drill.id}"',
        'trigger = "a planned drill"',
        "root_causes = []  # of the event, or of what went wrong in the drill",
        "what_helped = []",
        "decisions = []  # each: { at = TIME, who = NAME, what = TEXT }",
        "actions = []  # each: { what = TEXT, owner = NAME, due = DATE, tracker = LINK, done = false }",
        "runbook_updates = []  # links",
        "",
    ]
    events = timeline(drill)
    for at, what in events:
        lines += ["[[timeline]]", f"at = {at}", f"what = {_quoted(what)}", ""]
    text = "\n".join(lines)
    path = drill.folder / f"{drill.id}.account.toml"
    if not path.exists():
        path.write_text(text)
    return {
        "draft": path.name,
        "events": len(events),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _quoted(text: str) -> str:
    cleaned = "".join(char if char.isprintable() else " " for char in text)
    return '"' + cleaned.replace("\\", "\\\\").replace('"', '\\"') + '"'
