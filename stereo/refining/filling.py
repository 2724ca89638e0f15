"""Fill the holes of a disparity map: from their surroundings in the image, or from their row.

``fill`` goes by the image: each hole pixel takes the surface that the cheapest path leads to, a
path being cheap where the image stays the same (native/src/filling.cpp). ``fill_holes`` knows only
the row; it serves where the native module was not built.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import DisparityMap, Float, Image, Mask
from stereo.gray import to_8bit
from stereo.native import find_native, thread_count

FILLED_CONFIDENCE = 0.2
"""Confidence given to a filled hole: a guess from its surroundings, see benchmarks/accuracy.py."""
SAME_SURFACE_PX = 3.0
"""Two sides of a hole on a row that differ by no more are one surface; 2 to 5 do about as well."""
ISLAND_PX = 1000
"""Matches of the left strip that hang together in fewer pixels are chance ..."""
MOST_OF_IT = 0.5
"""... where more than this share of them lies left of what the right camera can see."""


def fill(disparity: DisparityMap, image: Image, *, threads: int | None = None) -> DisparityMap:
    """Return ``disparity`` with its holes filled, at a low confidence.

    ``image`` is the left view, (H, W) or (H, W, 3), 8 or 16 bit. A map that knows nothing stays as
    it is.
    """
    native = find_native()
    if native is None:
        px = fill_holes(disparity.px, same_surface_px=SAME_SURFACE_PX)
    else:
        threads = thread_count(threads)
        known = np.ascontiguousarray(disparity.px), np.ascontiguousarray(disparity.confidence)
        px = np.asarray(native.fill_holes(*known, levels(image), threads))
    filled = np.isnan(disparity.px) & np.isfinite(px)
    confidence = disparity.confidence.copy()
    confidence[filled] = FILLED_CONFIDENCE
    return replace(disparity, px=px, confidence=confidence)


def levels(image: Image) -> NDArray[np.uint8]:
    """Return (H, W, channels) 8 bit."""
    (image,) = to_8bit([image])
    deep = image if image.ndim == 3 else image[..., None]
    return np.ascontiguousarray(deep, np.uint8)


def drop_islands(disparity: DisparityMap) -> DisparityMap:
    """Return ``disparity`` without chance matches in the strip that only the left camera sees.

    What lies at column x of a surface nearer than x has its match beyond the right image's border,
    so the matcher was left with the wrong ones. A small patch left of such a surface is one.
    """
    px = disparity.px
    reach = min(int(np.nanmax(px, initial=0)) + 1, px.shape[1])  # no strip is wider
    known = np.isfinite(px[:, :reach])
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(known.view(np.uint8), connectivity=4)
    labels = np.asarray(labels)
    goes_on = boxes[:, cv2.CC_STAT_LEFT] + boxes[:, cv2.CC_STAT_WIDTH] == reach
    small = (boxes[:, cv2.CC_STAT_AREA] < ISLAND_PX) & ~goes_on
    small[0] = False
    islands = small[labels]
    rows = np.flatnonzero(islands.any(axis=1))
    if len(rows) == 0:
        return disparity
    beyond = islands[rows] & (np.arange(reach) < _strip_widths(px, rows, known & ~islands)[:, None])
    share = np.bincount(labels[rows][beyond], minlength=len(small)) / boxes[:, cv2.CC_STAT_AREA]
    gone = (small & (share > MOST_OF_IT))[labels]
    px, confidence = px.copy(), disparity.confidence.copy()
    px[:, :reach][gone] = np.nan
    confidence[:, :reach][gone] = 0
    return replace(disparity, px=px, confidence=confidence)


def _strip_widths(px: Float, rows: NDArray[np.intp], large: Mask) -> Float:
    """How far from the left border the right camera sees nothing, in some rows.

    That is the disparity of the first pixel of a large patch, and ends there at the latest.
    ``large``: where those are in the left columns.
    """
    first = np.argmax(large[rows], axis=1)  # 0: none, or no strip
    farther = np.flatnonzero(~large[rows, first])
    rest = np.isfinite(px[rows[farther], large.shape[1] :])
    if rest.shape[1]:
        where = np.argmax(rest, axis=1)
        first[farther] = np.where(rest.any(axis=1), large.shape[1] + where, 0)
    return np.asarray(np.fmin(first, px[rows, first]), np.float32)


def fill_holes(px: Float, *, same_surface_px: float = 0.0) -> Float:
    """Return ``px`` with every hole filled from what is beside it on its row.

    A hole is mostly what only one camera sees, so it belongs to the farther of its two
    neighbours on the row (the smaller disparity). Where the two differ by at most
    ``same_surface_px`` they are one surface, which goes on between them as a straight line. A row
    without any value takes the nearest row's; a map that knows nothing stays as it is.
    """
    at, values = _hole_values(px, same_surface_px)
    filled = px.copy()
    filled.reshape(-1)[at] = values
    return filled


def _hole_values(px: Float, same_surface_px: float) -> tuple[NDArray[np.intp], Float]:
    """Where the holes are, in the flattened map, and what ``fill_holes`` puts there."""
    height, width = px.shape
    bordered = np.zeros((height, width + 2), np.int8)  # so that every run ends on its own row
    bordered[:, 1:-1] = np.isnan(px)
    flat = bordered.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    row, first = np.divmod(changes[::2], width + 2)  # a run is first to last - 1
    last = changes[1::2] % (width + 2)
    before = np.where(first > 0, px[row, first - 1], np.float32(np.nan))
    after = np.where(last < width, px[row, last % width], np.float32(np.nan))
    length = last - first
    with np.errstate(invalid="ignore"):
        same = np.abs(after - before) <= same_surface_px
    start = np.where(same, before, np.fmin(before, after))
    slope = np.where(same, (after - before) / (length + 1), np.float32(0)).astype(np.float32)
    until = np.cumsum(length)
    count = np.arange(until[-1] if len(until) else 0)  # over all holes, run after run
    at = count + np.repeat(row * width + first - (until - length), length)
    step = (count - np.repeat(until - length - 1, length)).astype(np.float32)
    values = np.repeat(start, length) + np.repeat(slope, length) * step
    known_rows = np.delete(np.arange(height), row[length == width])
    if len(known_rows) in (0, height):
        return at, values
    filled = px.copy()
    filled.reshape(-1)[at] = values
    nearest = known_rows[np.abs(np.arange(height)[:, None] - known_rows).argmin(axis=1)]
    return at, filled[nearest].reshape(-1)[at]
