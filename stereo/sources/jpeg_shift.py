"""Whether a part of a decoded JPEG is brighter or darker than its place, by a spoilt bit.

Each block's mean is coded as its difference from the block before (ITU-T T.81, F.1.2.1). A bit that
is turned over in one such difference leaves all codes in step, but moves every block from there to
the end by the same amount. So the image has a step that runs along a row of blocks from one of them
to the right border, and from the left border on to the same place a row of blocks lower: one
round of blocks, in the order of coding, each with the same step above it. No scene has that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_FEWEST = 20  # blocks a row, to be sure
_STEP = 3.0  # levels, above which a block differs from the one above
_MOST = 40.0  # levels that count, so that an edge of the scene does not weigh more
_INSIDE, _OUTSIDE = 0.85, 0.3  # share of the blocks of that round, and of those around it
_FROM_BORDER = 1 / 12  # of a row; an edge along a whole row of blocks begins at the border


class Shift(NamedTuple):
    """Where a step begins."""

    row: int
    column: int
    """In coded units (MCU), whose lower neighbours on the left are moved as well."""


def find_shift(image: NDArray[np.uint8], unit: tuple[int, int]) -> Shift | None:
    """Return where an image (H, W) or (H, W, 3) is moved from on; None: nowhere.

    ``unit``: width and height of what is coded at once, px.
    """
    wide = image.shape[1] // unit[0]
    if wide < _FEWEST or image.shape[0] < 3 * unit[1]:
        return None
    for plane in _planes(image, unit[1]):
        steps = _steps(plane, unit[0], wide)
        for sign in (1, -1):
            found = _round(sign * steps > _STEP, wide)
            if found is not None:
                return Shift(1 + found // wide, found % wide)
    return None


def _planes(image: NDArray[np.uint8], high: int) -> list[NDArray[np.int16]]:
    """The four rows around each border of units, (N, 4, W) each: brightness, and two colours."""
    borders = np.arange(high, image.shape[0] - 1, high)
    rows = image[borders[:, None] + np.arange(-2, 2)].astype(np.int16)
    if image.ndim == 2:
        return [rows]
    green = rows[..., 1]
    return [green, rows[..., 0] - green, rows[..., 2] - green]


def _steps(rows: NDArray[np.int16], width: int, wide: int) -> NDArray[np.float32]:
    """By how much each unit's step from the one above exceeds those beside it, in coding order."""
    two_up, up, down, two_down = rows[:, :, : wide * width].transpose(1, 0, 2)
    twice = np.clip(3 * (down - up) - two_down + two_up, -2 * _MOST, 2 * _MOST)
    return np.asarray(
        twice.reshape(len(twice), wide, width).mean(axis=2, dtype=np.float32) / 2, np.float32
    ).ravel()


def _round(moved: NDArray[np.bool_], wide: int) -> int | None:
    """Where a whole round of moved units begins, amid others that are not; None: nowhere."""
    sums = np.concatenate([[0], np.cumsum(moved)])
    inside = (sums[wide:] - sums[:-wide]) / wide
    first = int(inside.argmax())
    half, end = wide // 2, first + wide
    around = [(max(first - half, 0), first), (end, min(end + half, len(moved)))]
    shares = [(sums[b] - sums[a]) / max(b - a, 1) for a, b in around]
    column = first % wide
    within = _FROM_BORDER * wide <= column <= (1 - _FROM_BORDER) * wide
    return first if inside[first] >= _INSIDE and max(shares) <= _OUTSIDE and within else None
