"""A browser for tests: headless Chromium, driven over a pair of pipes by its DevTools protocol."""

from __future__ import annotations

import base64

# Registers its fork hooks now: a thread that imported it while `preexec_fn` makes the interpreter fork
# would have its lock released before it was taken.
import concurrent.futures.thread  # noqa: F401
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
PATIENCE_S = 60.0


def installed() -> str | None:
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, found), None)


@contextmanager
def chromium(profile: Path) -> Iterator[Tab]:
    """A tab of a fresh browser whose profile is `profile`; the browser ends with the context."""
    executable = installed()
    assert executable is not None
    to_browser, from_browser = os.pipe(), os.pipe()

    def as_three_and_four() -> None:
        # Out of the way first: either may be 3 or 4 itself.
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser[0], from_browser[1]))
        os.dup2(read, 3)
        os.dup2(write, 4)

    command = [executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with open(profile.parent / "chromium.log", "wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=as_three_and_four,
            close_fds=False,
            start_new_session=True,
        )
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        tab = Tab(to_browser[1], from_browser[0])
        tab.attach()
        yield tab
        tab.call("Browser.close", of_browser=True)
    finally:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(to_browser[1])
        os.close(from_browser[0])


@dataclass
class Tab:
    """One tab. `complaints` is what its console and its policies said since the last `go`."""

    _write: int
    _read: int
    complaints: list[str] = field(default_factory=list)
    _session: str | None = None
    _buffer: bytes = b""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _loaded: int = 0

    def attach(self) -> None:
        pages = [t for t in self.call("Target.getTargets", of_browser=True)["targetInfos"] if t["type"] == "page"]
        given = {"targetId": pages[0]["targetId"], "flatten": True}
        self._session = self.call("Target.attachToTarget", of_browser=True, **given)["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Network", "Audits"):
            self.call(f"{domain}.enable")

    def look(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        """How wide the window is and which colors its user prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        wanted = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[wanted])

    def go(self, url: str) -> None:
        """Open `url` and wait until it has loaded."""
        self.complaints.clear()
        before = self._loaded
        found = self.call("Page.navigate", url=url)
        assert "errorText" not in found, found
        self.wait_for_load(after=before)

    def wait_for_load(self, *, after: int) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while self._loaded <= after:
            self._take(self._receive(give_up))

    def wait_until(self, expression: str) -> None:
        """Wait until a JavaScript expression holds. Asked through the browser, so it answers when the page can."""
        give_up = time.monotonic() + PATIENCE_S
        while not self.value(expression):
            assert time.monotonic() < give_up, f"{expression} never held"

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self, file: Path) -> Path:
        """The whole page as a PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(shot["data"]))
        return file

    def call(self, method: str, *, of_browser: bool = False, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session and not of_browser:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        give_up = time.monotonic() + PATIENCE_S
        while True:
            answer = self._receive(give_up)
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer}"
                result: dict[str, Any] = answer["result"]
                return result
            self._take(answer)

    def _take(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self._loaded += 1
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.complaints.append(params["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Audits.issueAdded" if params["issue"]["code"] == "ContentSecurityPolicyIssue":
                self.complaints.append(str(params["issue"]["details"]))

    def _receive(self, give_up: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, give_up - time.monotonic()))
            assert ready, "the browser said nothing"
            piece = os.read(self._read, 1 << 16)
            assert piece, "the browser is gone"
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message
