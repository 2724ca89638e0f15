"""Move the edges of surfaces onto the edges of the image.

A matcher compares windows, and a window on the edge of an object sees its texture even when the
centre is already background: objects come out a few pixels too fat, with a ragged rim. Around each
edge of the map, and in its holes, a pixel therefore takes the median of the disparities that look
as if they belonged to it: weighted by colour, distance and confidence (native/src/edges.cpp). The
figures that this gains are in ``benchmarks/RESULTS.md``.
"""

from __future__ import annotations

import os
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import InputError
from stereo.frame import DisparityMap, Float, Image
from stereo.native import require_native
from stereo.refining.filling import levels

EDGE_STEP_PX = 1.5
"""Neighbours that differ by more are an edge; from 1 to 3 the result hardly changes."""
KEEP_PX = 1.0
"""A pixel that half of its surroundings agree with, within this, keeps its own disparity."""
MOVED_CONFIDENCE = 0.6
"""At most this for a pixel that was moved: so many of them are within 1 px of the truth."""

_REACH_PX = 4  # of the work around an edge: how far windows of the matcher fatten an object


def sharpen_edges(
    disparity: DisparityMap, filled: DisparityMap, image: Image, *, threads: int | None = None
) -> DisparityMap:
    """Return ``filled``, the map without holes, with its edges moved to those of ``image``.

    ``disparity`` is the map with its holes, (H, W); ``image`` the left view, (H, W) or (H, W, 3),
    8 or 16 bit. A map that knows nothing stays as it is. Raises InputError when shapes differ,
    MissingLibraryError where the native module was not built.
    """
    if not disparity.px.shape == filled.px.shape == image.shape[:2]:
        raise InputError(
            f"expected maps of the image's shape {image.shape[:2]}, got {disparity.px.shape} and "
            f"{filled.px.shape}"
        )
    if not np.isfinite(filled.px).all():
        return filled
    holes = np.isnan(disparity.px)
    weight = cv2.convertScaleAbs(filled.confidence, alpha=255)
    wanted = _around_edges(filled.px) | holes.astype(np.uint8)
    moved = _weighted_median(
        np.ascontiguousarray(filled.px), np.asarray(weight), levels(image), wanted, threads
    )
    changed = (moved != filled.px) & ~holes
    limit = np.float32(MOVED_CONFIDENCE)
    confidence = np.where(changed, np.minimum(filled.confidence, limit), filled.confidence)
    return replace(disparity, px=moved, confidence=confidence)


def _around_edges(px: Float) -> NDArray[np.uint8]:
    """1 within a few pixels of a step of disparity."""
    near = np.ones((3, 3), np.uint8)
    step = cv2.subtract(cv2.dilate(px, near), cv2.erode(px, near))
    edge = (np.asarray(step) > EDGE_STEP_PX).astype(np.uint8)
    side = 2 * (_REACH_PX - 1) + 1
    return np.asarray(cv2.dilate(edge, np.ones((side, side), np.uint8)), np.uint8)


def _weighted_median(
    px: Float,
    weight: NDArray[np.uint8],
    color: NDArray[np.uint8],
    wanted: NDArray[np.uint8],
    threads: int | None,
) -> Float:
    native = require_native("sharpening edges", instead="go without --quality")
    threads = threads or len(os.sched_getaffinity(0))
    return np.asarray(native.weighted_median(px, weight, color, wanted, KEEP_PX, threads))
