"""Where the picture of a sequence changed, looked at in small means: noise is none.

Noise of two gray levels leaves the mean of ``STEP`` squared pixels within 0.7 of that of another
frame; an edge of 50 levels that moves by a third of a pixel changes it by 4.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Mask

Gray = NDArray[np.uint8]

STEP = 4
"""Side of the squares whose means are compared, pixels."""
SAME_LEVELS = 3
"""Gray levels: more is a change, less noise (2 and less of it are left in an image that is matched,
see ``stereo.matching.preparation``)."""
EDGE_LEVELS, LEAST_EDGES = 40, 20
"""Gray levels within three steps that are an edge; so many tell of a section of the image."""
SECTIONS, LEAST_SECTIONS = 6, 4
"""Sections across and down, and how many must tell."""
MOVED_SHARE = 0.1
"""Of a section's edges, in the median section: 0.2 and more of a camera that moves by 0.5 m/s, at
most 0.04 where three things pass a camera that stands (benchmarks/sequences.py)."""


def coarse(gray: Gray) -> Gray:
    """Return the mean of each ``STEP`` x ``STEP`` pixels of (H, W); the last ones may have less."""
    height, width = (-(-side // STEP) for side in gray.shape)
    return np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def differs(now: Gray, before: Gray) -> Mask:
    """Return which means of two ``coarse`` pictures differ by more than noise."""
    return np.asarray(cv2.absdiff(now, before) > SAME_LEVELS)


def camera_moved(now: Gray, before: Gray) -> bool:
    """Whether two ``coarse`` pictures differ at the edges nearly everywhere, not in a few places.

    A camera that moves changes them all over the image; what has little contrast, such as the dark
    side of a box or a blank wall, looks as if it stood, and did not.
    """
    step = cv2.morphologyEx(before, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    edges, moved = step > EDGE_LEVELS, differs(now, before)
    rows, columns = (np.linspace(0, side, SECTIONS + 1, dtype=int) for side in edges.shape)
    shares = []
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            here = edges[top:bottom, left:right]
            if here.sum() >= LEAST_EDGES:
                shares.append(float(moved[top:bottom, left:right][here].mean()))
    return len(shares) >= LEAST_SECTIONS and float(np.median(shares)) > MOVED_SHARE
