"""The careful way to match: three searches, and what they say of each other.

1. The plain search, four paths.
2. A fine one over images stretched to twice their width, so that it steps by half a pixel and its
   windows are half as wide: better on slanted surfaces, thin things and edges, worse where
   texture is faint or repeats. Three paths, because it has four times as many cells.
3. The right view's own search, which knows what only the left camera sees.

Where the first two agree their mean is taken, else the one that is surer of itself. A pixel goes
where the right view sees something nearer: there it is hidden. Where the right view knows nothing
it stays, at a lower confidence. Hirschmueller (PAMI 2008) tells occlusions from mismatches in the
same way; choosing among several opinions by confidence is the idea of Schoenberger et al.,
"Learning to fuse proposals from multiple scanline optimizations", ECCV 2018, without the learning.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stereo.errors import MatcherError
from stereo.frame import MAX_SIDE_PX, DisparityMap, Float, Mask, RectifiedPair, SearchRange
from stereo.gray import gray_pair
from stereo.matching.ranged import RangedMatcher
from stereo.matching.sgm import MAX_DISPARITIES, SgmMatcher, SgmParams

AGREE_PX = 1.0
"""Two opinions within this say the same."""
UNCONFIRMED = 0.75
"""Confidence is multiplied by this once for each of the other two that does not agree: then it is
the share of right pixels, to 0.08 (benchmarks/confidence.py). As evidence for planes and edges 0.5
would serve a little better (dense_2 2.53 instead of 2.55), but would say too little of itself."""

BEYOND_PX = 8
"""Disparities beyond those the plain search found that the other two look at."""

# Of a step of half a pixel, against one of a whole; and of a jump: windows are half as wide.
_FINE_P1, _FINE_P2 = 0.5, 0.86


class QualityMatcher:
    """Matches rectified pairs in three ways and fuses them; keeps its memory between pairs."""

    def __init__(self, params: SgmParams | None = None) -> None:
        """``params`` are those of the plain search. Raises what SgmMatcher does.

        Raises MatcherError for ``coarse_to_fine``, which this matcher cannot do.
        """
        self.params = params or SgmParams()
        if self.params.coarse_to_fine:
            raise MatcherError("the quality mode matches at once: drop it, or coarse_to_fine")
        self._plain = SgmMatcher(self.params)
        self._right = RangedMatcher(partial(_right_matcher, self.params))
        self._fine = RangedMatcher(partial(_fine_matcher, self.params))

    def __repr__(self) -> str:
        return f"QualityMatcher({self.params})"

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """Return the left view's disparity and confidence. Raises what SgmMatcher.match does."""
        left, right = gray_pair(pair.left, pair.right)
        pair = RectifiedPair(left, right)
        guide = self._plain.guide(pair)
        plain = self._plain.match(pair, guide)
        search = narrowed(plain)
        if 2 * left.shape[1] > MAX_SIDE_PX or not _has_halves(search):
            fine = plain
        else:
            stretched = RectifiedPair(_stretched(left), _stretched(right))
            fine_matcher = self._fine.within(search)
            fine = _halved(fine_matcher.match(stretched, guide and guide.stretched()))
        right_view = self._right.within(search).match_right(pair, guide)
        return confirmed(fused(plain, fine), right_view)


def narrowed(plain: DisparityMap) -> SearchRange:
    """Return the range that the other searches need: what the plain one found, and some more."""
    assert plain.searched is not None
    known = plain.px[np.isfinite(plain.px)]
    if not known.size:
        return plain.searched
    searched = plain.searched
    first = max(math.floor(known.min()) - BEYOND_PX, searched.min_disparity)
    end = min(math.ceil(known.max()) + BEYOND_PX, searched.max_disparity) + 1
    return SearchRange(first, end - first)


def fused(first: DisparityMap, second: DisparityMap) -> DisparityMap:
    """Return the mean of two opinions where they agree, else the surer one, trusted less."""
    sum_ = first.confidence + second.confidence
    with np.errstate(invalid="ignore", divide="ignore"):
        agree = np.abs(first.px - second.px) <= AGREE_PX
        mean = (first.px * first.confidence + second.px * second.confidence) / sum_
    surer = np.where(second.confidence > first.confidence, second.px, first.px)
    px = np.where(agree & (sum_ > 0), mean, surer)
    best = np.maximum(first.confidence, second.confidence)
    doubted = np.where(agree, best, best * np.float32(UNCONFIRMED))
    return _map(first, px, doubted, np.isfinite(px))


def confirmed(disparity: DisparityMap, right: DisparityMap) -> DisparityMap:
    """Return ``disparity`` without what the right view says is hidden from it.

    ``right`` is the right view's map, (H, W), with the same sign. What it does not confirm stays,
    trusted less; what would lie outside the right image goes.
    """
    height, width = disparity.px.shape
    px = disparity.px
    target = np.rint(np.arange(width, dtype=np.float32) - np.nan_to_num(px)).astype(np.intp)
    inside = np.isfinite(px) & (target >= 0) & (target < width)
    back = right.px[np.arange(height)[:, None], target.clip(0, width - 1)]
    with np.errstate(invalid="ignore"):
        hidden = back > px + AGREE_PX
        seen = np.abs(back - px) <= AGREE_PX
    doubted = disparity.confidence * np.float32(UNCONFIRMED)
    confidence = np.where(seen, disparity.confidence, doubted)
    return _map(disparity, px, confidence, inside & ~hidden)


def _map(old: DisparityMap, px: Float, confidence: Float, keep: Mask) -> DisparityMap:
    return replace(
        old,
        px=np.where(keep, px, np.float32(np.nan)),
        confidence=np.where(keep, confidence, np.float32(0)),
    )


def _right_matcher(params: SgmParams, search: SearchRange) -> SgmMatcher:
    return SgmMatcher(_within(replace(params, paths=3, guide=None), search))


def _fine_matcher(params: SgmParams, search: SearchRange) -> SgmMatcher:
    """The same search in half pixels."""
    fine = SearchRange(2 * search.min_disparity, 2 * search.num_disparities)
    p1, p2 = round(_FINE_P1 * params.p1), round(_FINE_P2 * params.p2)
    finer = replace(params, paths=3, p1=p1, p2=p2, guide=None)
    return SgmMatcher(_within(finer, fine))


def _has_halves(search: SearchRange) -> bool:
    """Whether so many half pixels can be searched."""
    return 2 * search.num_disparities <= MAX_DISPARITIES and 2 * abs(search.min_disparity) <= 65536


def _within(params: SgmParams, search: SearchRange) -> SgmParams:
    return replace(
        params, min_disparity=search.min_disparity, num_disparities=search.num_disparities
    )


def _stretched(image: NDArray[Any]) -> NDArray[Any]:
    """Twice as wide: column 2 x is column x, the one after it the mean with the next."""
    wide = np.repeat(image, 2, axis=1)
    after = image[:, 1:].astype(np.uint32)
    wide[:, 1:-1:2] = (image[:, :-1] + after + 1) // 2
    return wide


def _halved(disparity: DisparityMap) -> DisparityMap:
    return DisparityMap(
        disparity.px[:, ::2] * np.float32(0.5), np.ascontiguousarray(disparity.confidence[:, ::2])
    )
