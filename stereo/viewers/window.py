"""A desktop window: left image and depth, distances under the mouse, keys. OpenCV's own window.

Only where there is a display: without one cv2.imshow aborts the process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.closing import Closing
from stereo.errors import StereoError
from stereo.gray import to_rgb8
from stereo.live.depth import LiveFrame
from stereo.measure import Pixel, distance, length
from stereo.preview import COLORMAPS, depth_preview, depth_range, disparity_preview, steadied
from stereo.viewers.highgui import is_gone, open_window

RGB = NDArray[np.uint8]

TITLE = "stereo live"
HELP = "click two points: length | space pause | s save | c colours | m matcher | r reset | q quit"
_SHARE = 0.15
"""Of the time of the thread that shows, at most, goes into drawing; see benchmarks/live.py."""
_STEADY = 0.9  # share of the old scale that each frame keeps
_INK, _MARK, _PAPER = (30, 30, 30), (255, 60, 200), (250, 250, 250)
_WIDEST_PX = 800  # of each half; larger images are shown smaller


@dataclass(frozen=True, slots=True)
class ViewState:
    """What the user has chosen to see."""

    hover: Pixel | None = None
    """Where the mouse is, in pixels of the rectified left image."""
    marks: tuple[Pixel, ...] = ()
    """Points clicked: none, one or two."""
    colormap: str = "turbo"
    """One of ``COLORMAPS``."""
    range_m: tuple[float, float] | None = None
    """Scale of the depth colours; None: from the frame."""
    status: str = ""
    """Line below the pictures."""
    paused: bool = False
    """Whether the picture stands still."""


def draw(found: LiveFrame, state: ViewState) -> RGB:
    """Return the picture: left image and depth side by side, scale, words and marks."""
    left, depth = found.result.left, found.depth
    scale = shown_scale(left.shape[1])
    # made small first: it costs less, and lines and letters stay sharp
    marked = _marked(to_rgb8(_smaller(left, scale, cv2.INTER_AREA)), state.marks, scale)
    if depth is None:
        px = _smaller(found.result.disparity.px, scale, cv2.INTER_NEAREST)
        colors = disparity_preview(px)
    else:
        # nearest: a mean over an edge would show a depth where nothing is
        near = _smaller(depth.depth_m, scale, cv2.INTER_NEAREST)
        colors = depth_preview(near, range_m=state.range_m, colormap=state.colormap)
    height = max(marked.shape[0], colors.shape[0])
    both = np.hstack([_padded(marked, height), _padded(colors, height)])
    return np.vstack([both, _words(both.shape[1], _lines(found, state))])


def _lines(found: LiveFrame, state: ViewState) -> list[str]:
    """The words below the pictures."""
    status = f"PAUSED: space goes on   {state.status}" if state.paused else state.status
    return [_measured(found, state), status, HELP]


def _marked(image: RGB, marks: tuple[Pixel, ...], scale: float) -> RGB:
    """A copy with crosses where the user clicked, and the line between two."""
    image = image.copy()
    places = [tuple(round((c + 0.5) * scale - 0.5) for c in mark) for mark in marks]
    for place in places:
        cv2.drawMarker(image, place, _MARK, cv2.MARKER_CROSS, 21, 2)
    if len(places) == 2:
        cv2.line(image, places[0], places[1], _MARK, 2, cv2.LINE_AA)
    return image


def _nobody(*_: Any) -> None: ...


def shown_scale(width: int) -> float:
    """How much smaller than it is an image of so many columns is shown."""
    return min(1.0, _WIDEST_PX / width)


def _measured(found: LiveFrame, state: ViewState) -> str:
    """What is known of the place under the mouse and of the clicked points."""
    depth = found.depth
    if depth is None:
        return "no calibration: no distances"
    said = []
    if len(state.marks) == 2:
        span = length(depth, *state.marks)
        said.append(f"length {span}" if span else "length unknown: no depth at a point")
    elif state.marks:
        said.append("click the second point")
    if state.hover is not None:
        here = distance(depth, state.hover)
        said.append(f"here {here}" if here else "here unknown")
    return "   ".join(said) or "move the mouse over the left image"


def _words(width: int, lines: list[str]) -> RGB:
    line_px = 24
    paper = np.full((line_px * len(lines) + 8, width, 3), _PAPER, np.uint8)
    for number, line in enumerate(lines):
        place = (8, line_px * (number + 1) - 4)
        cv2.putText(paper, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return paper


def _smaller(image: NDArray[Any], scale: float, how: int) -> NDArray[Any]:
    if scale == 1:
        return image
    size = round(image.shape[1] * scale), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=how)


def _padded(image: RGB, height: int) -> RGB:
    rest = height - image.shape[0]
    return np.pad(image, ((0, rest), (0, 0), (0, 0)), constant_values=_PAPER[0]) if rest else image


@dataclass
class WindowViewer(Closing):
    """Shows live results in a window; used from the main thread.

    ``save`` writes a frame and returns where; ``next_matcher`` changes the matcher and returns
    its name.
    """

    save: Callable[[LiveFrame], str]
    next_matcher: Callable[[], str]
    closed: bool = False
    _state: ViewState = field(default_factory=ViewState)
    _found: LiveFrame | None = None
    _next_s: float = 0.0

    def __enter__(self) -> Self:
        open_window(TITLE, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
        cv2.setMouseCallback(TITLE, self._mouse)
        return self

    def close(self) -> None:
        """Take the window away."""
        cv2.setMouseCallback(TITLE, _nobody)  # OpenCV holds on to the old one for ever
        cv2.destroyAllWindows()

    def show(self, frame: LiveFrame) -> None:
        """Draw the newest result; while paused, the old one stays.

        Of a fast source not every result is drawn: depth comes first.
        """
        start = time.perf_counter()
        if start < self._next_s:
            self._listen(cv2.pollKey())
            return
        if not self.paused:
            self._found = frame
            self._steady_scale(frame)
        self._draw()
        took = time.perf_counter() - start
        self._next_s = start + took / _SHARE

    @property
    def paused(self) -> bool:
        """Whether the space bar was pressed, and not again."""
        return self._state.paused

    def status(self, text: str) -> None:
        """Show one line below the pictures."""
        self._state = replace(self._state, status=text)

    def idle(self) -> None:
        """Draw again what is there, with the newest status; answer keys."""
        self._draw()

    def _draw(self) -> None:
        if self._found is not None:
            cv2.imshow(TITLE, np.ascontiguousarray(draw(self._found, self._state)[..., ::-1]))
        self._listen(cv2.waitKey(1))

    def _listen(self, code: int) -> None:
        self._key(code)
        self.closed = self.closed or is_gone(TITLE)

    def _steady_scale(self, frame: LiveFrame) -> None:
        if frame.depth is None:
            return
        now = depth_range(frame.depth.depth_m[::4, ::4])
        self._state = replace(self._state, range_m=steadied(self._state.range_m, now, _STEADY))

    def _key(self, code: int) -> None:
        key = chr(code & 255) if code >= 0 else ""
        if key in ("q", "\x1b"):
            self.closed = True
        elif key == " ":
            self._state = replace(self._state, paused=not self._state.paused)
        elif key == "r":
            self._state = replace(self._state, marks=())
        elif key == "c":
            names = list(COLORMAPS)
            after = names[(names.index(self._state.colormap) + 1) % len(names)]
            self._state = replace(self._state, colormap=after)
        elif key in ("s", "m") and self._found is not None:
            self.status(self._act(key, self._found))

    def _act(self, key: str, found: LiveFrame) -> str:
        try:
            return f"saved {self.save(found)}" if key == "s" else f"matcher {self.next_matcher()}"
        except StereoError as error:  # a full disk must not end a live session
            return str(error)

    def _mouse(self, event: int, x: int, y: int, _flags: int, _param: Any) -> None:
        if self._found is None:
            return
        height, width = self._found.result.left.shape[:2]
        scale = shown_scale(width)
        at = ((x + 0.5) / scale - 0.5, (y + 0.5) / scale - 0.5)
        inside = at[0] < width - 0.5 and at[1] < height - 0.5
        self._state = replace(self._state, hover=at if inside else None)
        if event == cv2.EVENT_LBUTTONDOWN and inside:
            before = self._state.marks if len(self._state.marks) < 2 else ()
            self._state = replace(self._state, marks=(*before, at))
