"""Images of a camera beside the rig, each given to the frame that was taken at the same time.

A running camera or stream is drained by a thread of its own, and its image nearest in time is
taken; of a video, or of images whose names hold times, the nearest within half a frame; of other
images the one with the frame's name or number.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from stereo.errors import ImageError, InputError, SourceError, StereoError
from stereo.files.images import read_image
from stereo.files.pairing import find_images, short_names
from stereo.frame import Image, StereoFrame
from stereo.sources.capture import connect
from stereo.sources.files import Video, is_video, time_of
from stereo.sources.sequence import Still
from stereo.sources.source import Event, OnEvent, SourceOptions, StereoSource
from stereo.sources.stream import BgrImage, Capture, Patience, Stream
from stereo.sources.wrappers import Wrapper
from stereo.threads import MONOTONIC

_KEPT = 8
_FIRST_S = 10.0
_LIVE_SKEW_S = 0.1


class Images(Protocol):
    """Where the third camera's images come from."""

    def near(self, frame: StereoFrame) -> Image | None:
        """Return the image that belongs to a frame; None: there is none."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


class WithThird(Wrapper):
    """A source whose frames carry the third camera's image; told where one has none."""

    def __init__(self, source: StereoSource, images: Images, on_event: OnEvent) -> None:
        super().__init__(source)
        self._images, self._on_event = images, on_event

    def __iter__(self) -> Iterator[StereoFrame]:
        """See ``StereoSource``."""
        for frame in self._source:
            image = self._images.near(frame)
            if image is None:
                what = f"frame {frame.name or frame.time_s} has no image of the third camera"
                self._on_event(Event("unpaired", self.name, what, time.monotonic()))
            yield replace(frame, third=image)

    def close(self) -> None:
        """See ``StereoSource``."""
        self._images.close()
        super().close()


def open_third(spec: str, options: SourceOptions, on_event: OnEvent, *, live: bool) -> Images:
    """Open the third camera's images: a device, an address, a video, a folder or a glob.

    ``live``: whether the source that they belong to is. Raises InputError, ImageError or
    SourceError as ``open_source`` does.
    """
    device = re.fullmatch(r"(?:sbs:)?(\d{1,2}|/dev/video\d+)", spec)
    if device or re.match(r"(https?|rtsp)://", spec):
        if not live:
            raise InputError(f"{spec}: a running camera fits no recorded pairs; give its images")
        address = spec if device is None else device[1]
        address = f"/dev/video{address}" if address.isdecimal() else address
        return _Running(address, options, on_event)
    if live:
        raise InputError(f"{spec}: recorded images fit no running cameras; give device or address")
    if is_video(spec):
        video = Video(spec)
        return _InTime(video.stills(), options.max_skew_s or 0.5 / video.fps, video.close)
    return _of_files(find_images(spec), options)


def _of_files(paths: Sequence[Path], options: SourceOptions) -> Images:
    times = [time_of(path) for path in paths]
    known = sorted((t, path) for t, path in zip(times, paths, strict=True) if t is not None)
    if len(known) < len(paths) or len(paths) < 2:
        return _Named(paths)
    limit = options.max_skew_s or 0.5 * float(np.median(np.diff([t for t, _ in known])))
    stills = (Still(t, str(path), partial(read_image, path)) for t, path in known)
    return _InTime(stills, limit, lambda: None)


class _Named:
    """Images with the name of their frame, or else with its number."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._only = paths[0] if len(paths) == 1 else None
        self._by_name = dict(zip(short_names(paths), paths, strict=True))
        self._by_number: dict[int, Path | None] = {}
        for path in paths:
            number = _number(path.stem)
            if number is not None:  # one that two of them have names none of them
                self._by_number[number] = None if number in self._by_number else path

    def near(self, frame: StereoFrame) -> Image | None:
        number = _number(frame.name)
        numbered = None if number is None else self._by_number.get(number)
        path = self._by_name.get(frame.name) or numbered or self._only
        return None if path is None else read_image(path)

    def close(self) -> None:
        pass


def _number(name: str) -> int | None:
    digits = re.findall(r"\d+", re.sub(r"_\d+\.\d+s$", "", name))
    return int(digits[-1]) if digits else None


class _InTime:
    """Stills in order of time, read while the frames come, each decoded only when it is taken."""

    def __init__(
        self, stills: Iterator[Still], max_skew_s: float, close: Callable[[], None]
    ) -> None:
        self._stills, self._limit, self.close = stills, max_skew_s, close
        self._newest: tuple[float, Image] | None = None

    def near(self, frame: StereoFrame) -> Image | None:
        while self._newest is None or self._newest[0] < frame.time_s - self._limit:
            still = next(self._stills, None)
            if still is None:
                return None
            if still.time_s >= frame.time_s - self._limit:  # decoded now: later it is gone
                self._newest = still.time_s, still.load()
        return self._newest[1] if self._newest[0] <= frame.time_s + self._limit else None


class _Running:
    """The last images of a running camera, by the time of their arrival."""

    def __init__(self, address: str, options: SourceOptions, on_event: OnEvent) -> None:
        """Wait for the first image. Raises SourceError when there is none."""
        own = replace(options, size=None)  # that of the pair
        self._limit = options.max_skew_s or _LIVE_SKEW_S
        self._lock = threading.Lock()
        self._kept: deque[tuple[float, BgrImage]] = deque(maxlen=_KEPT)
        self._failure: StereoError | None = None
        self._stream = Stream(
            address,
            partial(connect, address, own),
            deliver=self._take,
            on_event=on_event,
            on_failure=self._fail,
            patience=Patience(options.give_up_after_s, options.frozen_after_s),
            clock=MONOTONIC,
        )
        if not self._stream.wait_for_first(_FIRST_S):
            self.close()
            raise SourceError(f"{address}: gives no image") from self._failure

    def _take(self, image: BgrImage, time_s: float, _capture: Capture) -> None:
        with self._lock:
            self._kept.append((time_s, image))

    def _fail(self, error: StereoError) -> None:
        self._failure = error

    def near(self, frame: StereoFrame) -> Image | None:
        """Raises why the stream was lost for good."""
        if self._failure is not None:
            raise self._failure
        when = time.monotonic() if math.isnan(frame.host_s) else frame.host_s
        with self._lock:
            if not self._kept:
                return None
            time_s, image = min(self._kept, key=lambda kept: abs(kept[0] - when))
        if abs(time_s - when) > self._limit:
            return None
        if image.ndim == 3 and image.shape[2] == 3:
            return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
        if image.ndim != 2:
            raise ImageError(f"{self._stream.name}: neither gray nor colour: {image.shape}")
        return image

    def close(self) -> None:
        self._stream.stop()
        self._stream.join(0.4)
