"""Shell: reading commands on a server through testinfra (local, ssh, docker), by an allow-list."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.verdict import Reason

_WORD = r"[\w@%+=:,./{}*'-]+"
_PATH = r"/[\w./@+-]*"
READS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^true$",
        rf"^(cat|stat|readlink|sha256sum|ls|test)( -[\w]+| --format={_WORD})*( {_PATH})+$",
        rf"^openssl pkey -pubout -in {_PATH}$",
        rf"^df( -[\w]+| --output=[\w,]+)*( {_PATH})*$",
        r"^(nproc|uname|uptime|hostname|date|id|getconf)( [\w%+-]+)*$",
        r"^ss( -[\w]+)*$",
        rf"^ps( {_WORD})*$",
        r"^systemctl (show|is-active|is-enabled|list-timers|list-units|list-unit-files)( [\w@.,=*-]+)*$",
        r"^journalctl( -[\w]+| --[\w-]+(=[\w.:-]+)?| [\w@.-]+)*$",
        r"^timedatectl show( -[\w]+| [\w,-]+)*$",
        rf"^docker (version|info|ps|inspect|events|logs|image inspect|network inspect)( {_WORD})*$",
        rf"^docker compose( -[\w-]+ {_WORD})* (version|config|ps|ls)( {_WORD})*$",
        r"^nft -j list ruleset$",
        r"^ufw status verbose$",
        r"^(iptables-save|ip6tables-save|sshd -T|nginx -T)$",
        rf"^git (-c safe\.directory={_WORD} )?-C {_PATH} (rev-parse|status|rev-list|ls-files|log|remote|show|tag|check-ignore|verify-tag)( {_WORD})*$",
        rf"^pgbackrest( --[\w-]+={_WORD})* info$",
        rf"^restic( --[\w-]+={_WORD}| -r {_WORD})* --no-lock snapshots( --{_WORD})*$",
        rf"^pg_restore -l {_PATH}$",
    )
)
COMPOSED = frozenset(
    {
        "docker inspect $(docker ps --all --quiet --no-trunc)",
        "docker image inspect $(docker ps --all --format '{{.Image}}' | sort -u)",
    }
)
"""Commands with shell syntax that only reads, word for word."""
_NEVER = re.compile(r"[;&|<>`$\\\n\"]|--vacuum|--rotate|--flush|--sync|--follow|(?:^|\s)-f(?:\s|$)")
_SECRET_FILES = re.compile(r"/etc/g?shadow|/\.ssh/|privkey|\.key\b")


@dataclass(frozen=True)
class Done:
    """A finished command: its exit status and what it printed."""

    status: int
    stdout: str
    stderr: str


def refuse_writes(command: str) -> None:
    """Raise unless the command is one of the reads, without any shell syntax but that of `COMPOSED`."""
    if command in COMPOSED:
        return
    cats_secret = command.startswith("cat ") and _SECRET_FILES.search(command)
    if cats_secret or _NEVER.search(command) or not any(pattern.match(command) for pattern in READS):
        name = (shlex.split(command, posix=False) or ["(nothing)"])[0]
        raise CannotLook(
            Reason.NOT_ALLOWED, f"command {name!r} with these arguments is not on the list of reads"
        )


class Shell:
    """Commands on one server, counted in `commands`."""

    def __init__(self, uri: str, *, ssh_config: str = "", sudo: bool = False) -> None:
        self.uri = uri
        self.commands = 0
        self._options = {"ssh_config": ssh_config or None, "sudo": sudo}
        self._host: Any = None

    def run(self, script: str) -> Done:
        """Run a script that reads; its exit status is a fact, whatever it is."""
        self.commands += 1
        try:
            if self._host is None:
                import testinfra

                self._host = testinfra.get_host(self.uri, **self._options)
            done = self._host.run(script)
        except (RuntimeError, OSError, ValueError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise Dead("ssh", f"{self.uri} runs no command: {why}") from None
        return Done(done.rc, done.stdout, done.stderr)
