"""An action that a page may ask for only so often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from calib.words import plain
from stereo.errors import InputError

T = TypeVar("T")


class Throttle(Generic[T]):
    """Calls ``action`` at most once in so many seconds, and never twice at the same time."""

    def __init__(
        self,
        action: Callable[[T], str],
        every_s: float,
        *,
        free: T | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``free``: what may be asked for at any time, such as an end."""
        self._action, self._every_s, self._free, self._now = action, every_s, free, now
        self._busy = threading.Lock()
        self._next_s = now()

    def __call__(self, wanted: T) -> str:
        """Call the action. Raises InputError where it comes too soon, and what the action does."""
        free = self._free is not None and wanted == self._free
        if not self._busy.acquire(blocking=free):
            raise InputError("the one before is not done yet; wait a moment")
        try:
            if not free and self._now() < self._next_s:
                raise InputError(f"at most once in {plain(self._every_s)} s; wait a moment")
            try:
                return self._action(wanted)
            finally:
                if not free:
                    self._next_s = self._now() + self._every_s
        finally:
            self._busy.release()
