"""What all probes of a run share on their way to the target: secrets, ledger, clock, logins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.redact import Redactor
from pytest_deploycheck.secret import SecretRef, SecretUnavailable
from pytest_deploycheck.transports.ledger import Ledger
from pytest_deploycheck.transports.servers import Servers
from pytest_deploycheck.transports.shell import Shell
from pytest_deploycheck.transports.sql import CONNECTIONS_MAX
from pytest_deploycheck.transports.ssh import Multiplexer
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports.http import Response


class Wire:
    """What all probes of a run share; thread-safe."""

    def __init__(
        self,
        target: Target,
        *,
        run_id: str,
        allow: frozenset[str] = frozenset(),
        redactor: Redactor | None = None,
        as_of: datetime | None = None,
        signed: Callable[[], tuple[SignedFile, ...]] = tuple,
    ) -> None:
        self.target = target
        self.as_of = as_of
        self.signed = signed
        self.run_id = run_id
        self.allow = allow
        self.redactor = redactor or Redactor()
        self.ledger = Ledger(target.target.request_budget)
        self.sql_slots = threading.Semaphore(CONNECTIONS_MAX)
        self._lock = threading.Lock()
        self._secrets: dict[int, str] = {}
        self._tokens: dict[str, str | Dead | CannotLook] = {}
        self._logins: dict[str, threading.Lock] = {}
        self.login_answers: dict[str, Response] = {}
        host = target.host
        self._multiplexer = Multiplexer()
        self.servers = Servers((host.uri, *host.more), self._shell) if host is not None else None

    def secret(self, reference: SecretRef) -> str:
        """Return a secret's value, known to the redactor from then on."""
        with self._lock:
            if id(reference) not in self._secrets:
                try:
                    value = reference.resolve().get_secret_value()
                except SecretUnavailable as error:
                    raise CannotLook(Reason.NO_CONFIG, str(error)) from None
                self.redactor.add(value)
                self._secrets[id(reference)] = value
            return self._secrets[id(reference)]

    def token(self, account: str, login: Callable[[], str]) -> str:
        """Return an account's access token; the first caller logs in, the others wait for it."""
        with self._lock:
            waiting = self._logins.setdefault(account, threading.Lock())
        with waiting:
            known = self._tokens.get(account)
            if known is None:
                try:
                    known = login()
                    self.redactor.add(known)
                except (Dead, CannotLook) as refusal:
                    known = refusal
                self._tokens[account] = known
        if isinstance(known, str):
            return known
        raise known

    def _shell(self, uri: str) -> Shell:
        host = self.target.host
        assert host is not None
        config = str(self.target.file(host.ssh_config)) if host.ssh_config else ""
        return Shell(uri, multiplexer=self._multiplexer, ssh_config=config, sudo=host.sudo)

    def close(self) -> None:
        """End the connections that probes shared: no server is read afterwards."""
        if self.servers is not None:
            self.servers.close()
        self._multiplexer.close()

    def verify(self) -> str | bool:
        """Return the CA file of a private PKI, or True for the public ones."""
        return str(self.target.file(self.target.target.ca_file)) if self.target.target.ca_file else True
