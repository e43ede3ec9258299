"""The switches that are no part of answering a request: burning CPU, holding memory, logging a key."""

from __future__ import annotations

import os
import threading

from pytest_deploycheck.demo.app.services import Services

_EVERY_S = 0.2
_MB = 1 << 20


class Faults(threading.Thread):
    """Watches the switches and does what they say."""

    def __init__(self, parts: Services) -> None:
        super().__init__(name="faults", daemon=True)
        self._parts = parts
        self._ended = threading.Event()
        self._burning = threading.Event()
        self._held = b""
        self._key_logged = False

    def run(self) -> None:
        """Follow the switches until stopped."""
        while not self._ended.wait(_EVERY_S):
            switches = self._parts.switches
            switches.refresh()
            self._burn(switches.on("busy_loop"))
            self._hold(int(switches.value("leak_mb") or 0))
            self._log_key(switches.on("log_key_at_start"))

    def stop(self) -> None:
        """Undo everything."""
        self._ended.set()
        self._burn(False)
        self._hold(0)

    def _burn(self, on: bool) -> None:
        if on and not self._burning.is_set():
            self._burning.set()
            threading.Thread(target=self._spin, name="busy_loop", daemon=True).start()
        elif not on:
            self._burning.clear()

    def _spin(self) -> None:
        while self._burning.is_set():
            sum(range(10_000))

    def _hold(self, megabytes: int) -> None:
        if len(self._held) != megabytes * _MB:
            self._held = os.urandom(_MB) * megabytes

    def _log_key(self, on: bool) -> None:
        if on and not self._key_logged:
            self._parts.log.write("info", "signer_loaded", private_key=self._parts.settings.signer_key)
        self._key_logged = on
