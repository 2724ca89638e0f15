"""The whole algorithm on one page: two images in, metric depth with an error bar out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np

from stereo.errors import InputError
from stereo.frame import DisparityMap, Image, RectifiedPair, StereoFrame
from stereo.gray import gray_pair
from stereo.matching import Matcher, align, default_matcher, denoise, make_matcher
from stereo.networks.matcher import NetworkMatcher
from stereo.rectify import Rectification
from stereo.refining.doubt import FITTED, DoubtTable, judged
from stereo.refining.refine import RefineParams, Surfaces, refine, refine_both
from stereo.refining.surfaces import plane_surfaces
from stereo.register import Registration
from stereo.result import StereoResult

Timed = Callable[[str], AbstractContextManager[None]]
"""Told which stage the block it guards is: "prepare", "match", "refine" or "judge"."""


def _untimed(_stage: str) -> AbstractContextManager[None]:
    return nullcontext()


def _default_matcher() -> Matcher:
    return make_matcher(default_matcher(), num_disparities="auto")


@dataclass(frozen=True, eq=False, slots=True)
class StereoPipeline:
    """Rectify, prepare, match, refine, judge, measure. Without state between frames; share it."""

    rectification: Rectification
    """How images become a rectified pair, and a disparity metres."""
    matcher: Matcher = field(default_factory=_default_matcher)
    """From a pair to its disparity; by default the range is found from each pair."""
    refine: RefineParams = field(default_factory=RefineParams, kw_only=True)
    """Planes for textureless regions, filling."""
    doubt: DoubtTable = field(default=FITTED, kw_only=True, repr=False)
    """What makes the confidence of a finished map; another one is for measuring."""
    quality: bool = field(default=False, kw_only=True)
    """Slower and better: edges sharpened after matching. Made for the matcher "sgm-quality"."""
    denoise: Callable[[RectifiedPair], RectifiedPair] = field(default=denoise, kw_only=True)
    """Smooths a noisy pair before matching."""
    align: Callable[[RectifiedPair], RectifiedPair] = field(default=align, kw_only=True)
    """Takes row errors and a difference of brightness out before matching."""
    surfaces: Surfaces = field(default=plane_surfaces, kw_only=True)
    """Gives planes to doubtful textureless regions, where ``refine`` asks for that."""
    min_depth_m: float = field(default=0.0, kw_only=True)
    """Nearer is dropped."""
    max_depth_m: float = field(default=np.inf, kw_only=True)
    """Farther is dropped."""
    registration: Registration | None = field(default=None, kw_only=True)
    """To which other camera depth is registered; None: to none."""

    def process(self, frame: StereoFrame | Image, right: Image | None = None) -> StereoResult:
        """Run every stage on one frame, or on a left and a right image.

        Raises StereoError's children as the stages do.
        """
        if not isinstance(frame, StereoFrame):
            if right is None:
                raise InputError("process takes a StereoFrame, or a left and a right image")
            frame = StereoFrame(frame, right)
        pair = self.rectification.apply(frame)
        return self.measure(pair, self.disparity(pair), third=frame.third)

    def disparity(self, pair: RectifiedPair, *, timed: Timed = _untimed) -> DisparityMap:
        """Return the refined disparity of a rectified pair, to fit its left image."""
        found, seen = self.match(pair, timed=timed)
        return self.finished(found, seen, timed=timed)

    def finished(
        self, found: DisparityMap, seen: RectifiedPair, *, timed: Timed = _untimed
    ) -> DisparityMap:
        """Return what ``match`` gave, refined and judged."""
        with timed("refine"):
            refined = refine(found, seen, self.refine_params, surfaces=self.surfaces)
        with timed("judge"):
            return judged(refined, seen, self.doubt)

    def disparity_and_filled(self, pair: RectifiedPair) -> tuple[DisparityMap, DisparityMap]:
        """Return what ``disparity`` gives without and with its holes filled, for an evaluation."""
        found, seen = self.match(pair)
        with_holes, filled = refine_both(found, seen, self.refine_params)
        return judged(with_holes, seen, self.doubt), judged(filled, seen, self.doubt)

    def measure(
        self, pair: RectifiedPair, disparity: DisparityMap, *, third: Image | None = None
    ) -> StereoResult:
        """Return the result with metric depth, where focal length and baseline are known.

        ``third`` is the image of the camera that depth is registered to, if there is one.
        """
        if self.rectification.geometry is None:
            return StereoResult(pair, disparity, None)
        depth = self.rectification.depth(
            disparity, pair, min_depth_m=self.min_depth_m, max_depth_m=self.max_depth_m
        )
        shown = self.rectification.turned_back(disparity)
        if self.registration is None:
            return StereoResult(pair, shown, depth)
        return StereoResult(pair, shown, depth, self.registration.apply(depth, third))

    def match(
        self, pair: RectifiedPair, *, timed: Timed = _untimed
    ) -> tuple[DisparityMap, RectifiedPair]:
        """Return the matcher's own map, unrefined, and the pair as the matcher saw it."""
        with timed("prepare"):
            colour = self.refine_params.edges or isinstance(self.matcher, NetworkMatcher)
            if not colour:  # nothing else looks at it, and gray is quicker
                left, right = gray_pair(pair.left, pair.right)
                pair = replace(pair, left=left, right=right)
            seen = self.align(self.denoise(pair))
        with timed("match"):
            return self.matcher.match(seen), seen

    @property
    def refine_params(self) -> RefineParams:
        """What is done to the matcher's map; a network's stays as it is unless told otherwise."""
        params = self.refine.settled(not isinstance(self.matcher, NetworkMatcher))
        return replace(params, careful=True) if self.quality else params
