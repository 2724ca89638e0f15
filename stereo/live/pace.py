"""Which frames of a source are worth working on: not more a second than asked, none that waited.

A live source keeps only its newest frame. Where working on one takes longer than the camera takes
for the next, the newest has waited up to a frame time already when somebody is ready for it;
``latency`` passes that one over and takes the next as it arrives.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stereo.errors import InputError
from stereo.frame import StereoFrame
from stereo.sources import StereoSource
from stereo.threads import MONOTONIC, Clock

FRESH_SHARE = 0.25
"""Share of a frame time that a frame may have waited and still count as just arrived."""
_RECENT = 60


@dataclass(frozen=True, slots=True)
class Pace:
    """How often frames are worked on. Raises InputError for what makes no sense."""

    max_fps: float = math.inf
    """At most so many a second."""
    latency: bool = False
    """Never one that waited, of a live source: the least delay, for fewer results."""

    def __post_init__(self) -> None:
        if not self.max_fps >= 0.01:  # NaN neither
            raise InputError(f"max_fps must be at least 0.01, got {self.max_fps}")


class Paced:
    """The frames of a source at a pace, which may change between two."""

    def __init__(
        self, source: StereoSource, pace: Callable[[], Pace], clock: Clock = MONOTONIC
    ) -> None:
        self._source, self._pace, self._clock = source, pace, clock
        self._closed = threading.Event()
        self._ages: deque[float] = deque(maxlen=_RECENT)
        self._steps: deque[float] = deque(maxlen=_RECENT)
        self._last_s = math.nan
        self.passed_over = 0
        """Frames left out because they had waited."""

    def __iter__(self) -> Iterator[StereoFrame]:
        """Give frames until the source ends, or ``close``."""
        due_s, waited = -math.inf, False
        for frame in self._source:
            now_s = self._clock.now()
            late = self._late(frame, now_s)
            waited = late and not waited and self._pace().latency  # never two in a row
            if waited:
                self.passed_over += 1
                continue
            yield frame
            period_s = 1 / self._pace().max_fps
            # a frame that came late leaves the next its time, but no two follow each other at once
            due_s = max(due_s, now_s - period_s / 2) + period_s
            while (left_s := due_s - self._clock.now()) > 0 and not self._closed.is_set():
                self._clock.wait(self._closed, left_s)

    def close(self) -> None:
        """Wait no longer."""
        self._closed.set()

    def _late(self, frame: StereoFrame, now_s: float) -> bool:
        """Whether a frame lay here for some time; False for what is not live."""
        if math.isnan(frame.host_s):
            return False
        age_s = now_s - frame.host_s
        self._ages.append(age_s)
        if frame.host_s > self._last_s:
            self._steps.append(frame.host_s - self._last_s)
        self._last_s = frame.host_s
        # the least age is what driver and decoder take, the least step the camera's frame time
        frame_s = min(self._steps, default=math.inf)
        return age_s - min(self._ages) > FRESH_SHARE * frame_s
