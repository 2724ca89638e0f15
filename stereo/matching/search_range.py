"""Which disparities a pair needs: found from the pair itself, or from the depths of interest.

The pair is matched at 260 columns (at most a third of its width) and half as many rows, over every
disparity that its width allows, with cheap jumps and without a median, so that thin things stay. A
whole map at low resolution is more robust than sparse key points, covers surfaces that have none,
and costs less than their descriptors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.words import plain
from stereo.errors import InputError
from stereo.frame import RectifiedPair, SearchRange, StereoGeometry
from stereo.gray import gray8_pair, to_gray
from stereo.matching import sgm

Gray = NDArray[Any]
Coarse = Callable[[Gray, Gray], NDArray[np.float32]]

_COARSE_WIDTH_PX = 260
_LARGEST_SCALE = 0.33  # so that the search stays cheap beside the matching of small images
_ROW_SHARE = 0.5  # of that scale, for rows: disparity lies along columns (OpenCV needs them all)
_SMALL_WIDTH_PX = 120
_LARGEST_SHARE = 0.45  # of the width: at more, less than half of the scene is seen by both cameras
_FEWEST_ROWS = 48  # of wide images: small things need some rows to count as evidence
_NEGATIVE_SHARE = 0.10  # of the width: converging cameras after rectification
_P1, _P2 = 12, 28  # with SgmParams' own, poles below 3 % of the width are lost
_MIN_ISLAND_PX = 8  # coarse pixels: anything smaller is no evidence of a surface
_MIN_SHARE_PER_PX = 0.00035  # of the image, for a disparity to count as occupied
_MIN_SHARE_APART = 0.001  # of the image, for a group of disparities away from all others
_MIN_SHARE_NEGATIVE = 0.02  # the same behind infinity, where mostly repeated texture pretends to be
_GAP_PX = 5
_MIN_CONFIDENCE = 0.8
_MIN_SUPPORT = 0.02
_ROUND_TO = 16


def find_search_range(pair: RectifiedPair, *, threads: int | None = 1) -> SearchRange:
    """Range that covers the surfaces of this pair, with margin.

    Where hardly anything matches, the range is a guess (0 to an eighth of the width) with
    ``support`` 0. The margin is 8 % of the span and two coarse pixels, because small near things
    may vanish at low resolution; towards infinity the range ends there. Images are so small here
    that more ``threads`` than one gain nothing.
    """
    width = pair.left.shape[1]
    scale = min(_LARGEST_SCALE, _COARSE_WIDTH_PX / width) if width > _SMALL_WIDTH_PX else 1.0
    share = _ROW_SHARE if sgm.is_available() else 1.0
    left, right = (_shrink(to_gray(image), scale, share) for image in (pair.left, pair.right))
    coarse_width = left.shape[1]
    low = -round(coarse_width * _NEGATIVE_SHARE)
    count = max(1, round(coarse_width * (_LARGEST_SHARE + _NEGATIVE_SHARE)))
    disparity = coarse_matcher(low, count, threads)(left, right)
    # What matches best at an end of the range belongs outside it, or nowhere.
    disparity = disparity[(disparity > low + 1.5) & (disparity < low + count - 2.5)]
    support = disparity.size / left.size
    if support < _MIN_SUPPORT:
        return _rounded(0, max(64, width // 8), width, 0.0)
    farthest, nearest = _occupied(disparity, left.size)
    margin = 2 + 0.08 * (nearest - farthest)
    low_end = farthest - margin
    if farthest >= 0:  # infinity is at about 0, and costs little to reach from half way
        low_end = -1 if farthest < nearest / 2 else max(low_end, -1)
    to_full = width / coarse_width
    return _rounded(low_end * to_full, (nearest + margin) * to_full, width, support)


def _occupied(disparity: NDArray[np.float32], image_px: int) -> tuple[int, int]:
    """Smallest and largest disparity of all groups with enough pixels, else of the largest one."""
    lowest = int(np.floor(disparity.min()))
    pixels = np.bincount(np.rint(disparity - lowest).astype(np.intp))
    found = np.flatnonzero(pixels >= min(int(pixels.max()), _MIN_SHARE_PER_PX * image_px))
    groups = np.split(found, np.flatnonzero(np.diff(found) > _GAP_PX) + 1)
    sizes = [int(pixels[group].sum()) for group in groups]
    needed = [
        (_MIN_SHARE_NEGATIVE if lowest + group[0] < -1 else _MIN_SHARE_APART) * image_px
        for group in groups
    ]
    kept = [
        group
        for group, size, least in zip(groups, sizes, needed, strict=True)
        if size >= min(least, max(sizes))
    ]
    return lowest + int(kept[0][0]), lowest + int(kept[-1][-1])


def search_range_for_depths(
    geometry: StereoGeometry, *, min_depth_m: float, max_depth_m: float = math.inf
) -> SearchRange:
    """Range that holds every depth from ``min_depth_m`` to ``max_depth_m``.

    Raises InputError unless 0 < min_depth_m < max_depth_m.
    """
    if not 0 < min_depth_m < max_depth_m:
        raise InputError(
            "expected 0 < min_depth_m < max_depth_m, "
            f"got {plain(min_depth_m)} and {plain(max_depth_m)}; are they exchanged?"
        )
    at_one_metre = geometry.focal_px * geometry.baseline_m
    low = math.floor(at_one_metre / max_depth_m - geometry.doffs_px)
    high = math.ceil(at_one_metre / min_depth_m - geometry.doffs_px)
    if high - low >= sgm.MAX_DISPARITIES:
        raise InputError(
            f"depths from {plain(min_depth_m)} m span {high - low + 1} disparities, more than "
            f"{sgm.MAX_DISPARITIES}: raise the smallest depth or reduce the images"
        )
    return SearchRange(low, high - low + 1)


def _rounded(low: float, high: float, width: int, support: float) -> SearchRange:
    first = max(math.floor(low), 1 - width)
    count = -(-(math.ceil(high) - first + 1) // _ROUND_TO) * _ROUND_TO
    return SearchRange(first, min(count, sgm.MAX_DISPARITIES), support, found=True)


def _shrink(image: Gray, scale: float, row_share: float) -> Gray:
    if scale == 1:
        return image
    height, width = image.shape
    rows = max(1, round(height * scale))
    rows = max(round(rows * row_share), min(rows, _FEWEST_ROWS))
    return np.asarray(cv2.resize(image, (round(width * scale), rows), interpolation=cv2.INTER_AREA))


def coarse_matcher(low: int, count: int, threads: int | None = None) -> Coarse:
    """Return what finds the sure disparities, NaN elsewhere, of small gray images."""
    if not sgm.is_available():
        return _opencv_matcher(low, count)
    params = sgm.SgmParams(
        low,
        count,
        paths=3,
        p1=_P1,
        p2=_P2,
        median=False,
        faint_levels=-1,
        uniqueness_percent=15,
        speckle_size_px=_MIN_ISLAND_PX,
        speckle_range_px=1,
        threads=threads,
    )
    matcher = _native_matcher(params)

    def match(left: Gray, right: Gray) -> NDArray[np.float32]:
        found = matcher.match(RectifiedPair(left, right))
        return np.where(found.confidence >= _MIN_CONFIDENCE, found.px, np.float32(np.nan))

    return match


@lru_cache(maxsize=4)  # a sequence asks for the same one again
def _native_matcher(params: sgm.SgmParams) -> sgm.SgmMatcher:
    return sgm.SgmMatcher(params)


def _opencv_matcher(low: int, count: int) -> Coarse:
    count = -(-count // 16) * 16
    matcher = cv2.StereoSGBM.create(
        low, count, 3, 72, 288, 1, 0, 15, _MIN_ISLAND_PX, 1, cv2.StereoSGBM_MODE_SGBM_3WAY
    )

    def match(left: Gray, right: Gray) -> NDArray[np.float32]:
        # Without a border OpenCV loses as many columns as the range is wide.
        pad = low + count
        bordered = [
            cv2.copyMakeBorder(image, 0, 0, pad, -low, cv2.BORDER_REPLICATE)
            for image in gray8_pair(left, right)
        ]
        fixed = matcher.compute(*bordered)[:, pad : pad + left.shape[1]]
        return np.where(fixed < low * 16, np.nan, fixed / 16).astype(np.float32)

    return match
