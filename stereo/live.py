"""Depth from a running source: capture, matching and showing overlap in time, delay never grows.

The source captures in threads of its own; a worker here rectifies, matches and measures; whoever
iterates shows or records. Between them there is room for one result: of a live source the newest
wins, of files every pair comes in order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from calib import RectifiedRig, StereoRig
from stereo.frame import DepthFrame, StereoFrame
from stereo.matching import AutoRangeMatcher, default_matcher
from stereo.pipeline import StereoPipeline, StereoResult
from stereo.rectify import Rectification
from stereo.sources import StereoSource


@dataclass(frozen=True, eq=False, slots=True)
class LiveFrame:
    """One frame of a source and what it became."""

    number: int
    """Counts the results from 0."""
    frame: StereoFrame
    """As captured."""
    result: StereoResult
    """Rectified pair, disparity, depth."""
    stages_s: Mapping[str, float] = field(default_factory=dict)
    """Time of each stage, seconds."""
    latency_s: float = float("nan")
    """From capture to this result, seconds; NaN for what comes from files."""

    @property
    def depth(self) -> DepthFrame | None:
        """Metric depth; None without a calibration."""
        return self.result.depth


class LiveDepth:
    """Gives the newest depth of a source; iterate it, or ask ``newest`` when you need one."""

    def __init__(
        self,
        source: StereoSource,
        rig: StereoRig | RectifiedRig | None = None,
        *,
        pipeline: StereoPipeline | None = None,
    ) -> None:
        """``rig`` calibrates the source (default: what it knows of itself)."""
        self.source = source
        calibration = rig or source.calibration
        self.pipeline = pipeline or StereoPipeline(
            Rectification.already_rectified()
            if calibration is None
            else Rectification.from_calibration(calibration),
            AutoRangeMatcher(default_matcher()),
        )
        self._ready = threading.Condition()
        self._slot: LiveFrame | None = None
        self._error: BaseException | None = None
        self._done = False
        self._worker = threading.Thread(target=self._work, name="stereo-depth", daemon=True)
        self._worker.start()

    def __iter__(self) -> Iterator[LiveFrame]:
        """Give results until the source ends. Raises what the source or a stage raised."""
        while True:
            with self._ready:
                while self._slot is None and not self._done:
                    self._ready.wait(0.2)  # so that Ctrl-C is seen
                found, self._slot = self._slot, None
                self._ready.notify_all()
                if found is None:
                    if self._error is not None:
                        raise self._error
                    return
            yield found

    def close(self) -> None:
        """Stop the worker and the source."""
        with self._ready:
            self._done = True
            self._ready.notify_all()
        self.source.close()
        self._worker.join(0.5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _work(self) -> None:
        try:
            for number, frame in enumerate(self.source):
                start = time.perf_counter()
                result = self.pipeline.process(frame)
                stages = {"process": time.perf_counter() - start}
                latency = time.monotonic() - frame.host_s
                if not self._put(LiveFrame(number, frame, result, stages, latency)):
                    return
        except BaseException as error:  # handed to whoever iterates
            self._error = error
        finally:
            with self._ready:
                self._done = True
                self._ready.notify_all()

    def _put(self, found: LiveFrame) -> bool:
        with self._ready:
            while not self.source.live and self._slot is not None and not self._done:
                self._ready.wait(0.2)
            if self._done:
                return False
            self._slot = found
            self._ready.notify_all()
            return True
