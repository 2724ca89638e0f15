"""What is done to each frame of a running source, and how it can be told to do otherwise.

The stages of ``stereo.pipeline``, with what only a sequence needs: a search range that stays
steady, a smaller or cut image, values averaged over time, and the time that each stage took.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from stereo.depth import DisparityVariance, depth_frame
from stereo.errors import InputError
from stereo.frame import DisparityMap, RectifiedPair, StereoFrame, StereoGeometry
from stereo.gray import gray8_pair
from stereo.live.region import (
    Region,
    crop_geometry,
    crop_pair,
    crop_variance,
    shrink_geometry,
    shrink_pair,
    shrink_variance,
    trim,
    trim_pair,
)
from stereo.matching import (
    Matcher,
    SearchRange,
    default_matcher,
    denoise,
    find_search_range,
    make_matcher,
    search_range_for_depths,
)
from stereo.pipeline import StereoResult
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams, refine
from stereo.refining.temporal import TemporalFilter

RANGE_EVERY = 15
"""Frames from one search for the range of disparities to the next."""
RANGE_MEMORY = 4
"""Searches that the range in use covers."""


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

    def __post_init__(self) -> None:
        if not 1 <= self.decimate <= 16:
            raise InputError(f"decimate must be 1 to 16, got {self.decimate}")
        make_matcher(self.matcher, **self.matcher_params)  # says now what is wrong


class LivePipeline:
    """Processes the frames of one source, in order; one thread at a time."""

    def __init__(self, rectification: Rectification, settings: LiveSettings) -> None:
        self.rectification, self.settings = rectification, settings
        self.geometry = _geometry(rectification.geometry, settings)
        self._calibration_px2 = _variance(rectification.calibration_px2, settings)
        self.smoothed_share = 0.0
        """Share of the last frame's pixels that smoothing changed, 0 to 1."""
        self._range = _Range(settings, rectification.geometry)
        self._matcher: tuple[SearchRange, Matcher] | None = None
        self._temporal = TemporalFilter() if settings.smooth else None

    def process(self, frame: StereoFrame) -> tuple[StereoResult, dict[str, float]]:
        """Return the result and the seconds that each stage took."""
        took: dict[str, float] = {}
        with _clock(took, "rectify"):
            pair = self.rectification.apply(frame)
            pair = shrink_pair(pair, self.settings.decimate)
        with _clock(took, "range"):
            search = self._range.of(pair)
        with _clock(took, "match"):
            disparity, pair, seen = self._match(pair, search)
        with _clock(took, "refine"):
            disparity = refine(disparity, seen, self.settings.refine)
            if self._temporal is not None:
                disparity = self._temporal.apply(disparity, gray8_pair(pair.left, pair.right)[0])
                self.smoothed_share = self._temporal.changed_share
        with _clock(took, "depth"):
            result = self._measure(pair, disparity)
        return result, took

    def _match(
        self, pair: RectifiedPair, search: SearchRange
    ) -> tuple[DisparityMap, RectifiedPair, RectifiedPair]:
        """The map, its part of the pair, and the same part as the matcher saw it."""
        region = _region(self.settings)
        if region is not None:
            pair = crop_pair(pair, region, max_disparity=search.max_disparity)
        seen = denoise(pair)
        disparity = self._matcher_for(search).match(seen)
        if region is None:
            return disparity, pair, seen
        disparity, part = trim(disparity, pair, region)
        return disparity, part, part if seen is pair else trim_pair(seen, region)

    def _matcher_for(self, search: SearchRange) -> Matcher:
        if self._matcher is None or self._matcher[0] != search:
            matcher = make_matcher(
                self.settings.matcher,
                min_disparity=search.min_disparity,
                num_disparities=search.num_disparities,
                **self.settings.matcher_params,
            )
            self._matcher = search, matcher
        return self._matcher[1]

    def _measure(self, pair: RectifiedPair, disparity: DisparityMap) -> StereoResult:
        if self.geometry is None:
            return StereoResult(pair, disparity, None)
        depth = depth_frame(
            disparity,
            self.geometry,
            pair.left,
            min_depth_m=self.settings.min_depth_m,
            max_depth_m=self.settings.max_depth_m,
            time_s=pair.time_s,
            calibration_px2=self._calibration_px2,
        )
        return StereoResult(pair, disparity, depth)


class _Range:
    """A search range that follows the scene but does not flicker: it covers the last searches."""

    def __init__(self, settings: LiveSettings, geometry: StereoGeometry | None) -> None:
        self._fixed = settings.search
        if self._fixed is None and settings.min_depth_m > 0 and geometry is not None:
            self._fixed = search_range_for_depths(
                shrink_geometry(geometry, settings.decimate),
                min_depth_m=settings.min_depth_m,
                max_depth_m=settings.max_depth_m,
            )
        elif self._fixed is not None and settings.decimate > 1:
            low = math.floor(self._fixed.min_disparity / settings.decimate)
            high = math.ceil(self._fixed.max_disparity / settings.decimate)
            self._fixed = SearchRange(low, high - low + 1)
        self._found: deque[SearchRange] = deque(maxlen=RANGE_MEMORY)
        self._frames = 0

    def of(self, pair: RectifiedPair) -> SearchRange:
        if self._fixed is not None:
            return self._fixed
        if self._frames % RANGE_EVERY == 0:
            self._found.append(find_search_range(pair))
        self._frames += 1
        sure = [found for found in self._found if found.support > 0] or list(self._found)
        low = min(found.min_disparity for found in sure)
        high = max(found.max_disparity for found in sure)
        return SearchRange(low, max(1, min(high - low + 1, pair.left.shape[1] - 1)))


def _region(settings: LiveSettings) -> Region | None:
    """The region in pixels of the image as it is matched."""
    region, n = settings.region, settings.decimate
    if region is None or n == 1:
        return region
    return Region(
        region.x // n, region.y // n, max(1, region.width // n), max(1, region.height // n)
    )


def _geometry(geometry: StereoGeometry | None, settings: LiveSettings) -> StereoGeometry | None:
    if geometry is None:
        return None
    geometry = shrink_geometry(geometry, settings.decimate)
    region = _region(settings)
    return geometry if region is None else crop_geometry(geometry, region)


def _variance(
    variance: DisparityVariance | None, settings: LiveSettings
) -> DisparityVariance | None:
    if variance is None:
        return None
    if settings.decimate > 1:
        variance = shrink_variance(variance, settings.decimate)
    region = _region(settings)
    return variance if region is None else crop_variance(variance, region)


@contextmanager
def _clock(took: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    took[stage] = time.perf_counter() - start
