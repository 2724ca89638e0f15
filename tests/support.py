"""Synthetic pairs with known disparity; what a command came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
