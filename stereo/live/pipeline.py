"""What is done to each frame of a running source, and how it can be told to do otherwise.

``stereo.pipeline``, with what only a sequence needs: a search range that stays steady, noise and
row errors measured now and then, planes kept where nothing moves, a smaller or cut image, values
averaged over time, a pace, and the time that each stage took.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from stereo.errors import InputError
from stereo.frame import DisparityMap, RectifiedPair, SearchRange, StereoFrame
from stereo.gray import gray8_pair
from stereo.live.pace import Pace
from stereo.live.region import Part, Region
from stereo.matching import (
    RangedMatcher,
    SteadyAlignment,
    SteadyDenoising,
    SteadyRange,
    default_matcher,
    following,
    make_matcher,
    search_range_for_depths,
)
from stereo.networks.matcher import is_network
from stereo.pipeline import StereoPipeline, Timed
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams
from stereo.refining.steady import SteadySurfaces
from stereo.refining.temporal import TemporalFilter
from stereo.register import Registration
from stereo.result import StereoResult


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How frames are processed. Raises InputError or MatcherError for what cannot work."""

    matcher: str = field(default_factory=default_matcher)
    """Name of the matcher, see ``stereo.MATCHERS``."""
    matcher_params: dict[str, Any] = field(default_factory=dict)
    """The matcher's own parameters, without its range."""
    search: SearchRange | None = None
    """The disparities to search; None: found from the images, or from ``min_depth_m``."""
    refine: RefineParams = field(default_factory=RefineParams)
    """Planes for textureless regions, filling."""
    quality: bool = False
    """Edges sharpened; see ``stereo.StereoPipeline``."""
    min_depth_m: float = 0.0
    """Nearer is dropped; above 0 it also sets the range."""
    max_depth_m: float = math.inf
    """Farther is dropped."""
    region: Region | None = None
    """Only this part of the rectified image, in its full-size pixels."""
    decimate: int = 1
    """Divide both sides of the image by this before matching."""
    smooth: bool = False
    """Average over time where nothing moves, see ``stereo.refining.temporal``."""
    max_fps: float = math.inf
    """No more frames a second are begun: between them the processor rests."""
    latency: bool = False
    """Never one that waited, of a live source, see ``stereo.live.pace``."""

    def __post_init__(self) -> None:
        if not 1 <= self.decimate <= 16:
            raise InputError(f"decimate must be 1 to 16, got {self.decimate}")
        if not 0 <= self.min_depth_m < self.max_depth_m:  # NaN neither
            raise InputError(
                "depths must be 0 <= min_depth_m < max_depth_m, got "
                f"{self.min_depth_m} and {self.max_depth_m}"
            )
        Pace(self.max_fps, self.latency)  # says now what is wrong
        make_matcher(self.matcher, **self.matcher_params)  # and so does this

    @property
    def pace(self) -> Pace:
        """How often a frame is processed, and how old it may be."""
        return Pace(self.max_fps, self.latency)

    @property
    def part(self) -> Part:
        """What of the rectified image is matched."""
        return Part(self.region, self.decimate)


class LivePipeline:
    """Processes the frames of one source, in order; one thread at a time.

    Raises MatcherError for a range that the matcher cannot search.
    """

    def __init__(
        self,
        rectification: Rectification,
        settings: LiveSettings,
        registration: Registration | None = None,
    ) -> None:
        self.rectification, self.settings = rectification, settings
        self.smoothed_share = 0.0
        """Share of the last frame's pixels that smoothing changed, 0 to 1."""
        self._part = settings.part.for_matching(rectification)
        measured = self._part.of_rectification(rectification)
        self._told = _told_range(settings, measured)
        self._steady = SteadyRange()
        self._matcher = RangedMatcher(
            partial(following, settings.matcher, **settings.matcher_params)
        )
        if self._told is not None:
            self._matcher.within(self._told)  # says now what is wrong
        self._matched: DisparityMap | None = None
        self._finished: DisparityMap
        self._temporal = TemporalFilter() if settings.smooth else None
        self._pipeline = partial(
            StereoPipeline,
            measured,
            refine=settings.refine,
            quality=settings.quality,
            denoise=SteadyDenoising(),
            align=SteadyAlignment(),
            surfaces=SteadySurfaces(),
            min_depth_m=settings.min_depth_m,
            max_depth_m=settings.max_depth_m,
            registration=registration,
        )

    def process(self, frame: StereoFrame) -> tuple[StereoResult, dict[str, float]]:
        """Return the result and the seconds that each stage took."""
        took: dict[str, float] = {}
        timed = partial(_timed, took)
        with timed("rectify"):
            pair = self._part.shrunk(self.rectification.apply(frame))
        with timed("range"):
            search = self._told or self._found(pair)
        pipeline = self._pipeline(self._matcher.within(search))
        pair = self._part.with_partners(pair, search)
        disparity = self._disparity(pipeline, pair, timed)
        disparity, pair = self._part.trimmed(disparity, pair)
        if self._temporal is not None:
            with timed("refine"):
                disparity = self._temporal.apply(disparity, gray8_pair(pair.left, pair.right)[0])
                self.smoothed_share = self._temporal.changed_share
        with timed("depth"):
            return pipeline.measure(pair, disparity, third=frame.third), took

    def _disparity(
        self, pipeline: StereoPipeline, pair: RectifiedPair, timed: Timed
    ) -> DisparityMap:
        """What was made of the matches of before holds as long as they do."""
        found, seen = pipeline.match(pair, timed=timed)
        if found is not self._matched:
            self._matched, self._finished = found, pipeline.finished(found, seen, timed=timed)
        for stage in ("refine", "judge"):
            with timed(stage):  # took no time where all holds
                pass
        return self._finished

    def _found(self, pair: RectifiedPair) -> SearchRange:
        """The sequence's range; a network of whole images needs none."""
        if is_network(self.settings.matcher) and self.settings.region is None:
            return SearchRange(0, 1)
        return self._steady.of(pair)


def _told_range(settings: LiveSettings, measured: Rectification) -> SearchRange | None:
    """In pixels of the image as it is matched; None: to be found from the images."""
    if settings.search is not None:
        return settings.part.shrunk_range(settings.search)
    if settings.min_depth_m > 0 and measured.geometry is not None:
        return search_range_for_depths(
            measured.geometry, min_depth_m=settings.min_depth_m, max_depth_m=settings.max_depth_m
        )
    return None


@contextmanager
def _timed(took: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    took[stage] = took.get(stage, 0.0) + time.perf_counter() - start
