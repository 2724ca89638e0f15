"""A live result in the browser: images, depth, cloud, sliders, distances. Needs the extra ``web``.

viser serves one page, whole, from this computer; nothing comes from outside. ``show`` only leaves
the newest frame; a thread of its own draws it, at a share of the time that is bounded, and not at
all while nobody looks. Every message replaces the one before, so a slow browser misses frames and
costs no memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.closing import Closing
from stereo.frame import Float
from stereo.live.depth import LiveFrame
from stereo.preview import depth_preview, depth_range, disparity_preview, steadied
from stereo.threads import Latest, start_thread
from stereo.viewers.controls import Controls
from stereo.viewers.panels import CloudView, MatcherPanel, MeasurePanel, RecordPanel, fitting
from stereo.viewers.phone import NARROW_PX, PhonePanel, widen_sheet
from stereo.viewers.scene import rig_health
from stereo.viewers.server import guard_of, serve, stop, url_of
from stereo.viewers.throttle import Throttle
from stereo.viewers.wall_panel import WallPanel

if TYPE_CHECKING:
    import viser

__all__ = ["WebViewer"]

DEFAULT_PORT = 8080
_MAX_FPS = 12.0
_SHARE = 0.1
"""Of one core's time, at most, goes into drawing: a matcher on two cores loses a twentieth."""
_HEALTH_EVERY_S = 4.0
_HEALTH_SHARE = 0.01  # of one core's time, at most
_SAVE_EVERY_S, _RECORD_EVERY_S = 1.0, 2.0
"""How often a frame can be saved and a recording begun: a page must not fill the disk by itself."""
_IMAGE_WIDTH = 360
_STEADY = 0.8  # share of the old colour scale that each picture keeps


@dataclass(frozen=True, eq=False, slots=True)
class _Page:
    """What a browser shall see."""

    status: str = "waiting for the first frame"
    frame: LiveFrame | None = None


class WebViewer(Closing):
    """Shows live results to any number of browsers."""

    def __init__(
        self,
        controls: Controls | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        max_points: int = 60_000,
        title: str = "stereo live",
        token: bool = True,
    ) -> None:
        """``port`` 0 takes any free one; ``url`` then says which.

        ``url`` holds a secret: who has it may press every button, who has ``url_to_look`` may
        only look. ``host`` "0.0.0.0" lets the whole network in that has one. ``token`` False: no
        secret, for a page that only this computer can reach. Raises MissingLibraryError
        without viser, InputError for an address that is not ours, SourceError for a port in use.
        """
        guard = guard_of(host, token=token)
        self._server = serve(host, port, title, guard)
        self.url = url_of(self._server, host, guard.control)
        self.url_to_look = url_of(self._server, host, guard.view)
        self._controls = _throttled(controls or Controls())
        self._page = _Page()
        self._pages: Latest[_Page] = Latest()
        self._shown: LiveFrame | None = None
        self._told = self._page.status
        self._next_health = 0.0
        self._range_m: tuple[float, float] | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._closed = False
        self._paused = False
        self._phones: dict[int, PhonePanel] = {}
        self._build(max_points)
        self._server.on_client_connect(self._welcome)
        self._server.on_client_disconnect(self._part)
        self._thread = start_thread("web-viewer", self._work)

    # -- as every viewer ---------------------------------------------------------------------

    def show(self, frame: LiveFrame) -> None:
        """Leave the newest result for the browsers; takes microseconds."""
        self._leave(frame=frame)

    def status(self, text: str) -> None:
        """Show one line: connection, fps, latency, what went wrong."""
        self._leave(status=text)

    def _leave(self, **changes: Any) -> None:
        """Leave the newest page for the thread that draws, with so much changed."""
        with self._lock:
            self._page = replace(self._page, **changes)
            self._pages.put(self._page)

    def idle(self) -> None:
        """Nothing to do: browsers are answered by threads of their own."""

    @property
    def closed(self) -> bool:
        """Whether somebody pressed "Stop"."""
        return self._closed

    @property
    def paused(self) -> bool:
        """Whether somebody pressed "Pause", and nobody "Continue" yet."""
        return self._paused

    @property
    def browsers(self) -> int:
        """How many are connected."""
        return len(self._server.get_clients())

    def close(self) -> None:
        """Stop serving; harmless when called again."""
        with self._lock:
            if self._ended.is_set():
                return
            self._ended.set()
        self._pages.close()
        self._thread.join(2)
        self._wall.close()
        stop(self._server)

    # -- the page ----------------------------------------------------------------------------

    def _build(self, max_points: int) -> None:
        gui, controls = self._server.gui, self._controls
        black = np.zeros((_IMAGE_WIDTH * 3 // 4, _IMAGE_WIDTH, 3), np.uint8)
        widen_sheet(gui)
        panel = gui.add_panel()
        with panel.add_tab("Camera"):
            self._status_line = gui.add_markdown(self._told)
            self._health = gui.add_markdown("Rig: not measured yet")
            self._left = gui.add_image(black, label="left image, rectified", jpeg_quality=80)
            self._depth = gui.add_image(black, label="depth", jpeg_quality=85)
        panel.dock_left()
        panel.set_width(_IMAGE_WIDTH + 40)
        gui.main_panel.dock_right()
        gui.set_panel_label("Controls")
        pause = gui.add_button("Pause", hint="Hold the picture; cameras go on, files wait.")
        pause.on_click(lambda _: self._pause(pause))
        self._cloud = CloudView(self._server, max_points)
        self._measure = MeasurePanel(self._server, lambda: self._shown)
        self._wall = WallPanel(self._server)
        if controls.settings is not None and controls.on_change is not None:
            MatcherPanel(self._server, controls.settings, controls.on_change, self._guarded)
        RecordPanel(self._server, controls, lambda: self._shown, self._guarded)
        gui.add_button("Stop", color="red", hint="End the program.").on_click(self._stop)

    def _welcome(self, client: viser.ClientHandle) -> None:
        """Show what there is to who has just come."""
        if client.camera.image_width <= NARROW_PX:
            said, picture = self._status_line.content, self._depth.image
            self._phones[client.client_id] = PhonePanel(client, said, picture)
        self._leave()

    def _part(self, client: viser.ClientHandle) -> None:
        self._phones.pop(client.client_id, None)

    def _pause(self, button: Any) -> None:
        self._paused = not self._paused
        button.label = "Continue" if self._paused else "Pause"
        self._leave()

    def _stop(self, _event: Any) -> None:
        self._closed = True

    def _guarded(self, action: Callable[..., Any]) -> Callable[..., Any]:
        """The same, with what it raises shown on the page."""

        def run(*args: Any, **named: Any) -> Any:
            try:
                return action(*args, **named)
            except Exception as error:  # the page is where the user looks
                self._tell("Did not work", str(error))
                return None

        return run

    def _tell(self, title: str, text: str) -> None:
        for client in self._server.get_clients().values():
            client.add_notification(title, text, color="red", auto_close_seconds=8.0)

    # -- the thread that draws ---------------------------------------------------------------

    def _work(self) -> None:
        while (page := self._pages.take()) is not None:
            began, worked = time.perf_counter(), time.thread_time()
            paused = "Paused; " if self._paused else ""
            said = paused + page.status
            if said != self._told:
                self._told = said
                self._say(f"**{_plain(said)}**")
            if page.frame is not None and self._wants(page.frame):
                self._shown = page.frame
                self._guarded(self._draw)(page.frame)
            rest = max(
                1 / _MAX_FPS - (time.perf_counter() - began),
                (time.thread_time() - worked) * (1 / _SHARE - 1),
            )
            self._ended.wait(rest)

    def _say(self, status: str) -> None:
        self._status_line.content = status
        for phone in list(self._phones.values()):
            phone.say(status)

    def _wants(self, frame: LiveFrame) -> bool:
        """Whether to draw this frame: somebody looks, and has not seen it."""
        return frame is not self._shown and not self._paused and bool(self._server.get_clients())

    def _draw(self, frame: LiveFrame) -> None:
        result = frame.result
        self._left.image = fitting(result.left, _IMAGE_WIDTH)
        self._depth.label, self._depth.image = self._depth_picture(frame)
        for phone in list(self._phones.values()):
            phone.show(self._depth.image)
        if frame.depth is not None:
            self._cloud.show(frame.depth)
        self._measure.refresh(frame)
        self._wall.offer(frame)
        if time.monotonic() >= self._next_health:
            began = time.thread_time()
            health = rig_health(result)
            rest = max(_HEALTH_EVERY_S, (time.thread_time() - began) / _HEALTH_SHARE)
            self._health.content = (
                f"Rig {'good' if health.good else '**needs a look**'}: {health.line()}"
            )
            self._next_health = time.monotonic() + rest

    def _depth_picture(self, frame: LiveFrame) -> tuple[str, NDArray[np.uint8]]:
        """What the second picture is, and the picture, colour-mapped with its scale."""
        disparity, depth = frame.result.disparity, frame.depth
        if depth is None:
            return "disparity (no calibration: no depth)", disparity_preview(_small(disparity.px))
        plane = _small(depth.depth_m)
        self._range_m = steadied(self._range_m, depth_range(plane), _STEADY)
        return "depth", depth_preview(plane, range_m=self._range_m)


def _throttled(controls: Controls) -> Controls:
    """The same, seldom enough."""
    save, record = controls.on_save, controls.on_record
    return replace(
        controls,
        on_save=save and Throttle(save, _SAVE_EVERY_S),
        on_record=record and Throttle(record, _RECORD_EVERY_S, free=False),
    )


def _small(plane: Float) -> Float:
    """At most as wide as it is shown; nearest, as a mean over an edge is a depth of nothing."""
    width = min(plane.shape[1], _IMAGE_WIDTH)
    size = (width, max(1, round(plane.shape[0] * width / plane.shape[1])))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST), np.float32)


def _plain(text: str) -> str:
    """Text without the signs that Markdown understands."""
    return "".join("\\" + c if c in "\\`*_{}[]<>#|" else c for c in text)
