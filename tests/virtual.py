"""Time that passes only when everybody waits, and cameras that live by it.

Tests of two streams run in it: at no time, and alike on every machine however busy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from streams import Behaviour

from stereo.errors import SourceError

START_S = 1000.0
_STEP_S = 0.001  # how often a condition is looked at


class Enough(BaseException):
    """Raised where the reader waits, once it need not wait any longer."""


class VirtualClock:
    """A ``stereo.threads.Clock`` for so many threads, the one that makes it included.

    While one of them works no time passes. When all wait it jumps to the moment that the next one
    waits for, and that one alone goes on. So their order is that of their times, then their names.
    """

    def __init__(self, threads: int) -> None:
        self._now = START_S
        self._threads = threads
        self._known = {threading.current_thread()}
        self._reader = threading.current_thread()
        self._enough: Callable[[], bool] = lambda: False
        self._due: dict[threading.Thread, tuple[float, str]] = {}
        self._turn = threading.Condition()
        self.stopped = False

    def now(self) -> float:
        return self._now

    def wait(self, told: threading.Event | threading.Condition, timeout_s: float) -> None:
        until_s = self._now + timeout_s
        if isinstance(told, threading.Event):
            while not told.is_set() and self._now < until_s and not self.stopped:
                self.sleep_until(min(self._now + _STEP_S, until_s))
            return
        told.release()
        try:
            self.sleep_until(min(self._now + _STEP_S, until_s))
        finally:
            told.acquire()
        if threading.current_thread() is self._reader and self._enough():
            raise Enough

    def sleep_until(self, due_s: float) -> None:
        """Wait for this moment; at once when it is over, or the clock has stopped."""
        me = threading.current_thread()
        with self._turn:
            self._known.add(me)
            self._due[me] = (max(due_s, self._now), me.name)
            self._turn.notify_all()
            while not self.stopped and not self._is_next(me):
                self._turn.wait(0.02)  # a thread that ends tells nobody
            moment_s, _ = self._due.pop(me)
            if not self.stopped:
                self._now = moment_s

    def _is_next(self, me: threading.Thread) -> bool:
        alive = self._threads - sum(not thread.is_alive() for thread in self._known)
        return len(self._due) == alive and min(self._due.values()) == self._due[me]

    @contextmanager
    def until(self, enough: Callable[[], bool], within_s: float) -> Iterator[None]:
        """Leave the block when it is enough, or after so many seconds."""
        end_s = self._now + within_s
        self._enough = lambda: enough() or self._now >= end_s
        try:
            yield
        except Enough:
            pass
        finally:
            self._enough = lambda: False

    def stop(self) -> None:
        """No more time: whoever waits goes on at once."""
        with self._turn:
            self.stopped = True
            self._turn.notify_all()


class VirtualCamera:
    """Image k of one clock comes at ``k / fps``; can fail as ``streams.MjpegCamera`` can."""

    def __init__(self, clock: VirtualClock, images: Sequence[NDArray[np.uint8]], seed: int) -> None:
        self.behaviour = Behaviour()
        self.images = images
        self.alive = True
        self.held_until_s = 0.0
        """Nothing arrives before, and then all at once: the computer was busy."""
        self._clock, self._rng = clock, np.random.default_rng(seed)

    def connect(self, read_timeout_s: float) -> VirtualCapture:
        """What a ``Stream`` is given. Raises SourceError while the camera is off."""
        self._clock.sleep_until(self._clock.now() + 0.01)
        if not self.alive:
            raise SourceError("nobody answers")
        return VirtualCapture(self, self._clock, self._rng, read_timeout_s)


class VirtualCapture:
    """A connection to a ``VirtualCamera``."""

    exact = False
    stamp = None

    def __init__(
        self,
        camera: VirtualCamera,
        clock: VirtualClock,
        rng: np.random.Generator,
        read_timeout_s: float,
    ) -> None:
        self._camera, self._clock, self._rng = camera, clock, rng
        self._timeout_s = read_timeout_s
        self._number = int((clock.now() - START_S) * camera.behaviour.fps) + 1

    def read(self) -> tuple[NDArray[np.uint8], float] | None:
        """See ``Capture``."""
        deadline_s = self._clock.now() + self._timeout_s
        while self._clock.now() < deadline_s and not self._clock.stopped:
            how, number = self._camera.behaviour, self._number
            due_s = START_S + number / how.fps + how.delay_s + self._rng.uniform(0, how.jitter_s)
            self._clock.sleep_until(max(due_s, self._camera.held_until_s))
            if not self._camera.alive:
                return None
            self._number += 1
            if number % how.every == 0 and self._rng.random() >= how.lost and not how.stalled:
                return self._image(number), self._clock.now()
        return None

    def _image(self, number: int) -> NDArray[np.uint8]:
        return self._camera.images[number % len(self._camera.images)]

    def release(self) -> None:
        """See ``Capture``."""
