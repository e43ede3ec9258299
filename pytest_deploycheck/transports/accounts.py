"""HTTP clients of a probe, and the accounts of `[auth]` that it logs in as."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.transports.conversation import Conversation
from pytest_deploycheck.transports.endpoints import endpoint
from pytest_deploycheck.transports.http import Http, Response
from pytest_deploycheck.transports.login import find_token
from pytest_deploycheck.verdict import Reason

LOGIN_WAIT_MAX_S = 5.0
"""Seconds that a login waits at most when it is told to come back later."""


class Accounts(Conversation):
    """A probe's HTTP clients; a login is shared by all probes of the run."""

    def http(
        self,
        name: str = "api",
        *,
        bearer: str = "",
        headers: Mapping[str, str] | None = None,
        base: str = "",
        hidden: bool = False,
        source: str | None = None,
        addresses: Mapping[str, str] | None = None,
    ) -> Http:
        """Return a client for an endpoint; `base` overrides the address within the same endpoint.

        `hidden`: the path of `base` holds a key and is not shown.  `source`: the runner's own address to ask from,
        by default the one that the target file says.
        """
        found = endpoint(self._wire.target, name)
        address = base or found.url or (self.secret(found.reference) if found.reference else "")
        url = urlsplit(address)
        shown = (
            address
            if found.url or (base and not hidden)
            else f"{url.scheme}://{url.hostname}:{url.port or ''}".rstrip(":")
        )
        marks = {"User-Agent": f"deploycheck/{self.run_id}", "X-Deploycheck-Run": self.run_id}
        client = Http(
            address,
            gate=found.gate,
            enter=self._enter(name, shown),
            remaining=self.remaining,
            verify=self._wire.verify(),
            headers={**marks, **(headers or {})},
            bearer=bearer,
            shown=shown,
            source=self._source(name) if source is None else source,
            addresses=addresses,
        )
        self._open.append(client)
        return client

    def _source(self, name: str) -> str:
        """Return the address that the public door is asked from; other endpoints are asked from any."""
        return self._wire.target.target.source_address if name in ("api", "login", "edge") else ""

    def has_account(self, account: str) -> bool:
        """Whether `[auth]` names this account."""
        return getattr(self._wire.target.auth, account) is not None

    def api(self, account: str = "test_account") -> Http:
        """Return a client of the API that is logged in as an account of `[auth]`."""
        return self.http("api", bearer=self.token(account))

    def token(self, account: str = "test_account") -> str:
        """Return an account's access token; the login is a dead `acct` gate when refused."""
        return self._wire.token(account, lambda: self._login(account))

    def login(self, account: str, password: str | None = None) -> Response:
        """Send one login and return the answer; another password than the account's own may be given."""
        auth = self._wire.target.auth
        found = getattr(auth, account)
        if found is None:
            file = self._wire.target.path.name
            raise CannotLook(Reason.NO_CONFIG, f"no auth.{account} in {file}; add username and password")
        secret = self.secret(found.password) if password is None else password
        body = {auth.username_field: found.username, "password": secret}
        return self.http("login").post(auth.login_path, json=body, credentials=True)

    def login_answer(self, account: str = "test_account") -> Response | None:
        """Return the answer to the login that made `token`, for its headers and cookies; never for facts."""
        return self._wire.login_answers.get(account)

    def _login(self, account: str) -> str:
        answer = self.login(account)
        if answer.status == 429:
            # A limit is no refusal of the account: wait as long as it asks for, once (RFC 6585, RFC 9110 10.2.3).
            asked = (answer.header("retry-after") or "").strip()
            self.sleep(min(float(asked) if asked.isdigit() else 1.0, LOGIN_WAIT_MAX_S))
            answer = self.login(account)
        if answer.status >= 500:
            raise Dead("acct", f"login of {account} answers {answer.status}")
        token = find_token(answer) if 200 <= answer.status < 300 else None
        if token is None:
            raise Dead("acct", f"login of {account} answers {answer.status} and gives no token")
        self._wire.login_answers[account] = answer
        return token
