"""Where HTTP connections come from and lead to, where that is not this machine's to decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import requests.adapters


class Way(requests.adapters.HTTPAdapter):
    """Connections from an address of this machine (any where it is empty), and to known addresses of some names."""

    def __init__(self, source: str, addresses: Mapping[str, str]) -> None:
        self._source, self._addresses = source, dict(addresses)
        super().__init__(pool_maxsize=8)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pool of connections."""
        if self._source:
            options["source_address"] = (self._source, 0)
        super().init_poolmanager(*args, **options)

    def add_headers(self, request: requests.PreparedRequest, **options: Any) -> None:
        """Keep the name as Host, wherever it leads."""
        url = urlsplit(request.url or "")
        if url.hostname in self._addresses:
            request.headers["Host"] = url.netloc

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Connect to the address; the certificate must be of the name."""
        host, options = super().build_connection_pool_key_attributes(request, verify, cert)
        name = host["host"]
        if name in self._addresses:
            host["host"] = self._addresses[name]
            if host["scheme"] == "https":
                cast(dict[str, Any], options).update(server_hostname=name, assert_hostname=name)
        return host, options
