"""Git: the heads of a remote repository, and reads in the runner's own clone of it. Nothing is ever fetched.

A repository is hostile until it was looked at: its configuration names programs (hooks, monitors, helpers of
transports) that Git would run. None of them is; a remote is reached by https or ssh only, never asks a person
anything, and redirects us nowhere.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

LOCAL_READS = ("cat-file", "ls-tree", "merge-base", "rev-list", "rev-parse", "verify-tag")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ALWAYS = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "safe.directory=*"),
    *("-c", "protocol.allow=never"),
)


@dataclass(frozen=True)
class GitDone:
    """What a command gave: its status, its output as bytes, and the last line of its errors."""

    status: int
    output: bytes
    said: str

    @property
    def text(self) -> str:
        """The output as text."""
        return self.output.decode("utf-8", "replace")


class Git:
    """Reads by Git on the runner.

    `enter(action)` declares a command to the ledger; `remaining()` gives the seconds left to the probe.  token: gives
    what is sent to an https remote, and is asked for it only then.  local_remotes: file:// is a remote too, as in a demo.
    """

    def __init__(
        self,
        *,
        enter: Callable[[str], None],
        remaining: Callable[[], float],
        token: Callable[[], str] | None = None,
        local_remotes: bool = False,
    ) -> None:
        self._enter = enter
        self._remaining = remaining
        self._token = token
        self._local_remotes = local_remotes

    def heads(self, remote: str, *refs: str) -> GitDone:
        """Ask a remote for some refs; a refusal is a fact, its status not 0."""
        self._enter("ls-remote")
        scheme = "ssh" if "://" not in remote else urlsplit(remote).scheme
        if scheme == "http" and urlsplit(remote).hostname not in _LOOPBACK:
            raise CannotLook(
                Reason.NOT_ALLOWED, "repo.remote is http://, where anybody may answer; use https://"
            )
        if scheme == "file" and not self._local_remotes:
            raise CannotLook(
                Reason.NOT_ALLOWED, "repo.remote is file://, which is no remote; give the real one"
            )
        options = ("-c", f"protocol.{scheme}.allow=always", "-c", "http.followRedirects=false")
        return self._run([*_ALWAYS, *options, "ls-remote", "--", remote, *refs], self._authorization(scheme))

    def read(self, clone: Path, command: str, *arguments: str, options: tuple[str, ...] = ()) -> GitDone:
        """Run a reading command in a clone on this machine."""
        if command not in LOCAL_READS:
            raise CannotLook(Reason.NOT_ALLOWED, f"git {command} is not on the list of reads")
        return self._run([*_ALWAYS, *options, "-C", str(clone), command, *arguments], {})

    def _authorization(self, scheme: str) -> Mapping[str, str]:
        """Return the environment that makes Git send the token, where no list of processes shows it."""
        token = self._token() if self._token is not None and scheme in ("https", "http") else ""
        if not token:
            return {}
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        }

    def _run(self, arguments: list[str], more: Mapping[str, str]) -> GitDone:
        wait = self._remaining()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        kept.pop("SSH_ASKPASS", None)
        ssh = os.environ.get("GIT_SSH_COMMAND", "ssh")
        environment = {
            **kept,
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_SSH_COMMAND": f"{ssh} -oBatchMode=yes -oConnectTimeout={max(1, int(wait))}",
            **more,
        }
        try:
            process = subprocess.Popen(
                ["git", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise CannotLook(Reason.NO_ACCESS, "git is not installed here") from None
        try:
            output, errors = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            raise CannotLook(Reason.TIMEOUT, f"git {arguments[-1]} gave no answer in {wait:.0f} s") from None
        finally:
            # A helper of the transport outlives Git where only Git itself is ended.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        return GitDone(process.returncode, output, next((line for line in lines if line.strip()), "")[:200])
