"""Gray levels for matching: colour or gray, 8 or 16 bit, become two comparable 8-bit images."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Image


def to_gray(image: Image) -> Image:
    """Return (H, W) luma of an (H, W, 3) RGB image; a gray image passes through."""
    if image.ndim == 2:
        return image
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)  # type: ignore[return-value]


def gray_pair(left: Image, right: Image) -> tuple[Image, Image]:
    """Return both images as gray of one depth: as they are, or as 8 bit when they differ."""
    one, two = to_gray(left), to_gray(right)
    return (one, two) if one.dtype == two.dtype else gray8_pair(one, two)


def gray8_pair(left: Image, right: Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return both images as gray uint8.

    16-bit images are divided by one common number, taken from the brightest 0.1 % of both, so that
    10- and 12-bit sensors use the whole range while the two stay comparable.
    """
    grays = [to_gray(left), to_gray(right)]
    wide = [gray for gray in grays if gray.dtype == np.uint16]
    if not wide:
        return grays[0], grays[1]  # type: ignore[return-value]
    white = max(float(np.percentile(gray[::4, ::4], 99.9)) for gray in wide)
    scale = 255.0 / max(white, 255.0)
    narrow = [
        gray if gray.dtype == np.uint8 else cv2.convertScaleAbs(gray, alpha=scale) for gray in grays
    ]
    return narrow[0], narrow[1]  # type: ignore[return-value]
