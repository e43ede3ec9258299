"""The prober: asks the public routes in turn while a drill goes on, as a process of its own.

It knows nothing of the drill and outlives it when that is killed, so that what users saw of the outage is measured
and not computed. `python prober.py CONFIG` where CONFIG is JSON: urls, addresses (of names that this machine need not
resolve), ca, every_s, out, stop, until (seconds since 1970). Each answer is a line of `out`: [time, url number, status, seconds]; status 0 is no connection, -1 one
that broke off before its answer.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import ssl
import sys
import time
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_S = 5.0


def ask(url: str, context: ssl.SSLContext, addresses: dict[str, str]) -> int:
    """Return the status of one answer, on a connection of its own."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        reached = socket.create_connection((addresses.get(host, host), connection.port), _TIMEOUT_S)
        https = parts.scheme == "https"
        connection.sock = context.wrap_socket(reached, server_hostname=host) if https else reached
    except OSError:
        connection.close()
        return 0
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(
            "GET", path, headers={"User-Agent": "deploycheck-drill", "Cache-Control": "no-cache"}
        )
        answer = connection.getresponse()
        answer.read(65_536)
        return answer.status
    except (OSError, http.client.HTTPException):
        return -1
    finally:
        connection.close()


def main(config: dict[str, Any]) -> None:
    """Ask until the file `stop` exists or the time is over."""
    context = ssl.create_default_context(cafile=config["ca"] or None)
    if config.get("trust_anything"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with open(config["out"], "a", encoding="ascii") as out:  # noqa: PTH123 - alone, without the package
        for number in itertools.cycle(range(len(config["urls"]))):
            if os.path.exists(config["stop"]) or time.time() > config["until"]:  # noqa: PTH110
                return
            begun = time.time()
            status = ask(config["urls"][number], context, config.get("addresses", {}))
            out.write(json.dumps([round(begun, 3), number, status, round(time.time() - begun, 3)]) + "\n")
            out.flush()
            time.sleep(max(0.0, config["every_s"] - (time.time() - begun)))


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123
        main(json.load(file))
