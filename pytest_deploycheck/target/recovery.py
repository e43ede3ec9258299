"""How backups are proven to be of use, and what happens when all else is lost."""

from __future__ import annotations

from pytest_deploycheck.target.base import Section


class RestoreSection(Section):
    """`[restore]`: what a restored backup is held against.

    sentinel_tables: whose rows are counted and hashed when a backup is made and when it is restored; at least these
    must be in the record of a restore.
    """

    sentinel_tables: list[str] = []


class DrSection(Section):
    """`[dr]`: the plan for the day when a server, or more, is lost.

    plan: a Markdown page of the released commit (in `repo.clone`) or beside the target file, with `rto_h` and `rpo_h`
    in its front matter.  stored: where it can be read when the production server is gone, in words; not needed where
    it is of the repository.
    """

    plan: str = ""
    stored: str = ""
