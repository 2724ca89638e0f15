"""Coarse-to-fine matching: large images and wide ranges in bounded memory, and faster.

The pair is matched at half its size first. The image is then cut into tiles, each matched at full
size over no more disparities than the coarse map shows in and around it. Where near and far meet, a
tile searches both and everything between: unlike a window around one coarse value per pixel, that
loses no edge, and no thin object that was seen at half size. Tiles overlap, so that the paths have
settled before the part that is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import MatcherError
from stereo.frame import DisparityMap, Float, RectifiedPair
from stereo.gray import gray8_pair, to_gray
from stereo.matching.sgm import SgmMatcher, SgmParams, memory_bytes

Gray = NDArray[Any]

_CELL_PX = 32  # side of the squares whose range the coarse map tells; tiles consist of them
_OVERLAP_PX = 48  # of a tile beyond what is kept of it, on each side
_MARGIN_PX = 6  # of disparity beyond what the coarse map shows: its rounding, and slopes
_STEP = 64  # disparities of a tile are a multiple of this: a vector of the widest instruction set
_TILE_COST_PX = 20_000  # of starting a tile, in pixels times disparities / _STEP
_LEAST_ISLAND_PX = 12  # coarse pixels: fewer that agree are no evidence of a surface


@dataclass(frozen=True, slots=True)
class Tile:
    """Cells [top, bottom) x [left, right) and the disparities to search there."""

    top: int
    bottom: int
    left: int
    right: int
    min_disparity: int
    """px."""
    num_disparities: int
    """px, a multiple of 64."""


class PyramidMatcher:
    """Semi-global matching from half size to full size; parameters are SgmMatcher's."""

    def __init__(self, params: SgmParams | None = None) -> None:
        """Raises MissingLibraryError when the package was built without a C++ compiler."""
        self.params = params or SgmParams()
        self._full: dict[int, SgmMatcher] = {}
        self._half = SgmMatcher(_coarse_params(self.params))

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """As SgmMatcher's. What it finds depends on the pair alone, not on threads or memory."""
        left, right = to_gray(pair.left), to_gray(pair.right)
        if left.dtype != right.dtype:
            left, right = gray8_pair(left, right)
        tiles = self._plan(left, right)
        px = np.empty(left.shape, np.float32)
        confidence = np.empty(left.shape, np.float32)
        for tile in tiles:
            self._match_tile(tile, left, right, px, confidence)
        if self.params.left_right_max_px >= 0:
            _drop_covered(px, confidence, self.params.left_right_max_px)
        if self.params.speckle_size_px:
            _drop_speckles(px, self.params)
        confidence[np.isnan(px)] = 0
        return DisparityMap(px, confidence)

    def _plan(self, left: Gray, right: Gray) -> list[Tile]:
        small = RectifiedPair(_halve(left), _halve(right))
        coarse = 2 * self._half.match(small).px
        low, high = _cell_ranges(coarse, left.shape)
        return plan_tiles(low, high, self.params)

    def _match_tile(
        self, tile: Tile, left: Gray, right: Gray, px: Float, confidence: Float
    ) -> None:
        height, width = left.shape
        top, bottom = tile.top * _CELL_PX, min(tile.bottom * _CELL_PX, height)
        first, last = tile.left * _CELL_PX, min(tile.right * _CELL_PX, width)
        y0, y1 = max(top - _OVERLAP_PX, 0), min(bottom + _OVERLAP_PX, height)
        # What the candidates of the kept part need to its left, both images must show.
        x0 = max(first - _OVERLAP_PX - tile.num_disparities, 0)
        x1 = min(last + _OVERLAP_PX, width)
        columns = np.arange(x0, x1) - tile.min_disparity
        seen = right[y0:y1].take(columns, axis=1, mode="clip")
        found = self._matcher(tile.num_disparities).match(RectifiedPair(left[y0:y1, x0:x1], seen))
        inner = slice(top - y0, bottom - y0), slice(first - x0, last - x0)
        px[top:bottom, first:last] = found.px[inner] + tile.min_disparity
        confidence[top:bottom, first:last] = found.confidence[inner]

    def _matcher(self, num_disparities: int) -> SgmMatcher:
        if num_disparities not in self._full:
            self._full[num_disparities] = SgmMatcher(
                replace(
                    self.params, min_disparity=0, num_disparities=num_disparities, speckle_size_px=0
                )
            )
        return self._full[num_disparities]


def _coarse_params(params: SgmParams) -> SgmParams:
    """Half the range; nothing that agrees with its surroundings is thrown away."""
    low = math.floor(params.min_disparity / 2)
    high = math.ceil((params.min_disparity + params.num_disparities) / 2)
    return replace(
        params,
        min_disparity=low,
        num_disparities=high - low,
        paths=3,
        uniqueness_percent=0,
        left_right_max_px=-1,
        median=False,
        speckle_size_px=_LEAST_ISLAND_PX,
        speckle_range_px=1,
    )


def _halve(image: Gray) -> Gray:
    """Half the size; an odd last row or column is repeated first."""
    height, width = image.shape
    even = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    size = (even.shape[1] // 2, even.shape[0] // 2)
    return np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA))


def _cell_ranges(coarse: Float, shape: tuple[int, ...]) -> tuple[Float, Float]:
    """Smallest and largest disparity, px, in each cell and its neighbours; inf, -inf: no evidence.

    ``coarse`` is the map at half size in pixels of full size, NaN where unknown.
    """
    rows, columns = (-(-side // _CELL_PX) for side in shape)
    half = _CELL_PX // 2
    room = (0, rows * half - coarse.shape[0]), (0, columns * half - coarse.shape[1])
    ranges = []
    for pick, nothing in ((np.min, np.inf), (np.max, -np.inf)):
        known = np.pad(np.where(np.isnan(coarse), np.float32(nothing), coarse), room,
                       constant_values=nothing)
        cells = pick(known.reshape(rows, half, columns, half), axis=(1, 3))
        around = np.pad(cells, 1, constant_values=nothing)
        windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3))
        ranges.append(pick(windows, axis=(2, 3)))
    return ranges[0], ranges[1]


def plan_tiles(low: Float, high: Float, params: SgmParams) -> list[Tile]:
    """Cut the grid of cells into tiles so that the least work is left, halving while that helps.

    ``low``, ``high``: (rows, columns) px, what the coarse map shows around each cell.
    """
    whole_low, whole_high = params.min_disparity, params.min_disparity + params.num_disparities

    def tile(top: int, bottom: int, left: int, right: int) -> Tile:
        first = math.floor(low[top:bottom, left:right].min(initial=np.inf) - _MARGIN_PX) if (
            np.isfinite(low[top:bottom, left:right]).any()) else whole_low
        end = math.ceil(high[top:bottom, left:right].max()) + 1 + _MARGIN_PX if (
            np.isfinite(high[top:bottom, left:right]).any()) else whole_high
        first, end = max(first, whole_low), min(end, whole_high)
        count = -(-max(end - first, 1) // _STEP) * _STEP
        return Tile(top, bottom, left, right, first, count)

    def work(t: Tile) -> float:
        h = (t.bottom - t.top) * _CELL_PX + 2 * _OVERLAP_PX
        w = (t.right - t.left) * _CELL_PX + 2 * _OVERLAP_PX + t.num_disparities
        return (h * w + _TILE_COST_PX) * (t.num_disparities + 16)

    def cut(t: Tile) -> tuple[float, list[Tile]]:
        best = work(t), [t]
        h, w = t.bottom - t.top, t.right - t.left
        if max(h, w) < 4:
            return best
        if h > w:
            middle = (t.top + t.bottom) // 2
            parts = tile(t.top, middle, t.left, t.right), tile(middle, t.bottom, t.left, t.right)
        else:
            middle = (t.left + t.right) // 2
            parts = tile(t.top, t.bottom, t.left, middle), tile(t.top, t.bottom, middle, t.right)
        pieces = [cut(part) for part in parts]
        split = sum(cost for cost, _ in pieces)
        if split < best[0]:
            best = split, pieces[0][1] + pieces[1][1]
        return best

    return cut(tile(0, low.shape[0], 0, low.shape[1]))[1]


def _drop_covered(px: Float, confidence: Float, most_px: int) -> None:
    """Forget pixels whose match a surer left pixel has taken: the left-right check across tiles."""
    height, width = px.shape
    for y in range(height):
        x = np.flatnonzero(np.isfinite(px[y]))
        d = px[y, x]
        target = np.rint(x - d).astype(np.intp)
        inside = (target >= 0) & (target < width)
        px[y, x[~inside]] = np.nan
        x, d, target = x[inside], d[inside], target[inside]
        order = np.argsort(confidence[y, x], kind="stable")
        taken = np.full(width, np.nan, np.float32)
        taken[target[order]] = d[order]
        px[y, x[np.abs(taken[target] - d) > most_px + 0.5]] = np.nan


def _drop_speckles(px: Float, params: SgmParams) -> None:
    span = params.num_disparities + abs(params.min_disparity)
    scale = min(16.0, 32000.0 / span)
    fixed = np.where(np.isnan(px), np.float32(-32768), px * np.float32(scale)).astype(np.int16)
    cv2.filterSpeckles(fixed, -32768, params.speckle_size_px, round(params.speckle_range_px * scale))
    px[fixed == -32768] = np.nan
