"""Images in: one file becomes an array.

``imagefile`` checks and decodes; orientation tags are ignored, since turning one image of a pair
would ruin it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from stereo.errors import ImageError
from stereo.files.imagefile import MAX_PIXELS, SUFFIXES, decode, image_size
from stereo.frame import Image

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "image_size",
    "read_image",
]


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Return the image as (H, W) gray or (H, W, 3) RGB, uint8 or uint16.

    An alpha channel is dropped; palettes become RGB, 1 to 4 bit gray becomes 8 bit; a tag that
    asks for turning the image is ignored. Raises ImageError naming the file when it is missing,
    empty, truncated, no image, of another depth than 8 or 16 bit, or larger than ``max_pixels``.
    """
    path = Path(path)
    image = decode(path, max_pixels=max_pixels)
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"{path}: is a {image.dtype} image; 8 or 16 bit was expected; is it a map? "
            f"(stereo view {path})"
        )
    if image.ndim == 3 and image.shape[2] == 2:
        image = image[..., 0]
    if image.ndim == 3:
        convert = cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
        image = np.asarray(cv2.cvtColor(image, convert))
    return image
