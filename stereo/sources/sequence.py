"""What video files, folders, bags and recordings share: every pair in order, then the end."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from calib import RectifiedRig, StereoRig
from calib.words import number, plain
from stereo.closing import Closing
from stereo.errors import ImageError
from stereo.frame import Image, StereoFrame
from stereo.sources.layout import arrange
from stereo.sources.source import Event, EventKind, OnEvent, SourceOptions, SourceStats

_RECENT = 50
_LONGEST_GAP_S = 5.0
"""A longer silence of what was recorded is not waited for."""
_HOPELESS = 20
"""When so many pairs from the first on cannot be used, none can."""


@dataclass(frozen=True, slots=True)
class Still:
    """One image of one stream, not read yet."""

    time_s: float
    """Capture time, seconds."""
    label: str
    """Names the image in messages: a file, or "frame 3 of left.mp4"."""
    load: Callable[[], Image]
    """Reads it; of a video or a bag only valid until the next still is asked for."""
    name: str = ""
    """What the frame is called whose left image this is; see ``StereoFrame``."""


@dataclass(frozen=True, eq=False, slots=True)
class Labelled:
    """A pair and its name in messages."""

    label: str
    """Which file or frame this is."""
    read: Callable[[], StereoFrame]
    """Gives the pair, as stored; only valid until the next is asked for. Raises ImageError."""


def together(left: Still, right: Still) -> Labelled:
    """Make a pair of two stills, not read yet."""

    def read() -> StereoFrame:
        skew_s = right.time_s - left.time_s
        return StereoFrame(left.load(), right.load(), left.time_s, skew_s, name=left.name)

    return Labelled(f"{left.label} and {right.label}", read)


def stamp_name(time_ns: int) -> str:
    """Return what a frame is called that has nothing but its stamp: 19 digits, as EuRoC has it."""
    return f"{time_ns:019d}"


Tell = Callable[[EventKind, str], None]
"""Makes an event of a kind and a message."""
Frames = Callable[[Tell], Iterator[Labelled]]
"""Opens the files, reads them from their beginning and closes them again."""


def pair_by_time(
    lefts: Iterable[Still], rights: Iterable[Still], *, max_skew_s: float, tell: Tell
) -> Iterator[tuple[Still, Still]]:
    """Walk through two streams in order of time and give what lies within ``max_skew_s``.

    With ``max_skew_s`` below half a frame no image has two candidates. What stays alone is told.
    """
    left_stream, right_stream = iter(lefts), iter(rights)
    left, right = next(left_stream, None), next(right_stream, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.time_s < right.time_s - max_skew_s):
            assert left is not None
            tell(
                "unpaired", f"{left.label} has no right image within {number(1000 * max_skew_s)} ms"
            )
            left = next(left_stream, None)
        elif left is None or right.time_s < left.time_s - max_skew_s:
            tell(
                "unpaired", f"{right.label} has no left image within {number(1000 * max_skew_s)} ms"
            )
            right = next(right_stream, None)
        else:
            yield left, right
            left, right = next(left_stream, None), next(right_stream, None)


class SequenceSource(Closing):
    """Every stored pair in order; iterating again starts again.

    A pair that is damaged, or of another size than the first, is left out and told as "dropped".
    """

    live = False

    def __init__(
        self,
        name: str,
        frames: Frames,
        options: SourceOptions,
        on_event: OnEvent,
        *,
        calibration: StereoRig | RectifiedRig | None = None,
        one_size: bool = True,
        expected: int | None = None,
    ) -> None:
        """``one_size``: a pair of another size than the first is left out."""
        self.name = name
        self.expected = expected
        """About how many pairs there are; None: nobody knows."""
        self.calibration = calibration
        self._frames, self._options, self._on_event = frames, options, on_event
        self._one_size = one_size
        self._closed = threading.Event()
        self._delivered = self._unpaired = 0
        self._times: deque[float] = deque(maxlen=_RECENT)
        self._skews: deque[float] = deque(maxlen=_RECENT)

    @property
    def stats(self) -> SourceStats:
        """What happened so far."""
        span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        skews = sorted(1000 * abs(skew) for skew in self._skews) or [0.0]
        return SourceStats(
            delivered=self._delivered,
            unpaired_left=self._unpaired,
            fps=(len(self._times) - 1) / span if span > 0 else 0.0,
            skew_ms=skews[len(skews) // 2],
            max_skew_ms=skews[-1],
        )

    def __iter__(self) -> Iterator[StereoFrame]:
        """Give every pair, at the pace of the recording with ``options.pace``.

        Raises SourceError for a damaged file, ImageError when no pair of it can be used.
        """
        due_s = before_s = math.nan
        for frame in self._readable():
            if self._closed.is_set():
                return
            if self._options.pace:
                step_s, before_s = frame.time_s - before_s, frame.time_s
                due_s = self._due(due_s, step_s)
                if self._closed.wait(max(0.0, due_s - time.monotonic())):
                    return
            self._delivered += 1
            self._times.append(time.monotonic())
            self._skews.append(frame.skew_s)
            yield frame
        self._tell("ended", f"{self._delivered} pairs")

    def _due(self, before_s: float, step_s: float) -> float:
        """When to hand out a pair recorded ``step_s`` after the one handed out ``before_s``."""
        if 0 <= step_s <= _LONGEST_GAP_S:
            return before_s + step_s
        if step_s > 0:  # a clock was set, or nothing was recorded
            self._tell("note", f"{plain(step_s)} s without a pair are left out")
        return time.monotonic()  # the first pair too

    def _readable(self) -> Iterator[StereoFrame]:
        """Every pair that can be used. Raises the first one's error when none can."""
        sizes: tuple[tuple[int, ...], ...] | None = None
        first: ImageError | None = None
        played = dropped = 0
        for found in self._frames(self._tell):
            try:
                frame = found.read()
                if self._one_size:
                    sizes = _check_size(found.label, frame, sizes)
            except ImageError as error:
                first = first or error
                dropped += 1
                if not played and dropped == _HOPELESS:
                    break  # an encoding nobody knows would be told ten thousand times
                self._tell("dropped", str(error))
            else:
                played += 1
                yield self._upright(frame)
        if first is not None and not played:
            raise first
        if dropped:
            self._tell("note", f"{dropped} of {played + dropped} pairs are lost")

    def _upright(self, frame: StereoFrame) -> StereoFrame:
        swap, flip = self._options.swap, self._options.flip
        if not swap and flip == "none":
            return frame
        left, right = arrange(frame.left, frame.right, swap=swap, flip=flip)
        # time_s is that of the left image, whichever it is now
        time_s = frame.time_s + frame.skew_s if swap else frame.time_s
        skew_s = -frame.skew_s if swap else frame.skew_s
        return replace(frame, left=left, right=right, time_s=time_s, skew_s=skew_s)

    def _tell(self, kind: EventKind, message: str) -> None:
        self._unpaired += kind == "unpaired"
        self._on_event(Event(kind, self.name, message, time.monotonic()))

    def close(self) -> None:
        """End the iteration; harmless when called again."""
        self._closed.set()


def _check_size(
    label: str, frame: StereoFrame, before: tuple[tuple[int, ...], ...] | None
) -> tuple[tuple[int, ...], ...]:
    """The sizes of both images, which are those of the images before."""
    sizes = tuple(image.shape[1::-1] for image in (frame.left, frame.right))
    for now, was in zip(sizes, before or sizes, strict=True):
        if now != was:
            raise ImageError(
                f"{label}: is {now[0]}x{now[1]} but the images before it are "
                f"{was[0]}x{was[1]}; all images of a sequence must have one size"
            )
    return sizes
