"""Two views out of one image, and images the right way round: pure functions on arrays."""

from __future__ import annotations

from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import ImageError
from stereo.frame import Image

Layout = Literal["two", "side-by-side", "top-bottom", "interlaced-columns", "bumblebee"]
"""How views arrive. "two": as two images. "side-by-side": left half, right half. "top-bottom": left
above right. "interlaced-columns": even columns left, odd columns right. "bumblebee": 16 bits a
pixel, the high byte left and the low byte right, or the two bytes as two channels."""
Flip = Literal["none", "horizontal", "vertical", "both"]
"""How both images are mirrored; "both" turns cameras that are mounted upside down."""

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
FLIPS: tuple[Flip, ...] = get_args(Flip)

_FLIP_CODE = {"horizontal": 1, "vertical": 0, "both": -1}


def split(image: NDArray[Any], layout: Layout, *, name: str = "image") -> tuple[Image, Image]:
    """Return the (left, right) view that one image (H, W) or (H, W, C) holds.

    Raises ImageError, naming ``name``, when the image cannot hold two equal views in this way.
    """
    height, width = image.shape[:2]
    if layout == "two":
        raise ImageError(f"{name}: layout 'two' is for two streams, but there is one image")
    if layout == "bumblebee":
        return _split_bytes(image, name)
    along = height if layout == "top-bottom" else width
    if along < 2 or along % 2:
        side = "high" if layout == "top-bottom" else "wide"
        raise ImageError(
            f"{name}: {along} px {side}, so not two equal views {layout} (must be even); give left "
            "and right as two images, or crop it"
        )
    half = along // 2
    if layout == "side-by-side":
        left, right = image[:, :half], image[:, half:]
    elif layout == "top-bottom":
        left, right = image[:half], image[half:]
    else:
        left, right = image[:, ::2], image[:, 1::2]
    return np.ascontiguousarray(left), np.ascontiguousarray(right)


def view_size(size: tuple[int, int], layout: Layout) -> tuple[int, int]:
    """Return (width, height) of each view in an image of ``size``."""
    width, height = size
    if layout in ("side-by-side", "interlaced-columns"):
        return width // 2, height
    return (width, height // 2) if layout == "top-bottom" else (width, height)


def _split_bytes(image: NDArray[Any], name: str) -> tuple[Image, Image]:
    if image.dtype == np.uint16 and image.ndim == 2:
        return (image >> 8).astype(np.uint8), (image & 255).astype(np.uint8)
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 2:
        return np.ascontiguousarray(image[..., 0]), np.ascontiguousarray(image[..., 1])
    three = (
        "; three channels hold the three cameras of a Bumblebee XB3 or Digiclops, of which stereo "
        "takes two: grab the 16 bit mode, in which it sends one pair"
    )
    raise ImageError(
        f"{name}: layout bumblebee needs 16 bit gray or two 8 bit channels, got {image.dtype} "
        f"{image.shape}{three if image.ndim == 3 and image.shape[2] == 3 else ''}"
    )


def arrange(
    left: Image, right: Image, *, swap: bool = False, flip: Flip = "none"
) -> tuple[Image, Image]:
    """Return the views the right way round: exchanged, mirrored.

    A pair of cameras turned upside down, or seen in a mirror, also changes sides: what was the
    left camera is the right one. ``swap`` alone decides that, so that nothing happens twice.
    """
    if swap:
        left, right = right, left
    if flip == "none":
        return left, right
    code = _FLIP_CODE[flip]
    return cv2.flip(left, code), cv2.flip(right, code)  # type: ignore[return-value]
