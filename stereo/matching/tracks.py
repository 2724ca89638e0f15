"""The same points in both images of a pair, found in a millisecond or two: on a few bands of rows.

Bands are spread over the height and stacked, at most 700 columns wide. A match of the stack at 128
columns says where a point's partner is to a few pixels, whatever the range of disparities; Lucas
and Kanade's method finds it to a few hundredths, there and back. Points are corners, one a cell:
they see both directions, so that a row error cannot hide in the disparity as it does on a slanted
edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.matching.search_range import coarse_matcher

FEWEST = 40
"""With fewer points nothing is said."""

_BAND_ROWS = 24  # of a band, after shrinking
_WIDEST_PX = 700  # wider bands are shrunk by a whole number
_COARSE_WIDTH_PX, _COARSE_ROWS = 128, 6
_DISPARITIES = -0.10, 0.45  # of the width; beyond, less than half of the scene is seen by both
_WINDOW_PX = 13
_MARGIN = _WINDOW_PX // 2 + 2  # of rows, so that a point may move within its band
_CELL_PX = 16
_FAINT = 0.5  # of the median strength of a cell's best corner: weaker ones are noise
_HIGH_PASS_PX = 15
_RETURN_PX = 0.3  # how far a point may return from where it was
_STRAY_ROWS = 4.0

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Tracks:
    """Where scene points are, and how bright their surroundings."""

    x: Floats
    """(N,) column in the right image, as a share of the width from its middle."""
    y: Floats
    """(N,) row, as a share of the height from the middle."""
    below_px: Floats
    """(N,) how many pixels the right point lies lower than the left one."""
    level_left: Floats
    """(N,) mean of 5x5 around it in the left image, gray levels."""
    level_right: Floats
    """(N,) the same in the right one."""
    pixel: float
    """Side of the pixels they were found in, in pixels of the image."""

    def __len__(self) -> int:
        return len(self.x)


def find_tracks(left: Gray, right: Gray, *, bands: int = 6) -> Tracks | None:
    """Follow points from ``left`` to ``right``, (H, W) uint8 each; None where there are too few."""
    height, width = left.shape
    scale = max(1, -(-width // _WIDEST_PX))
    count = min(bands, height // (scale * _BAND_ROWS))
    if count < 1 or width < 64:
        return None
    tops = np.linspace(0, height - scale * _BAND_ROWS, count).astype(np.intp)
    stacks = [_bands(image, tops, scale) for image in (left, right)]
    details = [_detail(stack) for stack in stacks]
    x, y = _corners(details[0], count)
    shift = _coarse_disparity(stacks, count, x, y)
    inside = (x - shift > _MARGIN) & (x - shift < stacks[0].shape[1] - _MARGIN)  # NaN is not
    if np.count_nonzero(inside) < FEWEST:
        return None
    start = np.column_stack([x, y])[inside].astype(np.float32)
    end, good = _followed(details, start, shift[inside].astype(np.float32))
    if np.count_nonzero(good) < FEWEST:
        return None
    start, end = start[good], end[good]
    band, row = np.divmod(end[:, 1].astype(np.float64), _BAND_ROWS)
    return Tracks(
        end[:, 0].astype(np.float64) / stacks[0].shape[1] - 0.5,
        (tops[band.astype(np.intp)] + scale * row) / height - 0.5,
        scale * (end[:, 1] - start[:, 1]).astype(np.float64),
        _levels(stacks[0], start),
        _levels(stacks[1], end),
        float(scale),
    )


def _bands(image: Gray, tops: NDArray[np.intp], scale: int) -> Gray:
    """Bands of rows, one under the other, shrunk by ``scale``."""
    width = image.shape[1] // scale
    stack = np.concatenate([image[t : t + scale * _BAND_ROWS, : scale * width] for t in tops])
    if scale == 1:
        return stack
    size = (width, len(tops) * _BAND_ROWS)
    return np.asarray(cv2.resize(stack, size, interpolation=cv2.INTER_AREA), np.uint8)


def _detail(stack: Gray) -> Gray:
    """Twice the difference from the mean of 15x15: exposure does not matter to what follows."""
    mean = cv2.blur(stack, (_HIGH_PASS_PX, _HIGH_PASS_PX))
    return np.asarray(cv2.addWeighted(stack, 2, mean, -2, 128), np.uint8)


def _corners(stack: Gray, bands: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Columns and rows of the best corner of each cell in the middle rows of the bands."""
    around = 3  # what a corner's strength depends on
    middle = stack.reshape(bands, _BAND_ROWS, -1)[:, _MARGIN - around : around - _MARGIN]
    core = np.ascontiguousarray(middle).reshape(-1, stack.shape[1])
    strength = np.asarray(cv2.cornerMinEigenVal(core, 3)).reshape(middle.shape)
    rows, columns = _BAND_ROWS - 2 * _MARGIN, stack.shape[1] // _CELL_PX
    cells = strength[:, around:-around, : columns * _CELL_PX]
    cells = cells.reshape(bands, rows, columns, _CELL_PX).transpose(0, 2, 1, 3)
    cells = cells.reshape(bands * columns, rows * _CELL_PX)
    best, strongest = cells.argmax(axis=1), cells.max(axis=1)
    band, column = np.divmod(np.arange(len(cells)), columns)
    row, x = np.divmod(best, _CELL_PX)
    clear = strongest > _FAINT * median(strongest)
    return (column * _CELL_PX + x)[clear], (band * _BAND_ROWS + _MARGIN + row)[clear]


def _coarse_disparity(
    stacks: list[Gray], bands: int, x: NDArray[np.intp], y: NDArray[np.intp]
) -> Floats:
    """(N,) disparity at some points of the left stack, its pixels; NaN where unknown."""
    width = stacks[0].shape[1]
    size = (min(_COARSE_WIDTH_PX, width), bands * _COARSE_ROWS)
    small = [np.asarray(cv2.resize(s, size, interpolation=cv2.INTER_AREA)) for s in stacks]
    low, high = (round(share * size[0]) for share in _DISPARITIES)
    px = coarse_matcher(low, high - low, threads=1)(small[0], small[1])
    at = y * _COARSE_ROWS // _BAND_ROWS, x * size[0] // width
    return np.asarray(px[at] * (width / size[0]), np.float64)


def _followed(
    details: list[Gray], start: NDArray[np.float32], shift: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(N, 2) places in the right stack, and which of them can be believed."""
    guess = start.copy()
    guess[:, 0] -= shift
    end, went = _flow(details[0], details[1], start, guess)
    back, returned = _flow(details[1], details[0], end, start)
    coarse_px = details[0].shape[1] / _COARSE_WIDTH_PX
    good = went & returned & (np.hypot(*(back - start).T) < _RETURN_PX)
    good &= np.abs(end[:, 0] - guess[:, 0]) < max(2 * coarse_px, 2)
    good &= np.abs(end[:, 1] - start[:, 1]) < _STRAY_ROWS
    return end, good


def _flow(
    source: Gray, target: Gray, start: NDArray[np.float32], guess: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    end, status, _ = cv2.calcOpticalFlowPyrLK(
        source,
        target,
        start[:, None],
        guess[:, None].copy(),
        winSize=(_WINDOW_PX, _WINDOW_PX),
        maxLevel=0,
        criteria=(cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 8, 0.02),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(end, np.float32).reshape(-1, 2), np.asarray(status).ravel() == 1


def median(values: NDArray[Any]) -> float:
    """Return what ``np.median`` does, of a few numbers in a tenth of its time."""
    ordered = np.sort(values)
    count = len(ordered)
    return float((ordered[(count - 1) // 2] + ordered[count // 2]) / 2)


def _levels(stack: Gray, at: NDArray[Any]) -> Floats:
    """(N,) mean of 5x5 around some points, whole gray levels; mirrored beyond the border."""
    height, width = stack.shape
    around = np.arange(-2, 3)
    columns, rows = np.rint(at).astype(np.intp).T
    rows = _mirrored(rows.clip(0, height - 1)[:, None] + around, height)
    columns = _mirrored(columns.clip(0, width - 1)[:, None] + around, width)
    sums = stack[rows[:, :, None], columns[:, None, :]].sum(axis=(1, 2), dtype=np.intp)
    return np.asarray((sums + 12) // 25, np.float64)


def _mirrored(index: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    return np.asarray((count - 1) - np.abs((count - 1) - np.abs(index)), np.intp)
