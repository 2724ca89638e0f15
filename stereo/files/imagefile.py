"""An image file becomes pixels as stored; what it must not be is looked at before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib import imagebytes
from calib.imagebytes import MAX_PIXELS, SUFFIXES
from calib.nearby import near_path
from stereo.errors import ImageError
from stereo.files.opencv_log import silent_opencv

__all__ = ["MAX_PIXELS", "SUFFIXES", "decode", "image_size", "read_bytes"]


def read_bytes(path: Path, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return what a file holds. Raises ImageError when there is none, or nothing, or too much."""
    try:
        return imagebytes.read(path, max_pixels=max_pixels)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file{near_path(path)}") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a zero byte in the name too
        raise ImageError(f"{path}: {error}") from error


def decode(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Return the pixels as stored, in cv2's channel order, neither turned nor converted.

    Raises ImageError naming the file when it is missing, empty, truncated, damaged, no image,
    larger than ``max_pixels``, or large with nothing in it.
    """
    data = read_bytes(path, max_pixels=max_pixels)
    try:
        width, height = imagebytes.checked_size(data, max_pixels=max_pixels)
    except ValueError as error:
        raise ImageError(f"{path}: {error}") from error
    try:
        with silent_opencv():
            flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"{path}: cannot be decoded: {error.err}") from error
    if image is None or image.shape[:2] != (height, width):
        raise ImageError(f"{path}: cannot be decoded; the file is damaged, get it again")
    return image


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) from the file's header. Raises ImageError as ``decode``."""
    path = Path(path)
    try:
        return imagebytes.header_size(read_bytes(path))
    except ImageError:
        raise
    except ValueError as error:
        raise ImageError(f"{path}: {error}") from error
