"""Live cameras and network streams: one stream with both views, or two streams paired by time.

The newest pair wins: it replaces one that nobody has taken yet.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import cv2
import numpy as np

from calib import RectifiedRig, StereoRig
from calib.words import plain
from stereo.closing import Closing
from stereo.errors import ImageError, InputError, SourceError, UnpairedError
from stereo.frame import Image, StereoFrame
from stereo.proof import Proof
from stereo.sources.address import without_login
from stereo.sources.capture import connect
from stereo.sources.layout import arrange, split
from stereo.sources.motion import look
from stereo.sources.source import Event, OnEvent, SourceOptions, SourceStats
from stereo.sources.stream import BgrImage, Capture, Patience, Stream
from stereo.sources.sync import SIDES, Match, Pairing, Side
from stereo.threads import MONOTONIC, Clock, Latest

_STOP_S = 0.4
_NO_PAIR_S = 1.9
_AGAIN_S = 5.0  # before it is said again
_BRIGHTNESS_EVERY_S = 5.0
_BRIGHTNESS_RATIO = 1.3
_RECENT = 50


def open(spec: str, options: SourceOptions, on_event: OnEvent) -> CameraSource:
    """Open ``sbs:``, ``pair:``, ``http(s)://`` or ``rtsp://``; see ``open_source``."""
    streams = {
        without_login(address): partial(connect, address, options) for address in parse(spec)
    }
    return CameraSource(without_login(spec), streams, options, on_event)


def parse(spec: str) -> list[str]:
    """Return the one or two devices or addresses that a spec names. Raises InputError."""
    kind, _, rest = spec.partition(":")
    parts = [part.strip() for part in (rest if kind in ("sbs", "pair") else spec).split(",")]
    wanted = {"sbs": (1,), "pair": (2,)}.get(kind, (1, 2))
    if len(parts) not in wanted or not all(parts):
        example = {"sbs": "sbs:0 or sbs:/dev/video2", "pair": "pair:0,2"}.get(
            kind, "http://camera/stream, or two with a comma between them"
        )
        raise InputError(f"{spec}: expected {example}")
    if len({without_login(part) for part in parts}) != len(parts):
        raise InputError(
            f"{without_login(spec)}: the same stream twice; a pair needs two different ones"
        )
    return [f"/dev/video{part}" if part.isdecimal() else part for part in parts]


class CameraSource(Closing):
    """Pairs from one or two running streams."""

    live = True
    calibration: StereoRig | RectifiedRig | None = None

    def __init__(
        self,
        name: str,
        streams: Mapping[str, Callable[[], Capture]],
        options: SourceOptions,
        on_event: OnEvent,
        *,
        clock: Clock = MONOTONIC,
    ) -> None:
        """``streams``: name -> what connects it. Raises SourceError when one cannot be opened."""
        self.name = name
        self._clock = clock
        self._options, self._on_event = options, on_event
        self._layout = options.layout or ("side-by-side" if len(streams) == 1 else "two")
        if (self._layout == "two") != (len(streams) == 2):
            raise InputError(f"{name}: layout {self._layout} does not fit {len(streams)} stream(s)")
        self._lock = threading.Lock()  # of what both streams' threads change
        self._pairing: Pairing[Image] = Pairing(max_skew_s=options.max_skew_s)
        self._latest: Latest[StereoFrame] = Latest(clock)
        self._delivered = self._stale = 0
        self._times: deque[float] = deque(maxlen=_RECENT)
        self._skews: deque[float] = deque(maxlen=_RECENT)
        self._paired_s = self._judged_s = clock.now()
        self._warned_s = -math.inf
        self._newest_s = -math.inf
        self._ratio: tuple[float, float] | None = None
        self._mixed: str | None = None
        self._closing_s = math.inf  # until when a stream's thread is waited for
        patience = Patience(options.give_up_after_s, options.frozen_after_s)
        self._streams = [
            Stream(
                address,
                connect,
                deliver=self._take(number, len(streams)),
                on_event=self._hear,
                on_failure=self._latest.end,
                patience=patience,
                clock=clock,
            )
            for number, (address, connect) in enumerate(streams.items())
        ]
        self._wait_until_open()

    def _wait_until_open(self) -> None:
        """Raise what stands in the way of a first image from every stream."""
        try:
            for stream in self._streams:
                while not stream.wait_for_first(0.1):
                    if stream.error is not None:
                        raise stream.error
        except BaseException:  # Ctrl-C too
            self.close()
            raise

    # --- from the streams' threads ------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        with self._lock:
            if event.kind == "lost":
                for side, stream in zip(SIDES, self._streams, strict=False):
                    if stream.name == event.stream:
                        self._pairing.reset(side)
            elif event.kind == "connected":  # what was lost in between is no lack of pairs
                self._paired_s, self._newest_s = self._clock.now(), -math.inf
        self._on_event(event)

    def _take(self, number: int, count: int) -> Callable[[BgrImage, float, Capture], None]:
        def composite(image: BgrImage, time_s: float, _capture: Capture) -> None:
            left, right = split(_rgb(image), self._layout, name=self.name)
            self._offer(Match(left, right, time_s, 0.0))

        def one_of_two(image: BgrImage, time_s: float, capture: Capture) -> None:
            side: Side = SIDES[number]
            rgb = _rgb(image)
            seen = look(rgb) if self._pairing.in_doubt else None
            with self._lock:
                match = self._pairing.add(
                    side, time_s, rgb, exact=capture.exact, stamp=capture.stamp, seen=seen
                )
                proof = self._pairing.proof
            if match is not None:
                self._offer(match, proof)
            else:
                self._complain_unpaired()

        return composite if count == 1 else one_of_two

    def _offer(self, match: Match[Image], proof: Proof | None = None) -> None:
        """Make a pair the newest one."""
        if not self._of_one_size(match):
            return
        left, right = arrange(
            match.left, match.right, swap=self._options.swap, flip=self._options.flip
        )
        skew_s = -match.skew_s if self._options.swap else match.skew_s
        try:
            frame = StereoFrame(left, right, match.time_s, skew_s, match.time_s, proof=proof)
        except ImageError as error:
            raise SourceError(f"{self.name}: {error}") from error
        self._compare_brightness(frame)
        with self._lock:
            self._paired_s = self._clock.now()
            if match.time_s <= self._newest_s:  # the other stream's thread was quicker
                self._stale += 1
                return
            self._newest_s = match.time_s
            self._skews.append(skew_s)
            self._latest.put(frame)

    def _of_one_size(self, match: Match[Image]) -> bool:
        """False while only one of two streams has changed its size; the two may always differ."""
        (lh, lw), (rh, rw) = match.left.shape[:2], match.right.shape[:2]
        ratio = (lw / rw, lh / rh)
        if self._ratio is None:
            self._ratio = ratio
        same = bool(np.allclose(ratio, self._ratio, rtol=0.02))
        self._mixed = None if same else f"left is {lw}x{lh} but right is {rw}x{rh}"
        return same

    def _complain_unpaired(self) -> None:
        now = self._clock.now()
        silent_s = now - self._paired_s
        if silent_s < _NO_PAIR_S or not all(stream.connected for stream in self._streams):
            return
        limit = self._options.give_up_after_s
        if limit is not None and silent_s > limit:
            self._latest.end(
                UnpairedError(f"{self.name}: no pair for {plain(limit)} s; {self._why()}")
            )
        if now - self._warned_s > _AGAIN_S:
            self._warned_s = now
            self._on_event(Event("unpaired", self.name, self._why(), now))

    def _why(self) -> str:
        if self._mixed is not None:
            return f"{self._mixed}, since one changed its size: set both again (--size)"
        return self._pairing.explain()

    def _compare_brightness(self, frame: StereoFrame) -> None:
        """Warn when exposures differ: matching suffers before anybody sees why."""
        now = self._clock.now()
        if now - self._judged_s < _BRIGHTNESS_EVERY_S:
            return
        self._judged_s = now
        left, right = (float(image[::8, ::8].mean()) + 1 for image in (frame.left, frame.right))
        if max(left, right) > _BRIGHTNESS_RATIO * min(left, right):
            brighter = "left" if left > right else "right"
            share = max(left, right) / min(left, right) - 1
            message = (
                f"the {brighter} image is {share:.0%} brighter; set --exposure and --gain so that "
                "both cameras use the same"
            )
            self._on_event(Event("note", self.name, message, now))

    # --- for whoever reads --------------------------------------------------------------------

    @property
    def stats(self) -> SourceStats:
        """What happened so far."""
        with self._lock:
            now = self._clock.now()
            recent = [t for t in self._times if now - t < 5]
            skews = 1000 * np.array(self._skews or [0.0])
            span = now - recent[0] if recent else 0.0
            proof = self._pairing.proof if len(self._streams) == 2 else Proof()
            return SourceStats(
                delivered=self._delivered,
                superseded=self._stale + self._latest.superseded,
                unpaired_left=self._pairing.unpaired["left"],
                unpaired_right=self._pairing.unpaired["right"],
                rejected={s.name: dict(s.rejected) for s in self._streams if s.rejected},
                reconnects=sum(max(s.connections - 1, 0) for s in self._streams),
                fps=(len(recent) - 1) / span if len(recent) > 1 and span > 0 else 0.0,
                skew_ms=float(np.median(skews)),
                max_skew_ms=float(np.abs(skews).max()),
                jitter_ms=1000 * proof.jitter_s,
                margin=proof.margin,
                confidence=proof.confidence,
                paired_by=proof.by,
            )

    def __iter__(self) -> Iterator[StereoFrame]:
        """Give the newest pair each time, waiting for one not given yet.

        Raises StreamLostError or UnpairedError when there will be none.
        """
        while (frame := self._latest.take()) is not None:
            with self._lock:
                self._delivered += 1
                self._times.append(self._clock.now())
            yield frame

    def close(self) -> None:
        """Stop within half a second, also when asked again; a blocked thread is left behind."""
        self._latest.close()
        for stream in self._streams:
            stream.stop()
        self._closing_s = min(self._closing_s, time.monotonic() + _STOP_S)
        for stream in self._streams:
            stream.join(max(0.0, self._closing_s - time.monotonic()))


def _rgb(image: BgrImage) -> Image:
    if image.ndim == 3 and image.shape[2] == 3:
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
    return image
