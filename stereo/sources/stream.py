"""One stream of images, drained by a thread of its own and opened again whenever it fails.

How cv2.VideoCapture really behaves: it says "opened" for ever, hands out stale frames after an
unplugging, and is dead after a timeout. So only a read that succeeds counts, and whatever fails is
thrown away and opened anew.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from calib.words import plain
from stereo.errors import SourceError, StereoError, StreamLostError
from stereo.sources.jpeg import MIN_SIDE_PX, RejectedImage
from stereo.sources.source import Event, EventKind, OnEvent
from stereo.sources.stamps import Stamp
from stereo.threads import Clock, start_thread

BgrImage = NDArray[Any]
_BACK_OFF_S = (0.1, 0.2, 0.4, 0.5)
_WRONG_S = 2.0  # without one good image, after which a stream is connected anew
_TELL_AGAIN_S = 2.0
_TO_STAY = 5  # images of another size in a row that change the stream's


class Capture(Protocol):
    """An opened device or address."""

    exact: bool
    """Whether the times are true capture times on this computer's monotonic clock."""
    stamp: Stamp | None
    """Stamp or number that the camera gave the last image; None: it gave none."""

    def read(self) -> tuple[BgrImage, float] | None:
        """Return the next image and its time, seconds; None when the stream has failed.

        Blocks no longer than the read timeout. Raises RejectedImage for one that is no good.
        """
        ...

    def release(self) -> None:
        """Give the device back."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a stream may be silent; see ``SourceOptions``."""

    give_up_after_s: float | None
    frozen_after_s: float | None


class Stream:
    """Drains one stream until it is stopped or lost for good."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Capture],
        *,
        deliver: Callable[[BgrImage, float, Capture], None],
        on_event: OnEvent,
        on_failure: Callable[[StereoError], None],
        patience: Patience,
        clock: Clock,
    ) -> None:
        """``connect`` raises SourceError; ``deliver`` gets image, time s, and what it came from.

        An image that ``deliver`` raises for is dropped and counted.

        ``on_failure`` is told why it is lost for good. All are called from the stream's own thread.
        """
        self.name = name
        self.error: StereoError | None = None
        self.connections = 0
        self.connected = False
        self._connect, self._deliver = connect, deliver
        self._on_event, self._on_failure = on_event, on_failure
        self._patience, self._clock = patience, clock
        self._stop = threading.Event()
        self._first = threading.Event()
        self.rejected: Counter[str] = Counter()
        """How many images were dropped, by reason."""
        self._last_image: BgrImage | None = None
        self._size: tuple[int, ...] | None = None
        self._other: tuple[tuple[int, ...], int] = (), 0  # another size, how often in a row
        self._bad_since_s: float | None = None
        self._changed_s = clock.now()
        self._told_s = -math.inf
        self._why_lost = ""
        self._thread = start_thread(f"capture {name}", self._run)

    def wait_for_first(self, timeout_s: float) -> bool:
        """Wait until the first image came or the first connection failed; whether an image came."""
        self._clock.wait(self._first, timeout_s)
        return self.connections > 0

    def stop(self) -> None:
        """Ask the thread to end; ``join`` waits for it."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread; one blocked in a driver is left to end by itself."""
        self._thread.join(timeout_s)

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._keep_connected()
        except StereoError as error:
            self._fail(error)
        except Exception as error:  # a driver's or a decoder's own
            self._fail(SourceError(f"{self.name}: {error}"))
        finally:
            self._first.set()

    def _fail(self, error: StereoError) -> None:
        self.error = error
        self._on_failure(error)

    def _keep_connected(self) -> None:
        lost_s: float | None = None
        attempt = 0
        while not self._stop.is_set():
            try:
                capture = self._connect()
            except SourceError as error:
                if not self.connections:
                    raise  # it never worked: the caller's to know at once
                self._still_lost(error)
            else:
                try:
                    came = self._drain(capture)
                finally:
                    self.connected = False
                    capture.release()
                if came:
                    lost_s, attempt, self._why_lost = None, 0, ""
                elif not self.connections:
                    raise SourceError(
                        f"{self.name}: opens, but gives no image{self._what_came()}; another "
                        "program may be using it, or two cameras share one USB port: try "
                        "--pixel-format MJPG, fewer fps, a smaller size or another port"
                    )
            if self._stop.is_set():
                return
            lost_s = self._lost(lost_s)
            self._clock.wait(self._stop, _BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)])
            attempt += 1

    def _what_came(self) -> str:
        counts = ", ".join(f"{count} {reason}" for reason, count in self.rejected.items())
        return f" that is any good ({counts})" if counts else ""

    def _lost(self, since_s: float | None) -> float:
        """Tell once that the stream is lost; raise StreamLostError when patience ends."""
        now = self._clock.now()
        if since_s is None:
            self._tell("lost", "no more images")
            self._tell("reconnecting", "trying to connect again")
            return now
        limit = self._patience.give_up_after_s
        if limit is not None and now - since_s > limit:
            why = f" ({self._why_lost})" if self._why_lost else ""
            raise StreamLostError(
                f"{self.name}: lost, and not back within {plain(limit)} s; "
                f"check cable, power, network{why}"
            )
        return since_s

    def _still_lost(self, error: SourceError) -> None:
        """Tell why it cannot be connected, such as a server's status, each time that is another."""
        why = str(error).removeprefix(f"{self.name}: ")
        if why != self._why_lost:
            self._why_lost = why
            self._tell("reconnecting", f"not yet: {why}")

    def _drain(self, capture: Capture) -> bool:
        """Deliver images until the stream fails or stays wrong; whether any came that was new."""
        opened = came = False
        self._bad_since_s = None
        while not self._stop.is_set():
            try:
                found = capture.read()
                if found is None:
                    break
                image, time_s = found
                if self._is_frozen(image):
                    break
                if not self._is_of_size(image):
                    continue
                if not opened and self.connections and self._unchanged(image):
                    continue  # back after a freeze, still the old picture
                if not opened:
                    opened = True
                    self._opened(image)
                self._last_image = image
                self._deliver(image, time_s, capture)
                self._bad_since_s, came = None, True
            except Exception as error:  # a decoder's own too: one image never ends a session
                if self._stays_wrong(error):
                    break
        return came

    def _opened(self, image: BgrImage) -> None:
        self.connections += 1
        self.connected = True
        height, width = image.shape[:2]
        self._tell("connected", f"{width}x{height}")
        self._first.set()

    def _stays_wrong(self, error: Exception) -> bool:
        """Count an image that is no good, tell of the first of many; whether they go on and on."""
        reason = error.reason if isinstance(error, RejectedImage) else _reason(error)
        self.rejected[reason] += 1
        now = self._clock.now()
        if self._bad_since_s is None:
            self._bad_since_s = now
            if now - self._told_s >= _TELL_AGAIN_S:
                self._told_s = now
                self._tell("dropped", f"an image is no good: {reason}")
        return now - self._bad_since_s > _WRONG_S

    def _unchanged(self, image: BgrImage) -> bool:
        last = self._last_image
        if last is None or last.shape != image.shape:
            return False
        return np.array_equal(last[::16, ::16], image[::16, ::16]) and np.array_equal(last, image)

    def _is_frozen(self, image: BgrImage) -> bool:
        """Whether the very same image has come for too long: real sensors have noise."""
        now = self._clock.now()
        if not self._unchanged(image):
            self._changed_s = now
            return False
        limit = self._patience.frozen_after_s
        if limit is None or now - self._changed_s < limit:
            return False
        self._tell("frozen", f"the image has not changed for {plain(limit)} s; connecting again")
        self._changed_s = now
        return True

    def _is_of_size(self, image: BgrImage) -> bool:
        """Whether an image may be used; the very first not until the next one is like it.

        Raises RejectedImage for a size that is not the stream's, until it has come to stay.
        """
        size = image.shape[:2]
        if size == self._size:
            self._other = (), 0
            return True
        if min(size) < MIN_SIDE_PX:
            raise RejectedImage("too small")
        other, times = self._other
        self._other = size, times + 1 if size == other else 1
        if self._size is None:
            if size == other:
                self._size = size
            elif other:
                raise RejectedImage("another size")
            return size == self._size
        if self._other[1] < _TO_STAY:
            raise RejectedImage("another size")
        was, now = (f"{s[1]}x{s[0]}" for s in (self._size, size))
        self._tell("resized", f"images were {was} and are now {now}")
        self._size = size
        return True

    def _tell(self, kind: EventKind, message: str) -> None:
        self._on_event(Event(kind, self.name, message, self._clock.now()))


def _reason(error: Exception) -> str:
    """One short line of an error that may be a library's own, with many."""
    if isinstance(error, StereoError):
        return str(error)
    return f"{type(error).__name__} in reading it"
