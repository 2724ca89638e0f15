"""Where a live result is shown: nowhere, in a window, in a browser.

Every viewer has the same methods; the library behind one is imported when it is chosen.
"""

from __future__ import annotations

from typing import Protocol

from stereo.closing import Closing
from stereo.live.depth import LiveFrame

__all__ = ["NullViewer", "Viewer"]


class Viewer(Closing, Protocol):
    """Shows live results. Used from one thread."""

    def show(self, frame: LiveFrame) -> None:
        """Show the newest result, or leave the picture as it is while paused; quick."""
        ...

    def status(self, text: str) -> None:
        """Show one line: connection, fps, latency, what went wrong."""
        ...

    def idle(self) -> None:
        """Called several times a second while nothing new comes: answer keys and buttons."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the user asked to end."""
        ...

    @property
    def paused(self) -> bool:
        """Whether the user asked that the picture stands still."""
        ...


class NullViewer(Closing):
    """Shows nothing, for robots and scripts."""

    closed = False
    paused = False

    def show(self, frame: LiveFrame) -> None:
        """Nothing to show."""

    def status(self, text: str) -> None:
        """Nothing to show."""

    def idle(self) -> None:
        """Nobody to answer."""

    def close(self) -> None:
        """Nothing to close."""
