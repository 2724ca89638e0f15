"""Synthetic pairs with known disparity; what a command came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import RectifiedPair


def textured_pair(
    disparity: NDArray[np.float64] | float,
    *,
    size: tuple[int, int] = (320, 120),
    seed: int = 0,
    color: bool = False,
    dtype: type = np.uint8,
) -> RectifiedPair:
    """A pair of smooth random texture whose left view has the given disparity, sub-pixel exact.

    The texture is a sum of sinusoids, so it can be sampled anywhere without interpolation. For a
    varying disparity the right image is the texture and the left one samples it at
    ``x - disparity``: exact wherever nothing is occluded.
    """
    width, height = size
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(float)

    def texture(at_x: NDArray[np.float64]) -> NDArray[np.float64]:
        waves = np.random.default_rng(seed + 1)
        total = np.zeros(at_x.shape)
        for _ in range(60):
            fx, fy = waves.uniform(-1.6, 1.6, 2)
            total += np.cos(fx * at_x + fy * y + waves.uniform(0, 2 * np.pi))
        return 0.5 + total / 34

    scale = 65535 if dtype is np.uint16 else 255
    images = []
    for at_x in (x - disparity, x):
        image = np.clip(texture(at_x) * scale, 0, scale)
        image += rng.normal(0, 0.004 * scale, image.shape)
        images.append(np.clip(np.rint(image), 0, scale).astype(dtype))
    if color:
        images = [np.repeat(image[..., None], 3, axis=2) for image in images]
    return RectifiedPair(images[0], images[1])


def texture(seed: int, height: int = 160, width: int = 280) -> NDArray[np.float32]:
    """Smooth enough to be moved by parts of a pixel, contrasty enough to be matched."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32)
    image = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.asarray(120 + 45 * image / image.std(), np.float32)


def levels(image: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def shifted_pair(
    seed: int, shift: int, rows_px: float = 0.0, tilt_px: float = 0.0, noise: float = 0.0
) -> RectifiedPair:
    """A texture, and itself ``shift`` px further left and ``rows_px`` lower, with noise."""
    wide = texture(seed, 160, 320)
    height, width = 160, 280
    rng = np.random.default_rng(seed + 1)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    below = np.float32(rows_px) + np.float32(tilt_px) * (x / width - np.float32(0.5))
    right = cv2.remap(wide, x + np.float32(shift), y - below, cv2.INTER_CUBIC)
    views = (wide[:, :width], np.asarray(right))
    left, right = (levels(view + rng.normal(0, noise, view.shape)) for view in views)
    return RectifiedPair(left, right)


@dataclass
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ended]
"""Runs ``stereo`` with these arguments."""

METRIC = ("--rectified", "--focal-px", 300, "--baseline-m", 0.1, "--num-disparities", 32)
"""Options of a small rectified pair, such as ``textured_pair`` makes."""
