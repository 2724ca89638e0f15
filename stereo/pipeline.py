"""The whole algorithm on one page: two images in, metric depth with an error bar out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stereo.cloud import point_cloud
from stereo.errors import StereoError
from stereo.frame import DepthFrame, DisparityMap, PointCloud, RectifiedPair, StereoFrame
from stereo.matching import Matcher, denoise, prepare
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams, refine


@dataclass(frozen=True, eq=False, slots=True)
class StereoResult:
    """What one frame became, stage by stage."""

    pair: RectifiedPair
    """The rectified images."""
    disparity: DisparityMap
    """Disparity of the left image, px, with confidence."""
    depth: DepthFrame | None
    """Metric depth with its error bar; None when no calibration is known."""

    def cloud(self, *, max_relative_sigma: float = np.inf) -> PointCloud:
        """Return the coloured points; see ``stereo.point_cloud``.

        Raises StereoError when there is no metric depth.
        """
        if self.depth is None:
            raise StereoError("no point cloud without metric depth; give a calibration")
        return point_cloud(self.depth, max_relative_sigma=max_relative_sigma)


class StereoPipeline:
    """Rectify, match, refine, measure. Holds no state between frames; safe to share."""

    def __init__(
        self,
        rectification: Rectification,
        matcher: Matcher,
        *,
        refine: RefineParams | None = None,
        prepare: bool = False,
        min_depth_m: float = 0.0,
        max_depth_m: float = np.inf,
    ) -> None:
        """``prepare``: take out row errors, not only noise; see ``stereo.matching.prepare``."""
        self.rectification = rectification
        self.matcher = matcher
        self.refine = refine or RefineParams()
        self.prepare = prepare
        self.min_depth_m = min_depth_m
        self.max_depth_m = max_depth_m

    def process(self, frame: StereoFrame) -> StereoResult:
        """Run every stage on one frame. Raises StereoError's children as the stages do."""
        pair = self.rectification.apply(frame)
        matched = prepare(pair) if self.prepare else denoise(pair)
        disparity = refine(self.matcher.match(matched), matched, self.refine)
        if self.rectification.geometry is None:
            return StereoResult(pair, disparity, None)
        depth = self.rectification.depth(
            disparity, pair, min_depth_m=self.min_depth_m, max_depth_m=self.max_depth_m
        )
        return StereoResult(pair, disparity, depth)
