"""Coarse-to-fine matching: large images and wide ranges in bounded memory.

The pair is first matched at a quarter of its height. The image is then cut into tiles, each matched
at full size over no more disparities than the coarse map shows in and around it. The width stays:
half the width would halve the range as well, but it loses poles thinner than 8 px, and those are
what a range must not miss. Where near and far meet, a tile searches both and everything
between, so edges are as good as without; and tiles overlap, so that the paths have settled before
the part that is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import DisparityMap, Float, RectifiedPair
from stereo.gray import gray_pair
from stereo.matching.sgm import MAX_DISPARITIES, SgmMatcher, SgmParams, check_size, memory_bytes
from stereo.networks.guide import Guide

Gray = NDArray[Any]

_SQUASH = 4  # rows that become one in the coarse pair
_CELL_PX = 32  # side of the squares whose range the coarse map tells; tiles consist of them
_OVERLAP_PX = 32  # of a tile beyond what is kept of it, on each side
_MARGIN_PX = 6  # of disparity beyond what the coarse map shows: its rounding, and slopes
_STEP = 64  # disparities of a tile are a multiple of this: a vector of the widest instruction set
# What a pixel costs beside its disparities, as a number of them; from 60 to 275 all are as fast.
_PIXEL_COST = 275
_TILE_MB = 100  # no tile takes more memory
# Up to here the whole image is matched at once: at 2964x1988 with 384 disparities (420 MB) that is
# faster than coarse to fine (benchmarks/speed.py --coarse-to-fine --sizes 2964x1988x384).
_AT_ONCE_MB = 1000
_COARSE_P1, _COARSE_P2 = 12, 28  # with SgmParams' own, poles below 5 px are lost
_LEAST_ISLAND_PX = 40  # coarse pixels: fewer that agree are no evidence of a surface


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
    """Matches at once what fits in little memory, and what does not coarse to fine.

    ``params.coarse_to_fine`` decides otherwise.
    """

    def __init__(self, params: SgmParams | None = None) -> None:
        """Raises MissingLibraryError when the package was built without a C++ compiler."""
        self.params = params or SgmParams()
        self._at_once = SgmMatcher(self.params)
        self._coarse = SgmMatcher(_coarse_params(self.params))
        self._tile_matcher = SgmMatcher(_tile_params(self.params, _STEP))

    def __repr__(self) -> str:
        return f"PyramidMatcher({self.params})"

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """As SgmMatcher's; what it finds depends on pair and parameters alone.

        Raises MatcherError for images beyond 32767 pixels a side, or too large for
        ``max_memory_mb``.
        """
        left, right = gray_pair(pair.left, pair.right)
        check_size(left)
        if not self._coarse_to_fine(left):
            return self._at_once.match(RectifiedPair(left, right))
        px = np.empty(left.shape, np.float32)
        confidence = np.empty(left.shape, np.float32)
        guide = self._at_once.guide(RectifiedPair(left, right))
        for tile in self._plan(left, right):
            self._match_tile(tile, left, right, guide, px, confidence)
        if self.params.left_right_max_px >= 0:
            _drop_covered(px, confidence, self.params.left_right_max_px)
        if self.params.speckle_size_px:
            _drop_speckles(px, self.params)
        confidence[np.isnan(px)] = 0
        return DisparityMap(px, confidence, self.params.searched)

    def _coarse_to_fine(self, left: Gray) -> bool:
        if self.params.coarse_to_fine is not None:
            return self.params.coarse_to_fine
        height, width = left.shape
        needed = memory_bytes(width, height, self.params, bytes_per_pixel=left.itemsize)
        return needed / 1e6 > min(_AT_ONCE_MB, self.params.max_memory_mb)

    def _plan(self, left: Gray, right: Gray) -> list[Tile]:
        small = RectifiedPair(_squash(left), _squash(right))
        coarse = self._coarse.match(small).px
        low, high = _cell_ranges(coarse, left.shape)
        return sorted(plan_tiles(low, high, self.params), key=lambda t: t.num_disparities)

    def _match_tile(
        self,
        tile: Tile,
        left: Gray,
        right: Gray,
        guide: Guide | None,
        px: Float,
        confidence: Float,
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
        found = self._matcher(tile.num_disparities).match(
            RectifiedPair(left[y0:y1, x0:x1], seen),
            guide and guide.within(slice(y0, y1), slice(x0, x1), tile.min_disparity),
        )
        inner = slice(top - y0, bottom - y0), slice(first - x0, last - x0)
        px[top:bottom, first:last] = found.px[inner] + tile.min_disparity
        confidence[top:bottom, first:last] = found.confidence[inner]

    def _matcher(self, num_disparities: int) -> SgmMatcher:
        """Only one is kept, because each holds its memory; tiles come sorted by this."""
        if self._tile_matcher.params.num_disparities != num_disparities:
            self._tile_matcher = SgmMatcher(_tile_params(self.params, num_disparities))
        return self._tile_matcher


def _tile_params(params: SgmParams, num_disparities: int) -> SgmParams:
    return replace(
        params, min_disparity=0, num_disparities=num_disparities, speckle_size_px=0, guide=None
    )


def _coarse_params(params: SgmParams) -> SgmParams:
    """Little memory, cheap jumps so that thin poles are found, and unsure islands are kept.

    Without networks, which never saw images of a quarter of the height alone.
    """
    return replace(
        params,
        features=None,
        guide=None,
        p1=min(params.p1, _COARSE_P1),
        p2=min(params.p2, _COARSE_P2),
        paths=3,
        uniqueness_percent=0,
        left_right_max_px=1,
        median=False,
        speckle_size_px=_LEAST_ISLAND_PX,
        speckle_range_px=1,
    )


def _squash(image: Gray) -> Gray:
    """A quarter of the height; the last row is repeated to make it even."""
    height, width = image.shape
    even = cv2.copyMakeBorder(image, 0, -height % _SQUASH, 0, 0, cv2.BORDER_REPLICATE)
    size = (width, len(even) // _SQUASH)
    return np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA))


def _cell_ranges(coarse: Float, shape: tuple[int, ...]) -> tuple[Float, Float]:
    """Smallest and largest disparity, px, in each cell and its neighbours; inf, -inf: no evidence.

    ``coarse`` is the map at a quarter of the height, NaN where unknown.
    """
    rows, columns = (-(-side // _CELL_PX) for side in shape)
    short = _CELL_PX // _SQUASH
    room = (0, rows * short - coarse.shape[0]), (0, columns * _CELL_PX - coarse.shape[1])
    ranges = []
    for pick, nothing in ((np.min, np.inf), (np.max, -np.inf)):
        known = np.pad(
            np.where(np.isnan(coarse), np.float32(nothing), coarse), room, constant_values=nothing
        )
        cells = pick(known.reshape(rows, short, columns, _CELL_PX), axis=(1, 3))
        around = np.pad(cells, 1, constant_values=nothing)
        windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3))
        ranges.append(pick(windows, axis=(2, 3)))
    return ranges[0], ranges[1]


def plan_tiles(low: Float, high: Float, params: SgmParams) -> list[Tile]:
    """Cut the grid of cells into tiles, halving them while that saves work or is needed.

    ``low``, ``high``: (rows, columns) px, what the coarse map shows around each cell. A tile
    without any evidence searches the whole range.
    """
    everything = params.min_disparity, params.min_disparity + params.num_disparities

    def tile(top: int, bottom: int, left: int, right: int) -> Tile:
        cells = slice(top, bottom), slice(left, right)
        first, end = float(low[cells].min()), float(high[cells].max())
        if first > end:
            first, end = everything
        first = max(math.floor(first) - _MARGIN_PX, everything[0])
        end = min(math.ceil(end) + 1 + _MARGIN_PX, everything[1])
        count = -(-max(end - first, 1) // _STEP) * _STEP
        return Tile(top, bottom, left, right, first, min(count, MAX_DISPARITIES))

    def cut(whole: Tile) -> tuple[float, list[Tile]]:
        work, needed_mb = _demands(whole, params)
        rows, columns = whole.bottom - whole.top, whole.right - whole.left
        if max(rows, columns) == 1:
            return work, [whole]
        if rows > columns:
            y = (whole.top + whole.bottom) // 2
            parts = (
                (whole.top, y, whole.left, whole.right),
                (y, whole.bottom, whole.left, whole.right),
            )
        else:
            x = (whole.left + whole.right) // 2
            parts = (
                (whole.top, whole.bottom, whole.left, x),
                (whole.top, whole.bottom, x, whole.right),
            )
        if needed_mb <= _TILE_MB and max(rows, columns) < 4:
            return work, [whole]
        pieces = [cut(tile(*part)) for part in parts]
        if needed_mb <= _TILE_MB and work <= pieces[0][0] + pieces[1][0]:
            return work, [whole]
        return pieces[0][0] + pieces[1][0], pieces[0][1] + pieces[1][1]

    return cut(tile(0, low.shape[0], 0, low.shape[1]))[1]


def _demands(tile: Tile, params: SgmParams) -> tuple[float, float]:
    """Work of a tile, in pixels times disparities, and the memory it takes, MB."""
    height = (tile.bottom - tile.top) * _CELL_PX + 2 * _OVERLAP_PX
    width = (tile.right - tile.left) * _CELL_PX + 2 * _OVERLAP_PX + tile.num_disparities
    checkpoints = height / 8 + 40  # rows of cells kept, see native/src/matcher.cpp
    needed_mb = width * tile.num_disparities * checkpoints / 1e6
    return height * width * (tile.num_disparities + _PIXEL_COST), needed_mb


def _drop_covered(px: Float, confidence: Float, most_px: int) -> None:
    """Forget pixels whose match a surer left pixel has taken: the left-right check across tiles."""
    height, width = px.shape
    for top in range(0, height, _CELL_PX):
        part, sure = px[top : top + _CELL_PX], confidence[top : top + _CELL_PX]
        y, x = np.nonzero(np.isfinite(part))
        d = part[y, x]
        target = np.rint(x - d).astype(np.int64)
        outside = (target < 0) | (target >= width)
        part[y[outside], x[outside]] = np.nan
        y, x, d, target = (values[~outside] for values in (y, x, d, target))
        claim = (np.rint(sure[y, x] * 32767).astype(np.int64) << 16) | x
        taken = np.zeros((len(part), width), np.int64)
        np.maximum.at(taken.ravel(), y * width + target, claim)
        rival = part[y, taken[y, target] & 0xFFFF]
        covered = np.abs(rival - d) > most_px + 0.5
        part[y[covered], x[covered]] = np.nan


def _drop_speckles(px: Float, params: SgmParams) -> None:
    """Forget small islands, as the matcher does within a tile."""
    hole = -32768
    middle = params.min_disparity + params.num_disparities / 2
    scale = min(16.0, 60000.0 / params.num_disparities)  # so that int16 holds the range
    fixed = np.empty(px.shape, np.int16)
    for top in range(0, len(px), _CELL_PX):  # in parts, to spare memory
        part = px[top : top + _CELL_PX]
        scaled = np.rint((part - np.float32(middle)) * np.float32(scale))
        fixed[top : top + _CELL_PX] = np.where(np.isnan(part), np.float32(hole), scaled)
    cv2.filterSpeckles(fixed, hole, params.speckle_size_px, round(params.speckle_range_px * scale))
    px[fixed == hole] = np.nan
