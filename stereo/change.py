"""Where the picture of a sequence changed, looked at in small means: noise is none.

Noise of two gray levels leaves the mean of ``STEP`` squared pixels within 0.7 of that of another
frame; an edge of 50 levels that moves by a third of a pixel changes it by 4.
"""

from __future__ import annotations

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


def coarse(gray: Gray) -> Gray:
    """Return the mean of each ``STEP`` x ``STEP`` pixels of (H, W); the last ones may have less."""
    height, width = (-(-side // STEP) for side in gray.shape)
    return np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def differs(now: Gray, before: Gray) -> Mask:
    """Return which means of two ``coarse`` pictures differ by more than noise."""
    return np.asarray(cv2.absdiff(now, before) > SAME_LEVELS)
