"""The pairs that parameters are tuned on: made ready once, however often they are matched."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stereo.errors import InputError
from stereo.evaluation.manifest import ManifestPair
from stereo.frame import DisparityMap, Float, Image, Mask, RectifiedPair, SearchRange
from stereo.matching import align, denoise, find_search_range, matcher_for_range
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.tuning.knobs import Values, typed

BAD_PX = 2.0
"""Off by more than this, at full size, is wrong."""


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """What is known of a pair."""

    px: Float
    """(H, W) true disparity, px."""
    visible: Mask
    """(H, W) where it is known and both cameras see it."""
    limit_px: float
    """Off by more is wrong, px of the reduced images."""


@dataclass(frozen=True, eq=False, slots=True)
class Case:
    """One pair, ready to be matched."""

    name: str
    """Unique among the cases."""
    pair: RectifiedPair
    """Rows and brightness aligned, noise taken out, reduced."""
    search: SearchRange
    """The disparities to search; the same for all parameters."""
    truth: Truth | None = None
    """None: nothing is known."""

    def match(self, matcher: str, values: Values) -> tuple[DisparityMap, DisparityMap]:
        """Return what these parameters give, refined, with holes and filled.

        Raises MatcherError for values that the matcher cannot run with.
        """
        return self._matched(self.pair, matcher, values)

    def match_right(self, matcher: str, values: Values) -> Float:
        """Return the filled map of the right view, (H, W) px: of the mirrored pair."""
        pair = self.pair
        mirrored = RectifiedPair(_mirrored(pair.right), _mirrored(pair.left))
        return self._matched(mirrored, matcher, values)[1].px[:, ::-1]

    def _matched(
        self, pair: RectifiedPair, matcher: str, values: Values
    ) -> tuple[DisparityMap, DisparityMap]:
        built = matcher_for_range(matcher, self.search, **typed(matcher, values))
        pipeline = StereoPipeline(
            Rectification.already_rectified(),
            built,
            quality=matcher == "sgm-quality",
            align=_as_it_is,
        )
        return pipeline.disparity_and_filled(pair)


def case_of(name: str, pair: RectifiedPair, *, width: int) -> Case:
    """Return a pair without truth, at most ``width`` columns wide."""
    small = _ready(pair, width)
    return Case(name, small, _within(find_search_range(small), small))


def case_of_manifest(item: ManifestPair, *, width: int) -> Case:
    """Return a pair with truth, at most ``width`` columns wide. Raises what reading it raises."""
    pair, truth = item.pair(), item.truth()
    if truth.shape != pair.left.shape[:2]:
        raise InputError(
            f"pair {item.name!r}: the truth is {truth.shape[1]}x{truth.shape[0]}, the images are "
            f"{pair.left.shape[1]}x{pair.left.shape[0]}"
        )
    visible = item.visible(truth) & np.isfinite(truth)
    small = _ready(pair, width)
    height, columns = small.left.shape[:2]
    scale = columns / pair.left.shape[1]
    px = cv2.resize(truth, (columns, height), interpolation=cv2.INTER_NEAREST)
    seen = cv2.resize(visible.astype(np.uint8), (columns, height), interpolation=cv2.INTER_NEAREST)
    # below one pixel the truth's own steps would be counted
    known = Truth(px * np.float32(scale), seen > 0, max(1.0, BAD_PX * scale))
    count = SearchRange(0, int(np.ceil(item.num_disparities * scale)))
    return Case(item.name, small, _within(count, small), known)


def _ready(pair: RectifiedPair, width: int) -> RectifiedPair:
    if pair.left.shape[1] > width:
        masks = (pair.valid_left, pair.valid_right)
        left, right = (_shrunk(image, width) for image in (pair.left, pair.right))
        valid = [
            None if mask is None else _shrunk(mask.astype(np.uint8), width) > 0 for mask in masks
        ]
        pair = replace(pair, left=left, right=right, valid_left=valid[0], valid_right=valid[1])
    return align(denoise(pair))


def _shrunk(image: Image, width: int) -> Image:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    small: Image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return small


def _within(search: SearchRange, pair: RectifiedPair) -> SearchRange:
    return replace(search, num_disparities=min(search.num_disparities, pair.left.shape[1] - 1))


def _as_it_is(pair: RectifiedPair) -> RectifiedPair:
    return pair


def _mirrored(image: Image) -> Image:
    return np.ascontiguousarray(image[:, ::-1])  # type: ignore[return-value]
