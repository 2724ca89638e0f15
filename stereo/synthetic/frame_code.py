"""A frame number burned into an image, legible after compression.

Sixteen cells in the top left corner: 1 0, ten bits (most significant first), their parity, and
0 1 0. A test can so tell that two delivered images belong to one moment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELL_PX = (16, 12)
"""(width, height) of a cell."""
_BITS = 10


def burn_frame_number(image: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """A copy of the image (H, W[, 3]) that carries ``number``, 0 to 1023, in its corner."""
    if not 0 <= number < 1 << _BITS:
        raise ValueError(f"frame number must be 0 to {(1 << _BITS) - 1}, got {number}")
    bits = [number >> k & 1 for k in reversed(range(_BITS))]
    cells = [1, 0, *bits, sum(bits) % 2, 0, 1, 0]
    code = np.kron(np.array([cells]), np.ones(CELL_PX[::-1], int)) * 215 + 20
    burned = image.copy()
    view = burned[: code.shape[0], : code.shape[1]]
    view[:] = code[..., None] if image.ndim == 3 else code
    return burned


def read_frame_number(image: NDArray[np.uint8]) -> int | None:
    """The number in the corner of an image (H, W[, 3]), or None where there is none."""
    gray = image.astype(float).mean(axis=2) if image.ndim == 3 else image.astype(float)
    width, height = CELL_PX
    if gray.shape[0] < height or gray.shape[1] < 16 * width:
        return None
    cells = gray[3 : height - 3, : 16 * width].reshape(-1, 16, width)[:, :, 4:-4].mean(axis=(0, 2))
    bits = [int(c > 128) for c in cells]
    if bits[:2] != [1, 0] or bits[13:] != [0, 1, 0] or sum(bits[2:12]) % 2 != bits[12]:
        return None
    return int("".join(map(str, bits[2:12])), 2)
