"""Depth from a running source: capture, matching and showing overlap in time, delay never grows.

The source captures in threads of its own; a worker here rectifies, matches and measures; whoever
iterates shows or records. Between them there is room for one result: of a live source the newest
wins, of files every pair comes in order.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from calib import PlacedCamera, RectifiedRig, StereoRig
from calib.words import plain
from stereo.closing import Closing
from stereo.errors import InputError, SourceError
from stereo.frame import DepthFrame, StereoFrame
from stereo.live.pace import Paced
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.rectify import Rectification
from stereo.register import Registration
from stereo.result import StereoResult
from stereo.sources import Event, OnEvent, StereoSource
from stereo.sources.source import EventKind
from stereo.threads import Latest, start_thread

_RECENT = 60
_STOP_S = 0.5


@dataclass(frozen=True, eq=False, slots=True)
class LiveFrame:
    """One frame of a source and what it became."""

    number: int
    """Counts the processed frames from 0; what is missing was superseded by a newer one."""
    frame: StereoFrame
    """As captured."""
    result: StereoResult
    """Rectified pair, disparity, depth."""
    stages_s: Mapping[str, float] = field(default_factory=dict)
    """Time of each stage, seconds; "wait": from capture until work on it began, of live sources."""
    done_s: float = math.nan
    """``time.monotonic()`` when the result was there."""
    smoothed_share: float = 0.0
    """Share of the pixels that averaging over time changed, 0 to 1."""

    def __repr__(self) -> str:
        return f"LiveFrame(number {self.number}, {self.result}, latency {self.latency_s:.3f} s)"

    @property
    def latency_s(self) -> float:
        """From capture to this result, seconds; NaN for what comes from files."""
        return self.done_s - self.frame.host_s

    @property
    def depth(self) -> DepthFrame | None:
        """Metric depth; None without a calibration."""
        return self.result.depth


@dataclass(frozen=True, slots=True)
class LiveStats:
    """How processing keeps up, over the last seconds."""

    processed: int = 0
    """Frames processed so far."""
    superseded: int = 0
    """Results that nobody took before a newer one came, and frames that ``Pace`` passed over."""
    fps: float = 0.0
    """Results a second."""
    latency_s: float = math.nan
    """Median time from capture to result, seconds; NaN for files."""
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    """Mean time of each stage, milliseconds; together that of a frame. Few frames take the mean:
    where the picture stands, most of them keep what was found before."""
    worst_ms: Mapping[str, float] = field(default_factory=dict)
    """What 95 of 100 frames stay below."""


class LiveDepth(Closing):
    """Gives the newest depth of a source; iterate it, or ask ``newest`` when you need one.

    with open_source("sbs:0") as source, LiveDepth(source, rig) as live:
        for found in live:
            found.depth.depth_m, found.depth.sigma_m, found.latency_s
    """

    def __init__(
        self,
        source: StereoSource,
        calibration: StereoRig | RectifiedRig | Rectification | None = None,
        settings: LiveSettings | None = None,
        *,
        register_to: PlacedCamera | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        """Start working. ``calibration`` None: what the source knows of itself, if anything.

        ``register_to`` is a camera beside the rig that depth is wanted for as well
        (``LiveFrame.result.registered``); ``stereo.sources.third`` brings its images.

        ``on_event`` is told, from another thread, of frames that could not be processed and of
        settings that did not work. Raises RectificationError for a rig that cannot be rectified.
        """
        self.source = source
        self.rectification = _rectification(calibration or source.calibration)
        self._registration = (
            None
            if register_to is None
            else Registration(register_to, self.rectification.R_depth_left)
        )
        self._pipeline = self._proven = self._made(settings or LiveSettings())
        self._changing = threading.Lock()
        self._on_event, self._told = on_event, ""
        self._results: Latest[LiveFrame] = Latest()
        self._counting = threading.Lock()
        self._processed = 0
        self._recent: deque[tuple[float, float, Mapping[str, float]]] = deque(maxlen=_RECENT)
        self._frames = Paced(source, lambda: self.settings.pace)
        self._worker = start_thread("depth", self._work)

    @property
    def settings(self) -> LiveSettings:
        """How frames are processed now."""
        return self._pipeline.settings

    def change(self, **changes: Any) -> None:
        """Process from the next frame on with other settings, such as ``matcher="sgm-fast"``.

        Raises InputError or MatcherError, and goes on as before, when they cannot work. Where only
        the next frame shows that, it goes on as before too, and tells it as an event.
        """
        with self._changing:
            try:
                self._pipeline = self._made(replace(self.settings, **changes))
            except (TypeError, AttributeError, OverflowError) as error:
                raise InputError(f"settings that make no sense: {changes}: {error}") from error

    def _made(self, settings: LiveSettings) -> LivePipeline:
        return LivePipeline(self.rectification, settings, self._registration)

    @property
    def fps(self) -> float:
        """Results a second, over the last ones."""
        with self._counting:
            done = [entry[0] for entry in self._recent]
        return _rate(done)

    @property
    def stats(self) -> LiveStats:
        """How processing keeps up; sorts the times of each stage, so not for every frame."""
        with self._counting:
            recent, processed = list(self._recent), self._processed
        if not recent:
            return LiveStats()
        done, latency, stages = zip(*recent, strict=True)
        times_ms = {n: 1000 * np.array([t[n] for t in stages]) for n in stages[-1]}
        return LiveStats(
            processed,
            self._results.superseded + self._frames.passed_over,
            _rate(done),
            float(np.median(latency)),
            {name: float(ms.mean()) for name, ms in times_ms.items()},
            {name: float(np.percentile(ms, 95)) for name, ms in times_ms.items()},
        )

    def __iter__(self) -> Iterator[LiveFrame]:
        """Give results until the source ends. Raises what the source or a stage raised."""
        while (found := self._results.take()) is not None:
            yield found

    def newest(self, *, timeout_s: float = 5.0) -> LiveFrame:
        """Wait for a result that was not given before, and return it.

        Raises SourceError when none came in time or the source has ended, and what the source or
        a stage raised.
        """
        found = self.wait(timeout_s)
        if found is None:
            ended = "has ended" if self.ended else f"gave no depth for {plain(timeout_s)} s"
            raise SourceError(f"{self.source.name}: {ended}")
        return found

    def wait(self, timeout_s: float) -> LiveFrame | None:
        """Wait so long for a result that was not given before; None when none came, or it ended.

        Raises what the source or a stage raised.
        """
        return self._results.take(timeout_s)

    @property
    def ended(self) -> bool:
        """Whether no more results will come: the source ended, failed or was closed."""
        return self._results.ended

    def close(self) -> None:
        """Stop the source and the worker, within half a second."""
        deadline = time.monotonic() + _STOP_S
        self._results.close()
        self._frames.close()
        self.source.close()
        self._worker.join(max(0.0, deadline - time.monotonic()))

    # --- the worker ---------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            for number, frame in enumerate(self._frames):
                found = self._processed_frame(number, frame)
                if found and not self._results.put(found, patient=not self.source.live):
                    break
        except BaseException as error:  # handed to whoever reads
            self._results.end(error)
        else:
            self._results.end()

    def _processed_frame(self, number: int, frame: StereoFrame) -> LiveFrame | None:
        """What a frame became; None where a stage failed, which is told.

        Raises what a stage raised while nothing has ever worked: then nothing will.
        """
        pipeline = self._pipeline
        waited_s = time.monotonic() - frame.host_s
        try:
            result, took = pipeline.process(frame)
        except Exception as error:  # whatever it is, the next frame may be better
            if pipeline is self._proven and not self._processed:
                raise
            self._survive(number, pipeline, error)
            return None
        self._proven, self._told = pipeline, ""
        if not math.isnan(waited_s):
            took = {"wait": waited_s, **took}
        found = LiveFrame(number, frame, result, took, time.monotonic(), pipeline.smoothed_share)
        with self._counting:
            self._processed += 1
            self._recent.append((found.done_s, found.latency_s, found.stages_s))
        return found

    def _survive(self, number: int, pipeline: LivePipeline, error: Exception) -> None:
        """Go back to the last settings that worked, unless others were chosen meanwhile."""
        why = f"{type(error).__name__}: {error}"
        if pipeline is self._proven:
            self._tell("dropped", why, f"frame {number} could not be processed")
            return
        with self._changing:
            if self._pipeline is pipeline:
                self._pipeline = self._proven
        self._tell("note", why, "the new settings do not work, those before hold again")

    def _tell(self, kind: EventKind, why: str, what: str) -> None:
        """Once for the same reason; every frame may have it."""
        if self._on_event is not None and why != self._told:
            self._told = why
            message = f"{what}: {why}"
            self._on_event(Event(kind, self.source.name, message, time.monotonic()))


def _rate(times_s: Sequence[float]) -> float:
    """How many a second, of moments in order; 0 where there is nothing to tell it from."""
    span = times_s[-1] - times_s[0] if times_s else 0.0
    return (len(times_s) - 1) / span if span > 0 else 0.0


def _rectification(
    calibration: StereoRig | RectifiedRig | Rectification | None,
) -> Rectification:
    if calibration is None:
        return Rectification.already_rectified()
    if isinstance(calibration, Rectification):
        return calibration
    return Rectification.from_calibration(calibration)
