"""Move the edges of surfaces onto the edges of the image.

A matcher compares windows, and a window on the edge of an object sees its texture even when the
centre is already background: objects come out a few pixels too fat, with a ragged rim. Around each
edge of the map a pixel therefore takes the median of the disparities that look
as if they belonged to it: weighted by colour, distance and confidence (native/src/edges.cpp). The
figures that this gains are in ``benchmarks/RESULTS.md``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stereo.errors import InputError
from stereo.frame import DisparityMap, Image
from stereo.native import find_native, thread_count
from stereo.refining.filling import levels

EDGE_STEP_PX = 1.5
"""Neighbours that differ by more are an edge; from 1 to 3 the result hardly changes."""
KEEP_PX = 1.0
"""A pixel that half of its surroundings agree with, within this, keeps its own disparity."""
MOVED_CONFIDENCE = 0.6
"""At most this for a pixel that was moved: so many of them are within 1 px of the truth."""


def sharpen_edges(
    disparity: DisparityMap, image: Image, *, threads: int | None = None
) -> DisparityMap:
    """Return ``disparity`` with its edges moved to those of ``image``; holes stay holes.

    ``image`` is the left view, (H, W) or (H, W, 3), 8 or 16 bit. Nothing is moved where the
    native module was not built. Raises InputError when shapes differ.
    """
    if disparity.px.shape != image.shape[:2]:
        raise InputError(
            f"expected a map of the image's shape {image.shape[:2]}, got {disparity.px.shape}"
        )
    native = find_native()
    if native is None:
        return disparity
    px, confidence = native.sharpen_edges(
        np.ascontiguousarray(disparity.px),
        np.ascontiguousarray(disparity.confidence),
        levels(image),
        (EDGE_STEP_PX, KEEP_PX, MOVED_CONFIDENCE),
        thread_count(threads),
    )
    return replace(disparity, px=px, confidence=confidence)
