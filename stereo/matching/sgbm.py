"""OpenCV's semi-global block matcher, with its traps closed.

Method: H. Hirschmueller, "Stereo Processing by Semiglobal Matching and Mutual Information",
PAMI 2008, in OpenCV's variant with Birchfield-Tomasi costs. Three things a bare
``cv2.StereoSGBM`` gets wrong are mended here: it loses the first ``num_disparities`` columns (both
images are padded first), it takes parameters that it cannot run with (they are checked first), and
it allocates gigabytes without asking (the memory is estimated first).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.confidence import match_confidence
from stereo.errors import MatcherError
from stereo.frame import DisparityMap, RectifiedPair, SearchRange
from stereo.gray import gray8_pair

Mode = Literal["3way", "sgbm", "hh4", "hh"]

_MODES: dict[str, int] = {
    "3way": cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    "sgbm": cv2.STEREO_SGBM_MODE_SGBM,
    "hh4": cv2.STEREO_SGBM_MODE_HH4,
    "hh": cv2.STEREO_SGBM_MODE_HH,
}
_FIXED_POINT = 16  # OpenCV returns int16 sixteenths of a pixel


@dataclass(frozen=True, slots=True)
class SgbmParams:
    """Parameters of OpenCV's SGBM. Raises MatcherError for values it cannot run with."""

    min_disparity: int = 0
    """Smallest disparity searched, px; may be negative."""
    num_disparities: int = 128
    """How many disparities are searched, px; rounded up to a multiple of 16."""
    mode: Mode = "3way"
    """Which paths: "3way", "sgbm" (5), "hh4" (4, two passes), "hh" (8, two passes)."""
    block_size: int = 3
    """Side of the matched block, px; odd, 1 to 11."""
    p1: int | None = None
    """Penalty of a disparity step of 1; None: ``8 * block_size**2``."""
    p2: int | None = None
    """Penalty of a larger step, above p1; None: ``32 * block_size**2``."""
    pre_filter_cap: int = 31
    """Clipping of the horizontal Sobel, 1 to 63."""
    uniqueness_percent: int = 10
    """Margin in percent by which the best must beat the second best, 0 to 100."""
    left_right_max_px: int = 1
    """Largest disagreement of left and right view, px; negative switches the check off."""
    speckle_size_px: int = 100
    """Islands of at most so many pixels are removed; 0: none."""
    speckle_range_px: int = 2
    """Steps of disparity larger than this separate islands, px."""
    max_memory_mb: int = 4096
    """Refuse to start when more than this is needed, MB."""

    def __post_init__(self) -> None:
        def require(ok: bool, name: str, expected: str) -> None:
            if not ok:
                raise MatcherError(f"{name} must be {expected}, got {getattr(self, name)!r}")

        require(self.mode in _MODES, "mode", f"one of {', '.join(_MODES)}")
        require(1 <= self.num_disparities <= 2032, "num_disparities", "between 1 and 2032")
        require(abs(self.min_disparity) <= 2032, "min_disparity", "between -2032 and 2032")
        # int16 sixteenths hold at most 2047 px
        require(self.max_disparity <= 2047, "min_disparity", "so that the largest is below 2048")
        require(
            self.block_size % 2 == 1 and 1 <= self.block_size <= 11,
            "block_size",
            "odd, between 1 and 11",
        )
        p1, p2 = self.penalties
        require(
            0 < p1 < p2 <= 30000, "p2" if self.p2 else "p1", f"0 < p1 < p2 <= 30000 ({p1}, {p2})"
        )
        require(1 <= self.pre_filter_cap <= 63, "pre_filter_cap", "between 1 and 63")
        require(0 <= self.uniqueness_percent <= 100, "uniqueness_percent", "between 0 and 100")
        require(self.speckle_size_px >= 0, "speckle_size_px", "0 or more")
        require(0 <= self.speckle_range_px <= 2032, "speckle_range_px", "between 0 and 2032")
        require(self.max_memory_mb > 0, "max_memory_mb", "positive")

    @property
    def width(self) -> int:
        """``num_disparities`` rounded up to the multiple of 16 that OpenCV wants."""
        return -(-self.num_disparities // 16) * 16

    @property
    def searched(self) -> SearchRange:
        """The disparities that are searched."""
        return SearchRange(self.min_disparity, self.width)

    @property
    def max_disparity(self) -> int:
        """One more than the largest disparity searched, px."""
        return self.min_disparity + self.width

    @property
    def penalties(self) -> tuple[int, int]:
        """(p1, p2) with the defaults filled in."""
        area = self.block_size**2
        return (
            8 * area if self.p1 is None else self.p1,
            32 * area if self.p2 is None else self.p2,
        )

    def memory_bytes(self, width: int, height: int) -> int:
        """Estimate what matching a ``width`` x ``height`` pair allocates, bytes.

        HH and HH4 keep the whole int16 cost volume twice; the others a few rows of it.
        """
        columns = width + max(self.max_disparity, 0) + max(-self.min_disparity, 0)
        volume = columns * self.width * 2
        images = 16 * columns * height
        if self.mode in ("hh", "hh4"):
            return 2 * volume * height + images
        return (self.block_size + 12) * volume + images


class SgbmMatcher:
    """OpenCV's StereoSGBM behind the ``Matcher`` protocol."""

    def __init__(self, params: SgbmParams | None = None) -> None:
        self.params = params or SgbmParams()

    def __repr__(self) -> str:
        return f"SgbmMatcher({self.params})"

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """Return the left view's disparity, no column lost, with its confidence.

        Raises MatcherError when the range is not below the image's width or the memory needed
        exceeds ``max_memory_mb``.
        """
        height, width = pair.left.shape[:2]
        self._check_fits(width, height)
        left, right = gray8_pair(pair.left, pair.right)
        px = self._match_padded(left, right)
        return DisparityMap(px, match_confidence(left, right, px), self.params.searched)

    def _check_fits(self, width: int, height: int) -> None:
        p = self.params
        if p.num_disparities >= width or abs(p.min_disparity) >= width:
            raise MatcherError(
                f"disparities {p.min_disparity}..{p.min_disparity + p.num_disparities - 1} do not "
                f"fit an image {width} px wide; give fewer than {width}"
            )
        need_mb = p.memory_bytes(width, height) / 1e6
        if need_mb > p.max_memory_mb:
            raise MatcherError(
                f"SGBM mode {p.mode!r} needs about {need_mb:.0f} MB for {width}x{height} with "
                f"{p.width} disparities, above max_memory_mb = {p.max_memory_mb}; use mode "
                "'3way', fewer disparities, smaller images, or a larger max_memory_mb"
            )

    def _match_padded(
        self, left: NDArray[np.uint8], right: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Match with replicated columns at both sides, so that OpenCV drops those and not ours."""
        p = self.params
        before, after = max(p.max_disparity, 0), max(-p.min_disparity, 0)
        padded = [
            cv2.copyMakeBorder(image, 0, 0, before, after, cv2.BORDER_REPLICATE)
            for image in (left, right)
        ]
        raw = self._opencv().compute(*padded)[:, before : before + left.shape[1]]
        px = raw.astype(np.float32) / np.float32(_FIXED_POINT)
        px[raw < p.min_disparity * _FIXED_POINT] = np.nan
        return px

    def _opencv(self) -> cv2.StereoSGBM:
        p = self.params
        p1, p2 = p.penalties
        return cv2.StereoSGBM.create(
            minDisparity=p.min_disparity,
            numDisparities=p.width,
            blockSize=p.block_size,
            P1=p1,
            P2=p2,
            # OpenCV switches the check off only far above the range, not at or below 0
            disp12MaxDiff=p.left_right_max_px if p.left_right_max_px >= 0 else 1_000_000,
            preFilterCap=p.pre_filter_cap,
            uniquenessRatio=p.uniqueness_percent,
            speckleWindowSize=p.speckle_size_px,
            speckleRange=p.speckle_range_px,
            mode=_MODES[p.mode],
        )
