"""What a probe reads on the target's servers: one command a server fetches what all probes of a run want there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_deploycheck.transports.conversation import Conversation
from pytest_deploycheck.transports.servers import Servers, no_host

if TYPE_CHECKING:
    from pytest_deploycheck.transports.shell import Done


class OnServers(Conversation):
    """A probe's reads on servers."""

    def collect(self) -> Servers:
        """Fetch from every server what the run's probes want to read there."""
        servers = self._servers()
        for uri in servers.uris:
            self._enter("host", uri)("run")
        servers.collect(self.remaining() - 1)
        return servers

    def read(self, command: str, server: str = "") -> Done:
        """Return what a reading command gave on a server, the main one unless another is named."""
        servers = self._servers()
        place = server or servers.uris[0]
        self._enter("host", place)("read")
        return servers.read(command, place, self.remaining())

    def fetch(self, wanted: dict[str, Sequence[str]]) -> None:
        """Read on several servers what only a first look could tell of; `read` gives it from then on."""
        servers = self._servers()
        for uri, commands in wanted.items():
            if commands and uri not in servers.dead:
                self._enter("host", uri)("read")
        servers.fetch(wanted, self.remaining() - 0.5)

    def dead_servers(self) -> dict[str, str]:
        """Return the servers that run no command, each with what it said."""
        return dict(self._servers().dead)

    def servers(self) -> tuple[str, ...]:
        """Return the addresses of the servers that run commands, the main one first."""
        servers = self._servers()
        return tuple(uri for uri in servers.uris if uri not in servers.dead)

    def _servers(self) -> Servers:
        if self._wire.servers is None:
            raise no_host(self._wire.target.path.name)
        return self._wire.servers
