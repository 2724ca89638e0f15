"""The page: without a browser, with raw clients, and in a real Chromium."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browser import CAMERA
from chromium import Page, open_page
from streams import wait_for

from stereo.live.depth import LiveFrame
from stereo.live.pipeline import LiveSettings
from stereo.viewers import server, web
from stereo.viewers.controls import Controls
from stereo.viewers.web import WebViewer

viser = pytest.importorskip("viser", reason="needs the extra web (viser)")
msgspec = pytest.importorskip("msgspec")

BACKGROUND_BGR = np.array(server.BACKGROUND[::-1])


class Told:
    """Remembers what the page asked for."""

    def __init__(self) -> None:
        self.changes: list[dict[str, Any]] = []
        self.records: list[bool] = []
        self.saved: list[int] = []

    def controls(self) -> Controls:
        return Controls(LiveSettings(), self.change, self.record, self.save)

    def change(self, **settings: Any) -> None:
        self.changes.append(settings)

    def record(self, on: bool) -> str:
        self.records.append(on)
        return "recording_x"

    def save(self, frame: LiveFrame) -> str:
        if self.saved:
            raise OSError("the disk is full")
        self.saved.append(frame.number)
        return "live_output/frame_000000"


@contextmanager
def client(viewer: WebViewer) -> Iterator[Any]:
    """A browser's socket without a browser; it counts once it has said where it looks from."""
    from websockets.sync.client import connect

    protocol: Any = f"viser-v{viser.__version__}"
    with connect(
        viewer.url.replace("http", "ws"),
        subprotocols=[protocol],
        max_size=None,
        max_queue=1,
        close_timeout=0.5,
    ) as one:
        one.send(msgspec.msgpack.encode(CAMERA))
        yield one


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_nothing_is_printed_to_standard_output(
    found: LiveFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    with WebViewer(port=0) as viewer:
        viewer.show(found)
    assert capsys.readouterr().out == ""


def test_nothing_is_drawn_while_nobody_looks(found: LiveFrame) -> None:
    viewer = WebViewer(port=0)
    viewer.show(found)
    viewer.close()
    viewer.close()  # harmless
    assert viewer._shown is None


def test_threads_end_with_the_viewer(found: LiveFrame) -> None:
    before = set(threading.enumerate())
    with WebViewer(port=0) as viewer:
        viewer.show(found)
        with client(viewer):
            assert wait_for(lambda: viewer._shown is found)
    assert wait_for(lambda: not [t for t in set(threading.enumerate()) - before if t.is_alive()])


def test_browser_that_does_not_read_costs_no_memory(found: LiveFrame) -> None:
    with WebViewer(port=0) as viewer, client(viewer), client(viewer):
        assert wait_for(lambda: viewer.browsers == 2)
        assert found.depth is not None
        for _ in range(15):
            viewer._cloud.show(found.depth)
        before = resident_bytes()
        for _ in range(120):  # 75 MB if each cloud were kept
            viewer._cloud.show(found.depth)
        assert resident_bytes() - before < 30e6


def test_browser_that_goes_is_forgotten_and_may_return(found: LiveFrame) -> None:
    with WebViewer(port=0) as viewer:
        viewer.show(found)
        with client(viewer):
            assert wait_for(lambda: viewer.browsers == 1)
        assert wait_for(lambda: viewer.browsers == 0)
        with client(viewer) as again:
            assert len(again.recv(timeout=20)) > 0


def pixels(page: Page, path: Path) -> np.ndarray[Any, Any]:
    page.screenshot(path)
    return np.asarray(cv2.imread(str(path)))


def test_in_a_real_browser(
    found: LiveFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_SAVE_EVERY_S", 0.0)
    told = Told()
    with WebViewer(told.controls(), port=0) as viewer:
        viewer.status("12.3 fps, latency 45 ms")
        viewer.show(found)
        with open_page(viewer.url) as page:
            page.wait_for_text("12.3 fps, latency 45 ms")
            page.wait_for_text("rows differ by")
            assert page.run("location.search") == ""  # no secret in the address bar
            _sees_the_cloud(page, tmp_path)
            _measures(page)
            _presses_everything(page, told, viewer)
            ours = viewer.url.partition("?")[0]
            inside = ("data:", "blob:", ours, ours.replace("http", "ws"))
            outside = [url for url in page.requests if not url.startswith(inside)]
            assert not outside, f"asked somebody else: {outside}"
            assert any(url.startswith("ws://127.0.0.1") for url in page.requests)


def test_who_may_only_look_is_told_and_sees_no_live_button(found: LiveFrame) -> None:
    dead = "getComputedStyle([...document.querySelectorAll('button')].find(b => /Stop/.test("
    dead += "b.innerText))).pointerEvents"
    with WebViewer(Told().controls(), port=0) as viewer:
        viewer.show(found)
        with open_page(viewer.url_to_look) as page:
            page.wait_for_text("You may look, but not press")
            page.wait(lambda: page.run(dead) == "none", "a button that cannot be pressed")
        with open_page(viewer.url) as page:
            page.wait_for_text("Save this frame")
            assert page.run(dead) == "auto"
            assert "not press" not in page.text()


def test_on_a_telephone(found: LiveFrame) -> None:
    """Status, depth and a button are on the screen, as wide as it is; the title folds them away."""
    with WebViewer(Told().controls(), port=0) as viewer:
        viewer.status("12.3 fps, latency 45 ms")
        viewer.show(found)
        with open_page("about:blank") as page:
            page.call(
                "Emulation.setDeviceMetricsOverride",
                width=390,
                height=844,
                deviceScaleFactor=1,
                mobile=True,
            )
            page.call("Page.navigate", url=viewer.url)
            page.wait_for_text("12.3 fps, latency 45 ms")
            pause = _box(
                page,
                "[...document.querySelectorAll('button')].find(b => /Pause/.test(b.innerText))",
            )
            assert pause["left"] < 20
            assert pause["right"] > 370
            assert pause["top"] < 844
            picture = _box(page, "[...document.querySelectorAll('img')].find(i => i.width > 300)")
            assert picture["top"] > 400  # the cloud is above
            assert picture["bottom"] < 844
            page.click(100, 403)
            page.wait(lambda: _top(page, "Controls") > 780, "a folded sheet")


def _box(page: Page, find: str) -> dict[str, float]:
    """Where an element is, once it is there and has come to rest."""
    page.wait(lambda: page.run(f"!!{find}"), find)
    before: dict[str, float] = {}
    while (now := dict(page.run(f"{find}.getBoundingClientRect().toJSON()"))) != before:
        before = now
        time.sleep(0.5)
    return before


def _top(page: Page, text: str) -> float:
    find = f"[...document.querySelectorAll('div')].filter(d => d.innerText == {text!r}).at(-1)"
    return float(page.run(f"{find}?.getBoundingClientRect().top ?? 0"))


def _sees_the_cloud(page: Page, folder: Path) -> None:
    """In the middle of the window, the right way up: the red rug below, the pale wall above."""

    def cloud() -> Any:
        view = pixels(page, folder / "page.png")[150:, 460:1170]  # between the panels
        red, blue = view[..., 2].astype(int), view[..., 0].astype(int)
        rug = np.argwhere((red > 90) & (red - blue > 50) & (view[..., 1] < 80))
        seen = np.argwhere(np.abs(view - BACKGROUND_BGR).max(axis=2) > 15)
        return (rug, seen) if len(rug) > 500 and len(seen) > 50_000 else None

    rug, seen = page.wait(cloud, "the cloud")
    assert rug[:, 0].mean() > seen[:, 0].mean()


def _measures(page: Page) -> None:
    page.press("Measure pixel")  # (0, 0), a corner that the matcher cannot know
    page.wait_for_text("(0, 0): unknown")
    page.press("Clear")
    page.wait_for_text("nothing measured")
    page.click(800, 600)
    page.wait(lambda: "±" in page.text(), "a distance with its error bar")
    page.click(700, 640)
    page.wait_for_text("length:")


def _presses_everything(page: Page, told: Told, viewer: WebViewer) -> None:
    page.press("Save this frame")
    page.wait_for_text("saved: live_output/frame_000000")
    page.press("Save this frame")
    page.wait_for_text("the disk is full")
    page.press("Record")
    page.wait_for_text("recording to recording_x")
    page.press("Stop recording")
    page.wait(lambda: told.records == [True, False], "both record calls")
    page.tick("Fill holes")
    page.wait(lambda: told.changes, "a changed setting")
    assert told.changes[-1]["refine"].fill
    assert told.changes[-1]["search"] is None
    page.press("Pause")
    page.wait_for_text("Continue")
    page.wait_for_text("Paused; 12.3 fps")
    assert viewer.paused
    page.press("Continue")
    page.wait(lambda: "Paused" not in page.text(), "no pause any more")
    page.press("Stop")
    page.wait(lambda: viewer.closed, "the end")
