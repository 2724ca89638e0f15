"""Where errors are looked for separately: beside steps of depth, and where nothing can be matched.

Masks (H, W); a figure over a region is meant to be compared between two maps of the same pair.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Float, Image, Mask
from stereo.gray import to_8bit, to_gray

EDGE_STEP_PX = 2.0
"""Neighbours whose truths differ by more are a step of depth; truth in whole pixels steps by 1."""
EDGE_REACH_PX = 8
"""How far from a step a pixel is still near it."""
SMOOTH_LEVELS = 3.0
"""Gray levels per pixel: where nothing within ``_SMOOTH_PX`` is steeper, a region is smooth."""

_SMOOTH_PX = 3  # to each side: about what a matcher's window sees


def near_edges(truth: Float) -> Mask:
    """Return which pixels lie within ``EDGE_REACH_PX`` of a step of ``truth``, NaN where unknown.

    A step is seen between known neighbours only: beside unknown pixels nobody knows.
    """
    step = np.zeros(truth.shape, np.uint8)
    with np.errstate(invalid="ignore"):
        across = np.abs(truth[:, 1:] - truth[:, :-1]) > EDGE_STEP_PX
        down = np.abs(truth[1:] - truth[:-1]) > EDGE_STEP_PX
    step[:, 1:] |= across
    step[:, :-1] |= across
    step[1:] |= down
    step[:-1] |= down
    return _dilated(step, EDGE_REACH_PX)


def smooth_regions(image: Image) -> Mask:
    """Return where the image, (H, W) or (H, W, 3), shows nothing to match."""
    (gray,) = to_8bit([to_gray(image)])
    across = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)  # 1 for a ramp of 1 per px
    down = cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    steep = np.maximum(np.abs(across), np.abs(down)) > SMOOTH_LEVELS
    return ~_dilated(steep.astype(np.uint8), _SMOOTH_PX)


def _dilated(mask: NDArray[np.uint8], reach: int) -> Mask:
    side = 2 * reach + 1
    return np.asarray(cv2.dilate(mask, np.ones((side, side), np.uint8)), np.bool_)
