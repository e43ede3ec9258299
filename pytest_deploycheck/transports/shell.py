"""Shell: reading commands on a server through testinfra (local, ssh, docker), by an allow-list."""

from __future__ import annotations

import re
import shlex
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.transports import backup_cron, cert_files, compose
from pytest_deploycheck.transports.processes import Processes, TooMuch
from pytest_deploycheck.transports.ssh import CONNECT_TIMEOUT_S, Multiplexer, explain
from pytest_deploycheck.verdict import Reason

RUN_TIMEOUT_S = 30.0
"""Seconds that one command may take unless its caller has less."""
_WORD = r"[\w@%+=:,./{}*'-]+"
_PATH = r"/[\w./@+-]*"
READS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^true$",
        rf"^(cat|stat|readlink|sha256sum|ls|test)( -[\w]+| --format={_WORD})*( {_PATH})+$",
        rf"^openssl pkey -pubout -in {_PATH}$",
        rf"^df( -[\w]+| --output=[\w,]+)*( {_PATH})*$",
        r"^(nproc|uname|uptime|id|getconf)( [\w%+-]+)*$",
        # With a word of another kind, these two would set what they show.
        r"^(date( -u)?( \+[\w%]+)?|hostname( -[fsiI])?)$",
        # Not -K, which ends connections.
        r"^(ss|netstat)( -[Haelnptu46]+)*$",
        rf"^ps( {_WORD})*$",
        r"^systemctl( --user)? (show|is-active|is-enabled|list-timers|list-units|list-unit-files)"
        r"( [\w@.,=*-]+| '\*\.(timer|service|socket)')*$",
        r"^journalctl( -[abqnurgtpkox]+| --(no-pager|lines|unit|since|until|boot|output|grep|priority|identifier|reverse|utc|"
        r"quiet|dmesg|all|disk-usage|list-boots|no-hostname|output-fields)(=[\w.:,-]+)?| [\w@.][\w@.-]*)*$",
        r"^timedatectl show( -[\w]+| [\w,-]+)*$",
        rf"^docker (version|info|ps|inspect|logs|image inspect|network inspect)( {_WORD})*$",
        # Without --until it would never end.
        rf"^docker events --since={_WORD} --until={_WORD}( --filter={_WORD})* --format '{{{{json \.}}}}'$",
        rf"^docker[ -]compose( -p {_WORD}| --(project-name|file|env-file|project-directory|profile)={_WORD})* "
        r"(version|config|ps|ls)( --(short|all|no-trunc|services|images|profiles|format json|hash '\*'))*$",
        r"^nft -j list ruleset$",
        r"^ip -j( -[46])? (route show default|addr show scope global)$",
        r"^(ip6?tables(-legacy)?-save|sshd -T|nginx -T)$",
        # Only what lists: `git remote` and `git tag` change a repository in their other forms.
        rf"^git(?!.* --output)( --no-optional-locks| -c safe\.directory={_WORD}| -c core\.fsmonitor=false)* -C {_PATH} "
        rf"((rev-parse|status|rev-list|ls-files|log|show|check-ignore)( {_WORD})*"
        rf"|remote (-v|get-url {_WORD})|tag (--points-at|--list|--contains) {_WORD})$",
        r"^pgbackrest( --(stanza|output)=[\w.-]+)* info$",
        # Not --password-command, which runs another program; --no-cache, since a cache would be written.
        rf"^restic -r {_WORD}( --password-file={_PATH})? --no-cache --no-lock snapshots --json$",
        rf"^ls -l --time-style=\+%s {_PATH}$",
        rf"^pg_restore -l {_PATH}$",
        # Only simulated, and without the lock that another apt waits for.
        r"^(apt-config dump|apt-get -s -o Debug::NoLocking=true (dist-)?upgrade)$",
        # -C: from the cache, so that nothing is fetched.
        r"^(dnf -C -q updateinfo list --security|needs-restarting -r)$",
    )
)
COMPOSED = frozenset(
    {
        backup_cron.CRON,
        "stat --format='%Y' $(nginx -T 2>/dev/null | sed -n 's/^# configuration file \\(.*\\):$/\\1/p')",
        "docker inspect $(docker ps --all --quiet --no-trunc)",
        "docker inspect --format '{{.Id}} {{.RestartCount}} {{json .State}}' $(docker ps --all --quiet --no-trunc)",
        "docker image inspect $(docker inspect --format '{{.Config.Image}} {{.Image}}' "
        "$(docker ps --all --quiet --no-trunc) | tr ' ' '\\n' | sort -u)",
    }
)
"""Commands with shell syntax that only reads, word for word."""
_COMPOSED_WITH_PATH = re.compile(rf"^ps -o etimes= --ppid \$\(cat {_PATH}\)$")
_NEVER = re.compile(
    r"[;&|<>`$\\\n\"]|--vacuum|--rotate|--flush|--sync|--follow|(?:^|\s)-f(?:\s|$)|--[\w-]*(?:command|cmd)[\w-]*="
)
_SECRET_FILES = re.compile(r"/etc/g?shadow|/\.ssh/|privkey|\.key\b")


@dataclass(frozen=True)
class Done:
    """A finished command: its exit status and what it printed.

    sent_at, received_at: seconds since 1970, by the runner's clock, between which it ran.
    """

    status: int
    stdout: str
    stderr: str
    sent_at: float = field(default=0.0, compare=False)
    received_at: float = field(default=0.0, compare=False)


def refuse_writes(command: str) -> None:
    """Raise unless the command is one of the reads, without any shell syntax but that of `COMPOSED`."""
    if command in COMPOSED or compose.is_question(command) or _COMPOSED_WITH_PATH.match(command):
        return
    if cert_files.is_question(command):
        return
    cats_secret = command.startswith("cat ") and _SECRET_FILES.search(command)
    if cats_secret or _NEVER.search(command) or not any(pattern.match(command) for pattern in READS):
        name = (shlex.split(command, posix=False) or ["(nothing)"])[0]
        raise CannotLook(
            Reason.NOT_ALLOWED, f"command {name!r} with these arguments is not on the list of reads"
        )


class Shell:
    """Commands on one server, one at a time, counted in `commands`; testinfra builds and quotes them.

    multiplexer: the run's shared SSH connections, without which every command connects by itself.
    """

    def __init__(
        self, uri: str, *, multiplexer: Multiplexer | None = None, ssh_config: str = "", sudo: bool = False
    ) -> None:
        self.uri = uri
        self.commands = 0
        self._multiplexer = multiplexer
        self._ssh_config = ssh_config
        self._sudo = sudo
        self._processes = Processes()
        self._lock = threading.Lock()
        self._host: Any = None
        self._ends = 0.0

    def run(self, script: str, timeout: float = RUN_TIMEOUT_S) -> Done:
        """Run a script that reads; its exit status is a fact, whatever it is."""
        with self._lock:
            self.commands += 1
            self._ends = time.monotonic() + timeout
            sent_at = time.time()
            try:
                done = self._connected().run(script)
            except TimeoutError:
                raise self._dead(f"it gave no answer within {timeout:.0f} s") from None
            except RuntimeError as error:
                result = error.args[0] if error.args else ""
                raise self._dead(explain(_text(getattr(result, "stderr_bytes", str(result))))) from None
            except (OSError, ValueError, TooMuch) as error:
                raise self._dead(str(error)[:160] or type(error).__name__) from None
            out, err = _text(done.stdout_bytes), _text(done.stderr_bytes)
        if done.rc and not out:
            raise self._dead(explain(err))
        return Done(done.rc, out, err, sent_at, time.time())

    def close(self) -> None:
        """End a command that still runs."""
        self._processes.close()

    def _connected(self) -> Any:
        """Return testinfra's host, with its one way to run something here replaced by a bounded one."""
        if self._host is None:
            import testinfra

            uri, ssh_config = _without_config(self.uri)
            ssh_config = ssh_config or self._ssh_config
            if self._multiplexer is not None and urlsplit(uri).scheme in ("ssh", "safe-ssh"):
                ssh_config = self._multiplexer.config(ssh_config)
            host = testinfra.get_host(
                uri, ssh_config=ssh_config or None, sudo=self._sudo, timeout=CONNECT_TIMEOUT_S
            )
            backend = host.backend
            # Otherwise testinfra asks the server for its encoding, by commands of its own.
            backend._encoding = "utf-8"
            backend.run_local = lambda command, *args: self._run_local(backend, command, *args)
            self._host = host
        return self._host

    def _run_local(self, backend: Any, command: str, *args: str) -> Any:
        quoted = backend.encode(backend.quote(command, *args))
        status, out, err = self._processes.run(quoted, max(0.1, self._ends - time.monotonic()))
        return backend.result(status, quoted, out, err)

    def _dead(self, why: str) -> Dead:
        return Dead("ssh", f"{self.uri} runs no command: {why}")


def _without_config(uri: str) -> tuple[str, str]:
    """Take `ssh_config` out of an address, since testinfra would prefer it to the run's own file."""
    url = urlsplit(uri)
    query = parse_qsl(url.query)
    found = next((value for name, value in query if name == "ssh_config"), "")
    rest = urlencode([(name, value) for name, value in query if name != "ssh_config"])
    return (urlunsplit(url._replace(query=rest)) if found else uri), str(
        Path(found).expanduser()
    ) if found else ""


def _text(output: bytes | str) -> str:
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else output
