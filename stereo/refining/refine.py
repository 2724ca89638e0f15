"""Clean a disparity map: left-right check, speckles, surfaces, edges, holes.

Pure functions on arrays. Disparities are float32 (H, W) px with NaN where unknown, and stay so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import InputError
from stereo.frame import DisparityMap, Float, RectifiedPair
from stereo.gray import gray8_pair
from stereo.refining.choosing import choose_surfaces
from stereo.refining.edges import sharpen_edges
from stereo.refining.filling import drop_islands, fill
from stereo.refining.surfaces import Gray, plane_surfaces


@dataclass(frozen=True, slots=True)
class RefineParams:
    """What is done to a matcher's result."""

    surfaces: bool | None = None
    """Give doubtful textureless regions a plane; see ``stereo.refining.surfaces``. None: as suits
    the matcher, which is yes for all but networks."""
    fill: bool = False
    """Fill the remaining holes from their surroundings, at a low confidence."""
    edges: bool | None = None
    """Move the edges of surfaces to those of the image; see ``stereo.refining.edges``. None: as
    ``surfaces``."""
    careful: bool = False
    """Move edges when the holes are filled, then choose the surface of each pixel beside them; see
    ``stereo.refining.choosing``."""

    def settled(self, usual: bool) -> RefineParams:
        """Return the same with ``usual`` where nothing was told."""
        surfaces = usual if self.surfaces is None else self.surfaces
        return replace(self, surfaces=surfaces, edges=usual if self.edges is None else self.edges)


Surfaces = Callable[[DisparityMap, Gray, Gray], DisparityMap]
"""Gives doubtful regions of a map planes, by the two gray images; as ``plane_surfaces`` does."""


def refine(
    disparity: DisparityMap,
    pair: RectifiedPair,
    params: RefineParams,
    *,
    surfaces: Surfaces = plane_surfaces,
) -> DisparityMap:
    """Return ``disparity`` of ``pair`` without what the cameras did not see, then improved.

    ``surfaces`` does what ``params.surfaces`` asks for.
    """
    params = params.settled(True)
    disparity = _improved(disparity, pair, params, surfaces)
    if not (params.careful or params.fill):
        return disparity
    with_holes, filled = _completed(disparity, pair, params)
    return filled if params.fill else with_holes


def refine_both(
    disparity: DisparityMap, pair: RectifiedPair, params: RefineParams
) -> tuple[DisparityMap, DisparityMap]:
    """Return what ``refine`` gives without and with ``fill``, whatever ``params`` says of it."""
    params = params.settled(True)
    return _completed(_improved(disparity, pair, params, plane_surfaces), pair, params)


def _improved(
    disparity: DisparityMap, pair: RectifiedPair, params: RefineParams, surfaces: Surfaces
) -> DisparityMap:
    disparity = drop_unseen(disparity, pair)
    if params.surfaces:
        disparity = surfaces(disparity, *gray8_pair(pair.left, pair.right))
        disparity = drop_unseen(disparity, pair)
    disparity = drop_islands(disparity)
    if not params.edges or params.careful:
        return disparity
    return sharpen_edges(disparity, pair.left)


def _completed(
    disparity: DisparityMap, pair: RectifiedPair, params: RefineParams
) -> tuple[DisparityMap, DisparityMap]:
    """The map with its holes and the one without, both with their edges moved if that is asked."""
    filled = fill(disparity, pair.left)
    if not (params.edges and params.careful):
        return disparity, filled
    filled = choose_surfaces(sharpen_edges(filled, pair.left), pair)
    return _with_holes_of(disparity, filled), filled


def _with_holes_of(disparity: DisparityMap, filled: DisparityMap) -> DisparityMap:
    known = np.isfinite(disparity.px)
    return replace(
        filled,
        px=np.where(known, filled.px, np.float32(np.nan)),
        confidence=np.where(known, filled.confidence, np.float32(0)),
    )


def drop_unseen(disparity: DisparityMap, pair: RectifiedPair) -> DisparityMap:
    """Return ``disparity`` without pixels, or matches, where a camera saw nothing."""
    if pair.valid_left is None and pair.valid_right is None:
        return disparity
    keep = np.isfinite(disparity.px)
    if pair.valid_left is not None:
        keep &= pair.valid_left
    if pair.valid_right is not None:
        rows, columns = np.nonzero(keep)
        target = np.rint(columns - disparity.px[rows, columns]).astype(np.intp)
        inside = np.clip(target, 0, keep.shape[1] - 1)
        keep[rows, columns] = pair.valid_right[rows, inside]
    px = np.where(keep, disparity.px, np.float32(np.nan))
    confidence = np.where(keep, disparity.confidence, np.float32(0))
    return replace(disparity, px=px, confidence=confidence)


def left_right_check(
    left: Float, right: Float, *, max_difference_px: float = 1.0
) -> NDArray[np.bool_]:
    """Return where the two views agree.

    ``right`` is the right view's disparity map, with the same sign (positive: nearer). True where
    the left pixel's match, rounded to the nearest column, lies in the right image and points back
    within ``max_difference_px``. Raises InputError when the shapes differ.
    """
    if left.shape != right.shape:
        raise InputError(f"left map is {left.shape} but right map is {right.shape}")
    rows, columns = np.nonzero(np.isfinite(left))
    d = left[rows, columns]
    target = np.rint(columns - d).astype(np.int64)
    inside = (target >= 0) & (target < left.shape[1])
    back = right[rows, np.where(inside, target, 0)]
    agree = np.zeros(left.shape, np.bool_)
    with np.errstate(invalid="ignore"):
        agree[rows, columns] = inside & (np.abs(back - d) <= max_difference_px)
    return agree


def remove_speckles(px: Float, *, max_size: int = 100, step_px: float = 2.0) -> Float:
    """Return ``px`` with connected regions of up to ``max_size`` pixels made unknown.

    Two neighbours (of four) are connected when they differ by at most ``step_px``.
    """
    largest = float(np.nanmax(np.abs(px), initial=0.0))
    scale = 16.0 if largest < 2000 else 2000.0 * 16.0 / largest  # int16 holds the map
    hole = -32768
    known = np.isfinite(px)
    fixed = np.where(known, px * np.float32(scale), np.float32(hole)).astype(np.int16)
    cv2.filterSpeckles(fixed, hole, max_size, round(step_px * scale))
    return np.where(fixed == hole, np.float32(np.nan), px)
