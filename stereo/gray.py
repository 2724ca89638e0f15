"""Levels: colour becomes gray, and 16 bit become 8, for matching and for the eye."""

from __future__ import annotations

from collections.abc import Sequence

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
    """Return both images as gray uint8, comparable; see ``to_8bit``."""
    one, two = to_8bit((to_gray(left), to_gray(right)))
    return one, two


def to_8bit(images: Sequence[Image]) -> list[NDArray[np.uint8]]:
    """Return images of one scene, gray or colour, as uint8; those that are pass through.

    16-bit images are divided by one common number, taken from the brightest 0.1 % of all, so that
    10- and 12-bit sensors use the whole range while the images stay comparable.
    """
    wide = [image for image in images if image.dtype == np.uint16]
    if not wide:
        return list(images)  # type: ignore[arg-type]
    white = max(float(np.percentile(image[::4, ::4], 99.9)) for image in wide)
    scale = 255.0 / max(white, 255.0)
    return [
        np.asarray(
            cv2.convertScaleAbs(image, alpha=scale) if image.dtype == np.uint16 else image, np.uint8
        )
        for image in images
    ]


def to_rgb8(image: Image) -> NDArray[np.uint8]:
    """Return (H, W, 3) RGB uint8 of any image, for showing it and for the colours of a cloud."""
    (narrow,) = to_8bit([image])
    if narrow.ndim == 2:
        narrow = cv2.cvtColor(narrow, cv2.COLOR_GRAY2RGB)  # type: ignore[assignment]
    return narrow
