"""Has the rig moved since it was calibrated? Looked at every few seconds while depth is running.

A thread of its own looks at one result now and then, and rests so long that it takes no more than
a small share of one core. One look says little (what is in view may be far, or blurred by motion):
only several that agree are a word.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from calib.health.effect import FLAG_PX, GOOD_PX
from calib.health.features import match_features
from calib.health.row_errors import rows_of_rectified
from calib.words import fixed
from stereo.closing import Closing
from stereo.frame import RectifiedPair
from stereo.gray import gray8_pair
from stereo.threads import Latest, start_thread

EVERY_S = 5.0
SHARE = 0.02
"""Of one core's time that looking may take; a browser's line of health takes half as much more."""
_WIDTH = 640
_CORNERS = 800
_LOOKS = 5
_FEWEST_LOOKS = 3
_FEWEST_MATCHES = 40


@dataclass(frozen=True, slots=True)
class RigState:
    """What the last looks say."""

    moved: bool
    row_error_px: float
    """Median over the last looks of the row error that is not noise, pixels of the result."""
    looks: int
    """How many that is."""

    def line(self) -> str:
        """One line for people."""
        size = fixed(self.row_error_px, 2)
        if self.moved:
            return (
                f"the rig has moved: rows differ by {size} px; stereo check can say how, and mend "
                "the rig file"
            )
        return f"the rig is as it was calibrated again: rows differ by {size} px"


class RigWatch(Closing):
    """Looks at rectified pairs that it is handed, at its leisure."""

    def __init__(
        self,
        on_change: Callable[[RigState], None],
        *,
        every_s: float = EVERY_S,
        share: float = SHARE,
    ) -> None:
        """``on_change`` is called from a thread when the rig has moved, or is well again."""
        self._on_change, self._every_s, self._share = on_change, every_s, share
        self._recent: deque[float] = deque(maxlen=_LOOKS)
        self._pairs: Latest[RectifiedPair] = Latest()
        self._due_s = 0.0
        self._ended = threading.Event()
        self.state = RigState(False, float("nan"), 0)
        """What the last looks say."""
        self._thread = start_thread("rig-watch", self._work)

    def offer(self, pair: RectifiedPair) -> None:
        """Hand over a pair; takes microseconds, and most are not looked at."""
        if time.monotonic() >= self._due_s:
            self._pairs.put(pair)

    def close(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._pairs.end()
        self._pairs.close()
        self._thread.join(1.0)

    def look(self, pair: RectifiedPair) -> None:
        """Look at a pair now, and say what has changed."""
        error_px = row_error_px(pair)
        if error_px is None:
            return
        self._recent.append(error_px)
        typical = statistics.median(self._recent)
        before = self.state.moved
        # moved from one limit on, well again below a lower one: no flicker in between
        moved = len(self._recent) >= _FEWEST_LOOKS and typical > (GOOD_PX if before else FLAG_PX)
        self.state = RigState(moved, typical, len(self._recent))
        if moved != before:
            self._on_change(self.state)

    def _work(self) -> None:
        while not self._ended.is_set() and (pair := self._pairs.take()) is not None:
            began = time.thread_time()
            self.look(pair)
            # cv2's other threads work no longer than this one: their number times it is the most
            took = (time.thread_time() - began) * max(1, cv2.getNumThreads())
            rest = max(self._every_s, took / self._share)
            self._due_s = time.monotonic() + rest
            self._ended.wait(rest)


def row_error_px(pair: RectifiedPair) -> float | None:
    """Return the median row error that is not noise, pixels; None where too little is seen."""
    left, right = gray8_pair(pair.left, pair.right)
    scale = min(1.0, _WIDTH / left.shape[1])
    size = (round(left.shape[1] * scale), round(left.shape[0] * scale))
    left, right = (
        np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        for image in (left, right)
    )
    matches = match_features(left, right, corners=_CORNERS)
    rows = rows_of_rectified(None, [matches], (left.shape[1], left.shape[0]))
    return rows.systematic_px / scale if len(rows) >= _FEWEST_MATCHES else None
