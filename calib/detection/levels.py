"""Gray levels for finding corners: any image becomes one that fills 0 to 255."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[Any]
"""(H, W) uint8 or uint16."""


LEAST_PX = 32
"""No board fits into fewer pixels a side, and OpenCV's finders stop at an assertion."""


def stretched(gray: Gray) -> NDArray[np.float32]:
    """Float32 image from 0 to 255; dark and 16-bit images stretched to fill the range."""
    image = gray.astype(np.float32)
    low, high = np.percentile(image[::4, ::4], (0.5, 99.5))
    if gray.dtype != np.uint8 or high - low < 120:
        image = np.clip((image - low) * (255 / max(high - low, 1)), 0, 255)
    return image


def gray8(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W) uint8 of a ``stretched`` image, for what in OpenCV takes nothing else."""
    return np.clip(image, 0, 255).astype(np.uint8)
