"""Which operating system account a server runs as when the demo is started by root.

PostgreSQL refuses root. It runs as `postgres` where that account exists, else as `nobody`. Either must be
able to enter the deployment's folder and the server's installation; where a folder above them is closed to
others (a temporary folder of pytest, a home folder), setpriv gives the server the one capability that it
lacks for that: to read without permission.
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path

_CANDIDATES = ("postgres", "nobody")


def unprivileged() -> str | None:
    """Name the account for servers that refuse root; None when this process is not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    found = next((name for name in _CANDIDATES if name in known), None)
    if found is None:
        raise RuntimeError(f"PostgreSQL refuses root and none of {', '.join(_CANDIDATES)} exists: add a user")
    return found


def may_enter(user: str, path: Path) -> bool:
    """Whether an account can reach a path: every folder above it, and the path itself, lets it in."""
    account = pwd.getpwnam(user)
    for folder in (path, *path.parents):
        if not folder.is_dir():
            continue
        status = folder.stat()
        owner, group = status.st_uid == account.pw_uid, status.st_gid == account.pw_gid
        bit = 0o100 if owner else 0o010 if group else 0o001
        if not status.st_mode & bit:
            return False
    return True


def command_prefix(user: str | None, *paths: Path) -> list[str]:
    """Return the words to put before a command so that it runs as the account and can reach the paths."""
    if user is None:
        return []
    closed = [path for path in paths if not may_enter(user, path.resolve())]
    if shutil.which("setpriv") is None:
        if closed:
            raise RuntimeError(
                f"user {user} may not enter {closed[0]} and setpriv (util-linux) is missing: "
                "choose a folder that other users may enter, for example under /tmp"
            )
        raise RuntimeError("setpriv (util-linux) is missing: start the demo as an ordinary user")
    group = pwd.getpwnam(user).pw_gid
    prefix = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    if closed:
        capability = _capability(closed[0])
        prefix += [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]
    return prefix


def _capability(closed: Path) -> str:
    """Choose what opens a closed folder: a container's root may have only the wider of the two."""
    words = Path("/proc/self/status").read_text().split()
    owned = int(words[words.index("CapEff:") + 1], 16)
    for bit, name in ((2, "dac_read_search"), (1, "dac_override")):
        if owned & 1 << bit:
            return name
    raise RuntimeError(f"{closed} is closed to PostgreSQL's account: choose a folder that others may enter")


def give(user: str | None, paths: Sequence[Path]) -> None:
    """Make the account the owner of files; nothing happens without one."""
    if user is None:
        return
    account = pwd.getpwnam(user)
    for path in paths:
        os.chown(path, account.pw_uid, account.pw_gid)
