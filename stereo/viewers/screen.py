"""One large picture, shown in a window, in the browser, or nowhere."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.closing import Closing
from stereo.display import has_display
from stereo.errors import InputError
from stereo.viewers.highgui import is_gone, open_window
from stereo.viewers.phone import widen_sheet
from stereo.viewers.server import guard_of, serve, stop, url_of

RGB = NDArray[np.uint8]
ScreenKind = Literal["window", "web", "none"]


class Screen(Closing, Protocol):
    """Shows the newest picture. Used from one thread."""

    def show(self, picture: RGB) -> None:
        """Show (H, W, 3) RGB; quick."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the user has seen enough."""
        ...


class NoScreen(Closing):
    """Shows nothing."""

    closed = False

    def show(self, picture: RGB) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """Nothing to close."""


class WindowScreen(Closing):
    """A window; q, Esc or closing it ends."""

    def __init__(self, title: str) -> None:
        """Raises InputError without a display, where OpenCV would abort the process."""
        if not has_display():
            raise InputError(
                "there is no display for a window (DISPLAY and WAYLAND_DISPLAY are empty); "
                "say --view web or --view none"
            )
        self._title, self.closed = title, False
        open_window(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def show(self, picture: RGB) -> None:
        """Show it and look for keys."""
        cv2.imshow(self._title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        key = cv2.waitKey(1) & 0xFF
        self.closed = self.closed or is_gone(self._title) or key in (27, ord("q"))

    def close(self) -> None:
        """Take the window away."""
        cv2.destroyAllWindows()


class WebScreen(Closing):
    """A page that shows the picture, with one button that ends."""

    def __init__(
        self, title: str, *, host: str, port: int, button: str, token: bool = True
    ) -> None:
        """Raises as ``serve`` and ``guard_of`` in ``stereo.viewers.server`` do."""
        guard = guard_of(host, token=token)
        self._server = serve(host, port, title, guard)
        self.url = url_of(self._server, host, guard.control)
        self.url_to_look = url_of(self._server, host, guard.view)
        self.closed = False
        gui = self._server.gui
        gui.set_panel_label(title)
        gui.add_button(button, color="green").on_click(self._end)
        panel = gui.add_panel()
        with panel.add_tab("Cameras"):
            self._image = gui.add_image(np.zeros((540, 960, 3), np.uint8), jpeg_quality=80)
        panel.float(x=12, y=12)
        panel.set_width(1100)
        panel.expand()  # on a telephone it would start folded
        widen_sheet(gui)

    def show(self, picture: RGB) -> None:
        """Replace the picture; browsers get the newest one."""
        if self._server.get_clients():
            self._image.image = picture

    def _end(self, _event: Any) -> None:
        self.closed = True

    def close(self) -> None:
        """Stop serving."""
        stop(self._server)
