"""Threads of ours: how they start, hand over the newest, tell time, and end with the program.

A thread inside a camera driver or a matcher cannot be ended from outside. If Python shuts down
meanwhile, it kills the thread as it comes back from C++, which aborts the whole process. So a
program waits for them, and the command line, which must end at once, leaves without shutting down.
"""

from __future__ import annotations

import atexit
import math
import os
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

_PREFIX = "stereo-"
_PATIENCE_S = 6.0  # longer than any read timeout
_TICK_S = 0.1  # a wait without end is made of these, so that Ctrl-C is seen


# --- starting and ending ------------------------------------------------------------------------


def start_thread(name: str, work: Callable[[], object]) -> threading.Thread:
    """Start ``work`` in a thread of its own."""
    thread = threading.Thread(target=work, name=_PREFIX + name, daemon=True)
    thread.start()
    return thread


def start_timer(
    name: str, delay_s: float, work: Callable[[], object], cancelled: threading.Event
) -> threading.Thread:
    """Do ``work`` in a thread of its own after ``delay_s``, unless ``cancelled`` is set before."""
    return start_thread(name, lambda: cancelled.wait(delay_s) or work())


def still_busy() -> bool:
    """Whether a thread of ours has not ended."""
    return any(thread.name.startswith(_PREFIX) for thread in threading.enumerate())


def available_cores() -> list[int]:
    """Return the cores that this process may run on."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return list(range(os.cpu_count() or 1))


@atexit.register
def _wait() -> None:
    deadline = time.monotonic() + _PATIENCE_S
    for thread in threading.enumerate():
        if thread.name.startswith(_PREFIX):
            thread.join(max(0.0, deadline - time.monotonic()))


# --- telling time -------------------------------------------------------------------------------


class Clock(Protocol):
    """What threads live by. Tests have one whose time passes when all wait for it."""

    def now(self) -> float:
        """Seconds; never run backward."""
        ...

    def wait(self, told: threading.Event | threading.Condition, timeout_s: float) -> None:
        """Wait to be told, at most so long. A condition is held, and may return for no reason."""
        ...


class _Monotonic:
    """``time.monotonic``."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, told: threading.Event | threading.Condition, timeout_s: float) -> None:
        told.wait(timeout_s)


MONOTONIC: Clock = _Monotonic()
"""The computer's own."""


# --- handing over -------------------------------------------------------------------------------


class Latest(Generic[T]):
    """Room for one thing between two threads: what is newer replaces what nobody has taken.

    Who fills it calls ``put`` and at last ``end``; who empties it calls ``take`` and, to have no
    more of it, ``close``.
    """

    def __init__(self, clock: Clock = MONOTONIC) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._things: list[T] = []  # none or one
        self._error: BaseException | None = None
        self._ended = False
        self._superseded = 0

    def put(self, thing: T, *, patient: bool = False) -> bool:
        """Leave it here; False, and it is dropped, when this has ended.

        ``patient``: wait until the one before was taken.
        """
        with self._changed:
            while patient and self._things and not self._ended:
                self._clock.wait(self._changed, _TICK_S)
            if self._ended:
                return False
            self._superseded += len(self._things)
            self._things = [thing]
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float = math.inf) -> T | None:
        """Wait so long for something and take it; None when nothing came, or it has ended.

        Raises what it ended with, once nothing is left.
        """
        with self._changed:
            deadline = self._clock.now() + timeout_s
            while not self._things and not self._ended:
                left_s = deadline - self._clock.now()
                if left_s <= 0:
                    return None
                self._clock.wait(self._changed, min(_TICK_S, left_s))
            if self._things:
                self._changed.notify_all()
                return self._things.pop()
            if self._error is not None:
                raise self._error
            return None

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more will come; ``error`` says why. What lies here can still be taken."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more is wanted: forget what lies here, let no more in."""
        with self._changed:
            self._ended = True
            self._things.clear()
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether no more will come, and nothing is left."""
        with self._changed:
            return self._ended and not self._things

    @property
    def superseded(self) -> int:
        """How many nobody took before a newer one came."""
        with self._changed:
            return self._superseded
