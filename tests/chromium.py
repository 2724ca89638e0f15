"""A real browser without a screen: Debian's Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
]
PATIENCE_S = 60.0


class Page:
    """One open page. Every request it makes is remembered."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._number = socket, 0
        self.requests: list[str] = []
        """Addresses asked for, web sockets too."""
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")
        # workers too: each waits until its requests are watched
        self.call(
            "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True
        )

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return its answer."""
        self._number += 1
        number = self._number
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_S))
            self._note(message)
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return dict(message["result"])

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif message.get("method") == "Network.webSocketCreated":
            self.requests.append(message["params"]["url"])
        elif message.get("method") == "Target.attachedToTarget":
            for method in ("Network.enable", "Runtime.runIfWaitingForDebugger"):
                self._number += 1
                command = {"id": self._number, "method": method, "params": {}}
                command["sessionId"] = message["params"]["sessionId"]
                self._socket.send(json.dumps(command))

    def run(self, script: str) -> Any:
        """Evaluate JavaScript; what it gives must be plain data."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self) -> str:
        """What a reader sees."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def wait(self, what: Callable[[], Any], why: str) -> Any:
        """Wait until ``what()`` is true, and return it."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := what()):
            assert time.monotonic() < deadline, f"never seen: {why}; the page says {self.text()!r}"
            time.sleep(0.1)
        return found

    def wait_for_text(self, text: str) -> None:
        """Wait until a reader sees it."""
        self.wait(lambda: text in self.text(), text)

    def press(self, label: str) -> None:
        """Click the button so labelled."""
        find = (
            f"[...document.querySelectorAll('button')].find(b => b.innerText.trim() == {label!r})"
        )
        self.wait(lambda: self.run(f"!!{find}"), f"a button {label!r}")
        self.run(f"{find}.click()")

    def tick(self, label: str) -> None:
        """Click the box so labelled."""
        find = f"[...document.querySelectorAll('label')].find(b => b.innerText == {label!r})"
        self.wait(lambda: self.run(f"!!{find}"), f"a box {label!r}")
        self.run(f"document.getElementById({find}.htmlFor).click()")

    def click(self, x: float, y: float) -> None:
        """Click with the mouse at a place of the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextmanager
def open_page(url: str, *, size: tuple[int, int] = (1500, 940)) -> Iterator[Page]:
    """Open ``url`` in a browser of its own; skips where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    from websockets.sync.client import connect

    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        window = f"--window-size={size[0]},{size[1]}"
        browser = subprocess.Popen(
            [program, *_FLAGS, window, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_address(Path(folder), browser), max_size=None) as socket:
                page = Page(socket)
                page.call("Page.navigate", url=url)
                yield page
        finally:
            browser.terminate()
            browser.wait(20)


def _address(folder: Path, browser: subprocess.Popen[bytes]) -> str:
    """Where the first page of the browser listens."""
    from urllib.request import urlopen

    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert browser.poll() is None, f"chromium ended with {browser.returncode}"
        try:
            port = (folder / "DevToolsActivePort").read_text().split()[0]
            with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
                for target in json.load(answer):
                    if target["type"] == "page":
                        return str(target["webSocketDebuggerUrl"])
        except (OSError, IndexError):
            pass
        time.sleep(0.1)
    raise AssertionError("chromium did not start")
