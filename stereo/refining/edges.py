"""Move the edges of surfaces onto the edges of the image.

A matcher compares windows, and a window on the edge of an object sees its texture even when the
centre is already background: objects come out a few pixels too fat, with a ragged rim. Around each
edge of the map a pixel therefore takes the median of the disparities that look
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
from stereo.native import find_native
from stereo.refining.filling import levels

EDGE_STEP_PX = 1.5
"""Neighbours that differ by more are an edge; from 1 to 3 the result hardly changes."""
KEEP_PX = 1.0
"""A pixel that half of its surroundings agree with, within this, keeps its own disparity."""
MOVED_CONFIDENCE = 0.6
"""At most this for a pixel that was moved: so many of them are within 1 px of the truth."""

_REACH_PX = 2  # of the work around an edge: as good as 4, for a smaller share of the pixels


def sharpen_edges(
    disparity: DisparityMap, image: Image, *, careful: bool = False, threads: int | None = None
) -> DisparityMap:
    """Return ``disparity`` with its edges moved to those of ``image``; holes stay holes.

    ``image`` is the left view, (H, W) or (H, W, 3), 8 or 16 bit. ``careful`` looks at twice as
    many samples, for twice the time. Nothing is moved where the native module was not built.
    Raises InputError when shapes differ.
    """
    if disparity.px.shape != image.shape[:2]:
        raise InputError(
            f"expected a map of the image's shape {image.shape[:2]}, got {disparity.px.shape}"
        )
    native = find_native()
    if native is None:
        return disparity
    weight = cv2.convertScaleAbs(disparity.confidence, alpha=255)  # 0 in holes
    moved = native.weighted_median(
        np.ascontiguousarray(disparity.px),
        np.asarray(weight),
        levels(image),
        _around_edges(disparity.px),
        careful,
        KEEP_PX,
        threads or len(os.sched_getaffinity(0)),
    )
    changed = moved != disparity.px
    changed &= np.isfinite(moved)
    confidence = disparity.confidence.copy()
    confidence[changed] = np.minimum(confidence[changed], np.float32(MOVED_CONFIDENCE))
    return replace(disparity, px=moved, confidence=confidence)


def _around_edges(px: Float) -> NDArray[np.uint8]:
    """1 where something is known within a few pixels of a step of disparity."""
    near, far = np.ones((3, 3), np.uint8), np.float32(1e6)
    known = np.isfinite(px)
    highest = cv2.dilate(np.where(known, px, -far), near)
    lowest = cv2.erode(np.where(known, px, far), near)
    edge = (cv2.subtract(highest, lowest) > EDGE_STEP_PX).astype(np.uint8)
    around = cv2.dilate(edge, np.ones((2 * _REACH_PX - 1,) * 2, np.uint8))
    return np.asarray(around, np.uint8) & known
