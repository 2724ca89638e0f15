"""Is this a rectified pair, and the right way round? Answered from the images themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.health.effect import FLAG_PX, UNUSABLE_PX
from calib.health.features import match_features
from calib.health.row_errors import rows_of_rectified
from stereo.errors import SwappedPairError
from stereo.frame import RectifiedPair, StereoFrame
from stereo.gray import gray8_pair
from stereo.pipeline import StereoPipeline
from stereo.result import StereoResult

_CORNERS = 1200
_MOSTLY = 0.8
_SUSPICIOUS_SHARE = 0.35
"""Below this share of answered pixels a swap is worth a second look."""


@dataclass(frozen=True, slots=True)
class RowCheck:
    """How well the rows of a rectified pair correspond."""

    offset_px: float
    """Median of ``y_left - y_right`` over the matches, px; NaN when there are too few."""
    typical_px: float
    """Median of its absolute value, px; NaN when there are too few."""
    matches: int
    """Feature matches found."""
    systematic_px: float = math.nan
    """The same without the noise of finding points: what a rig does to rows. NaN when unknown."""

    @property
    def aligned(self) -> bool:
        """Whether rows correspond, or too little was seen to say otherwise."""
        return not self._worst > UNUSABLE_PX

    @property
    def drifted(self) -> bool:
        """Whether rows correspond, but so badly that it costs matches: see ``stereo check``."""
        return self.aligned and self._worst > FLAG_PX

    @property
    def _worst(self) -> float:
        known = math.isfinite(self.systematic_px)
        return self.systematic_px if known else self.typical_px


def check_rows(pair: RectifiedPair, *, max_width: int = 960) -> RowCheck:
    """Measure the row offset of a pair from features found to a few hundredths of a pixel.

    Images wider than ``max_width`` are shrunk first; the result is in pixels of the original.
    """
    left, right = gray8_pair(pair.left, pair.right)
    scale = min(1.0, max_width / left.shape[1])
    if scale < 1:
        left, right = (_shrunk(image, scale) for image in (left, right))
    matches = match_features(left, right, corners=_CORNERS)
    rows = rows_of_rectified(None, [matches], (left.shape[1], left.shape[0]))
    found = (rows.offset_px, rows.median_px, rows.systematic_px)
    offset, typical, systematic = (value / scale for value in found)
    return RowCheck(offset, typical, len(rows), systematic)


def _shrunk(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    height, width = (max(1, round(side * scale)) for side in image.shape)  # of 8 rows one stays
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))


def check_swapped(
    pipeline: StereoPipeline,
    frame: StereoFrame,
    result: StereoResult,
    rows: RowCheck,
    *,
    told_swap: bool = False,
) -> None:
    """Raise SwappedPairError when the pair fits far better with left and right exchanged.

    ``rows`` is what ``check_rows`` said of the result; ``told_swap``: the caller has exchanged them
    already. Where the rows correspond in neither order the pair is not swapped: it is not
    rectified. Costs nothing on a pair that matched well.
    """
    share = result.disparity.valid_share
    behind = _share_behind_infinity(pipeline, result)
    if share > _SUSPICIOUS_SHARE and rows.aligned and behind < _MOSTLY:
        return
    reason = _better_exchanged(pipeline, frame, result, rows, behind)
    if reason is not None:
        raise SwappedPairError(
            f"these images are the right way round without --swap: {reason}; drop --swap"
            if told_swap
            else f"these images are swapped: {reason}; give the right one as LEFT and the left one "
            "as RIGHT (or use --swap)"
        )


def _better_exchanged(
    pipeline: StereoPipeline,
    frame: StereoFrame,
    result: StereoResult,
    rows: RowCheck,
    behind: float,
) -> str | None:
    """Why the pair would fit far better with left and right exchanged; None when it would not."""
    if behind >= _MOSTLY and rows.aligned:
        return f"{behind:.0%} of the matches would lie behind infinity"
    if frame.left.shape != frame.right.shape:
        return None
    exchanged = StereoFrame(frame.right, frame.left)
    if not rows.aligned:
        their_rows = check_rows(pipeline.rectification.apply(exchanged))
        if not their_rows.typical_px <= UNUSABLE_PX:
            return None
        return (
            f"the rows differ by {rows.typical_px:.1f} px, but only by "
            f"{their_rows.typical_px:.1f} px with left and right exchanged"
        )
    share = result.disparity.valid_share
    their_share = pipeline.process(exchanged).disparity.valid_share
    if their_share > 2 * share and their_share > 0.25:
        return (
            f"only {share:.1%} of the pixels match, but {their_share:.1%} do with left and "
            "right exchanged"
        )
    return None


def _share_behind_infinity(pipeline: StereoPipeline, result: StereoResult) -> float:
    """Share of the answers with a negative disparity, where those make no sense.

    They do make sense for cameras that converge, whose range the caller then states.
    """
    geometry = pipeline.rectification.geometry
    searched = result.disparity.searched
    if geometry is None and (searched is None or not searched.found):
        return 0.0
    px = result.disparity.px[np.isfinite(result.disparity.px)]
    doffs = 0.0 if geometry is None else geometry.doffs_px
    return float(np.mean(px + doffs < -1)) if px.size else 0.0
