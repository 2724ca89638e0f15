"""One stream of images, drained by a thread of its own and opened again whenever it fails.

How cv2.VideoCapture really behaves: it says "opened" for ever, hands out stale frames after an
unplugging, and is dead after a timeout. So only a read that succeeds counts, and whatever fails is
thrown away and opened anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from calib.words import plain
from stereo.errors import SourceError, StereoError, StreamLostError
from stereo.sources.source import Event, EventKind, OnEvent
from stereo.threads import Clock, start_thread

BgrImage = NDArray[Any]
_BACK_OFF_S = (0.1, 0.2, 0.4, 0.5)


class Capture(Protocol):
    """An opened device or address."""

    exact: bool
    """Whether the times are true capture times on this computer's monotonic clock."""

    def read(self) -> tuple[BgrImage, float] | None:
        """Return the next image and its time, seconds; None when the stream has failed.

        Blocks no longer than the read timeout.
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
        deliver: Callable[[BgrImage, float, bool], None],
        on_event: OnEvent,
        on_failure: Callable[[StereoError], None],
        patience: Patience,
        clock: Clock,
    ) -> None:
        """``connect`` raises SourceError; ``deliver`` gets image, time s, and whether it is exact.

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
        self._last_image: BgrImage | None = None
        self._changed_s = clock.now()
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
            except SourceError:
                if not self.connections:
                    raise  # it never worked: the caller's to know at once
            else:
                try:
                    came = self._drain(capture)
                finally:
                    self.connected = False
                    capture.release()
                if came:
                    lost_s, attempt = None, 0
                elif not self.connections:
                    raise SourceError(
                        f"{self.name}: opens, but gives no image; another program may be using it, "
                        "or two cameras share one USB port: try --pixel-format MJPG, fewer fps, a "
                        "smaller size or another port"
                    )
            if self._stop.is_set():
                return
            lost_s = self._lost(lost_s)
            self._clock.wait(self._stop, _BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)])
            attempt += 1

    def _lost(self, since_s: float | None) -> float:
        """Tell once that the stream is lost; raise StreamLostError when patience ends."""
        now = self._clock.now()
        if since_s is None:
            self._tell("lost", "no more images")
            self._tell("reconnecting", "trying to connect again")
            return now
        limit = self._patience.give_up_after_s
        if limit is not None and now - since_s > limit:
            raise StreamLostError(
                f"{self.name}: lost, and not back within {plain(limit)} s; "
                "check cable, power, network"
            )
        return since_s

    def _drain(self, capture: Capture) -> bool:
        """Deliver images until the stream fails; whether any came that was new."""
        came = False
        while not self._stop.is_set():
            found = capture.read()
            if found is None:
                break
            image, time_s = found
            if self._is_frozen(image):
                break
            if not came and self.connections and self._unchanged(image):
                continue  # back after a freeze, still the old picture
            if not came:
                came = True
                self.connections += 1
                self.connected = True
                height, width = image.shape[:2]
                self._tell("connected", f"{width}x{height}")
                self._first.set()
            self._note_size(image)
            self._last_image = image
            self._deliver(image, time_s, capture.exact)
        return came

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

    def _note_size(self, image: BgrImage) -> None:
        last = self._last_image
        if last is not None and last.shape[:2] != image.shape[:2]:
            was, now = (f"{s[1]}x{s[0]}" for s in (last.shape, image.shape))
            self._tell("resized", f"images were {was} and are now {now}")

    def _tell(self, kind: EventKind, message: str) -> None:
        self._on_event(Event(kind, self.name, message, self._clock.now()))
