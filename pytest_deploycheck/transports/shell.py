"""Shell: reading commands on the server through testinfra (local, ssh, docker), by an allow-list."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.verdict import Reason

_WORD = r"[\w@%+=:,./{}*-]+"
READS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^true$",
        r"^(cat|stat|readlink|sha256sum|ls)( -[\w]+)* (/proc|/sys|/etc|/var/log|/srv|/opt|/run)[\w./@-]*$",
        r"^df( -[\w]+| --output=[\w,]+)*( [\w./-]+)?$",
        r"^(nproc|uname|uptime|hostname|date|id)( -[\w-]+)*$",
        r"^ss( -[\w]+)*$",
        r"^systemctl (show|is-active|is-enabled|list-timers|list-units)( [\w@.,=-]+)*$",
        r"^journalctl( -[\w]+| --[\w-]+(=[\w.:-]+)?| [\w@.-]+)*$",
        r"^timedatectl show( -[\w]+| [\w,-]+)*$",
        rf"^docker (version|info|ps|inspect|events|logs|image inspect)( {_WORD})*$",
        rf"^docker compose (version|config|ps|ls)( {_WORD})*$",
        r"^nft -j list ruleset$",
        r"^(iptables-save|ip6tables-save|sshd -T|nginx -T)$",
    )
)
_NEVER = re.compile(r"[;&|<>`$\\\n\"']|--vacuum|--rotate|--flush|--sync|--follow|(?:^|\s)-f(?:\s|$)")


@dataclass(frozen=True)
class Done:
    """A finished command: its exit status and what it printed."""

    status: int
    stdout: str
    stderr: str


def refuse_writes(command: str) -> None:
    """Raise unless the command is one of the reads, without any shell syntax."""
    if _NEVER.search(command) or not any(pattern.match(command) for pattern in READS):
        name = (shlex.split(command, posix=False) or ["(nothing)"])[0]
        raise CannotLook(
            Reason.NOT_ALLOWED, f"command {name!r} with these arguments is not on the list of reads"
        )


class Shell:
    """Commands on one host."""

    def __init__(self, uri: str, *, enter: Callable[[str], None], ssh_config: str = "", sudo: bool = False):
        self._uri = uri
        self._enter = enter
        self._options = {"ssh_config": ssh_config or None, "sudo": sudo}
        self._host: Any = None

    def run(self, command: str) -> Done:
        """Run one reading command; its exit status is a fact, whatever it is."""
        refuse_writes(command)
        self._enter("run")
        try:
            if self._host is None:
                import testinfra

                self._host = testinfra.get_host(self._uri, **self._options)
            done = self._host.run(command)
        except (RuntimeError, OSError, ValueError) as error:
            raise Dead("ssh", f"{self._uri} runs no command: {str(error).splitlines()[0][:160]}") from None
        return Done(done.rc, done.stdout, done.stderr)
