"""A small client of Chromium's DevTools protocol: start it, open a page, ask it things.

Only what the report's tests need. One browser serves a whole session; every page lives in a browser
context of its own, so nothing carries over from one test to the next.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--disable-dev-shm-usage", "--remote-debugging-port=0", "about:blank",
)  # fmt: skip
START_S = 60
ANSWER_S = 90


class BrowserError(Exception):
    """Chromium is missing, did not start, or refused a command; the message says which."""


def find() -> str:
    """Return the path of a Chromium, from `CHROMIUM` or from PATH."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    found = next((path for name in names if name and (path := shutil.which(name))), "")
    if not found:
        raise BrowserError("no Chromium found; install the package chromium or set CHROMIUM to its path")
    return found


class Browser:
    """A running Chromium; `page` opens a page in it."""

    def __init__(self, profile: Path) -> None:
        self._open = ExitStack()
        self._process = subprocess.Popen(
            [find(), f"--user-data-dir={profile}", *FLAGS],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._socket = self._open.enter_context(connect(_address(profile, self._process), max_size=None))
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self._last = 0
        self._events: dict[str, list[dict[str, Any]]] = {}

    def send(self, method: str, params: dict[str, Any] | None = None, session: str = "") -> dict[str, Any]:
        """Send one command and return its result, keeping the events that arrive meanwhile."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        self._socket.send(json.dumps(message))
        while True:
            answer = self._receive(ANSWER_S)
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def wait(self, session: str, method: str, timeout: float = ANSWER_S) -> dict[str, Any]:
        """Return the parameters of the next event of this kind that was not yet taken."""
        until = time.monotonic() + timeout
        while True:
            waiting = self._events.setdefault(session, [])
            for event in waiting:
                if event["method"] == method:
                    waiting.remove(event)
                    params: dict[str, Any] = event["params"]
                    return params
            self._receive(until - time.monotonic())

    def events(self, session: str) -> list[dict[str, Any]]:
        """Return the events of a session that nobody waited for."""
        return self._events.get(session, [])

    def _receive(self, timeout: float) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=max(timeout, 0.001)))
        if "method" in message:
            self._events.setdefault(message.get("sessionId", ""), []).append(message)
        return message

    @contextmanager
    def page(self, width: int = 1280, height: int = 900) -> Iterator[Page]:
        """Open a page of this size in a fresh context, and close both afterwards."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", {"url": "about:blank", "browserContextId": context})[
            "targetId"
        ]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = Page(self, session)
        try:
            page.size(width, height)
            for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
                page.send(f"{domain}.enable")
            yield page
        finally:
            self.send("Target.disposeBrowserContext", {"browserContextId": context})
            self._events.pop(session, None)

    def close(self) -> None:
        """End the browser and wait for it."""
        self._open.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Page:
    """One open page."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to this page."""
        return self._browser.send(method, params, self._session)

    def open(self, url: str) -> None:
        """Go to a URL and wait until it has loaded."""
        self.send("Page.navigate", url=url)
        self._browser.wait(self._session, "Page.loadEventFired")

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page and return its value; promises are awaited."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def size(self, width: int, height: int, *, mobile: bool = False) -> None:
        """Set the viewport in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def media(self, **features: str) -> None:
        """Emulate media features, e.g. `prefers_color_scheme="dark"`."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", features=listed)

    def key(self, name: str, code: int, text: str = "") -> None:
        """Press and release a key."""
        given = {"key": name, "code": name, "windowsVirtualKeyCode": code, "text": text}
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **given)
        self.send("Input.dispatchKeyEvent", type="keyUp", **given)

    def screenshot(self, path: Path, *, y: float = 0, width: int = 0, height: int = 0) -> None:
        """Write a PNG of the viewport, or of a stretch of the page that starts at `y`."""
        clip = {"clip": {"x": 0, "y": y, "width": width, "height": height, "scale": 1}} if height else {}
        answer = self.send("Page.captureScreenshot", captureBeyondViewport=bool(height), **clip)
        path.write_bytes(base64.b64decode(answer["data"]))

    def pdf(self) -> bytes:
        """Print the page."""
        answer = self.send("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        return base64.b64decode(answer["data"])

    def seen(self, *methods: str) -> list[dict[str, Any]]:
        """Return the events of these kinds so far."""
        self.send("Runtime.getHeapUsage")  # a round trip, so that earlier events have arrived
        return [event for event in self._browser.events(self._session) if event["method"] in methods]


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Wait for Chromium to say where it listens."""
    said = profile / "DevToolsActivePort"
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise BrowserError(f"Chromium ended at once with exit code {process.returncode}")
        if said.exists() and (lines := said.read_text().splitlines()) and len(lines) > 1:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise BrowserError(f"Chromium did not open its DevTools port within {START_S} s")
