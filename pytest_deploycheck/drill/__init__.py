"""Drills: the rollback, done for real where that is allowed, and written down as it went.

A drill has seven steps in a fixed order, items 109 to 115 of the checklist: close the door (`maintenance`), keep the
present state (`snapshot`), start the release before (`previous`), bring the database to what that fits
(`restore_db`), run the suites (`verify`), let users in (`resume`), write it down (`postmortem`). Each has facts
before and after it, seen by the read-only transports of every probe, and at most one command.

    pytest suites/rollback --target staging --drill

`commands` is the only thing here that changes anything, by commands of `[rollback]` in the target file, and needs
a `Permit`, which only `--drill` gives; on production only with `--drill-production=<release>` typed to match.

`journal` is on the disk, flushed, before the next thing is done. A drill that is killed in any step is found by
the next one started with `--drill`: it ends the command that was left running, looks whether target file, release
and commands are those of then, and goes on in the step where it stopped, which is why commands must do no harm when
run twice; otherwise it opens the door again and gives up. Facts of before a step are kept from the first attempt.

`outage` measures what users see with a prober that is a process of its own and outlives a killed drill. The first
step that fails ends the drill: later ones are blocked, and the service is brought back where it is healthy behind
the door, or with `forward_cmd`; where it is not, the door stays closed, and the record says so.

`record` is what is left: one `deploycheck.drill/v1` file for each drill. It becomes evidence when somebody signs it
(`deploycheck attest operations.maintenance.rollback --facts drills/ID.json`), or with `rollback.key` at once.
Without `--drill` the seven items are judged by the newest signed record and by what could be rolled back to today.
"""

STEPS = ("maintenance", "snapshot", "previous", "restore_db", "verify", "resume", "postmortem")
"""The steps of a rollback in their order, as items 109 to 115 are."""
