"""How a guide, roughly the disparity of each pixel, enters the matching cost: as a code of columns.

Every column of the right image has a code of ``POSITION_BITS`` bits; from one to the next
``STEP_PX`` pixels on, one bit changes. A left pixel has the code of the column where the guide
expects its partner. So two codes differ in the more bits the farther a candidate lies from that, up
to 24 px; beyond, in about half of all: a wrong guide costs no more there than any. The codes take
the place of the learned code's last bytes, and like that they count where the image hardly changes
alone: edges and texture say themselves where they are.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from stereo.frame import MAX_SIDE_PX, Float

POSITION_BITS = 24
STEP_PX = 2
"""With 1, a good guide helps a little more and a weak one harms a lot; with 3 the other way."""
_BEYOND_PX = 8192
"""Columns outside of the image that a guide may expect a partner at."""
_OLDEST = 13
"""The bit that changes is one of so many that have not changed for longest."""

Code = NDArray[np.uint8]


def position_codes(guide: Float) -> tuple[Code, Code]:
    """Return the codes (H, W, POSITION_BITS / 8) of the left and of the right image's pixels.

    ``guide``: (H, W) px, the left view's disparity, finite.
    """
    codes = _codes_of_columns()
    first = _BEYOND_PX // STEP_PX
    columns = np.arange(guide.shape[1], dtype=np.float32)
    middle = np.float32((STEP_PX - 1) / 2)  # of the columns that share a code
    expected = np.rint((columns - guide - middle) / np.float32(STEP_PX)) + first
    left = codes[expected.clip(0, len(codes) - 1).astype(np.intp)]
    right = codes[np.arange(guide.shape[1]) // STEP_PX + first]
    return left, np.ascontiguousarray(np.broadcast_to(right, left.shape))


@cache
def _codes_of_columns() -> Code:
    """(N, POSITION_BITS / 8), from ``_BEYOND_PX`` left of the image on."""
    bits = list(range(POSITION_BITS))
    changes = np.zeros(((MAX_SIDE_PX + 2 * _BEYOND_PX) // STEP_PX, POSITION_BITS), np.uint8)
    for number in range(1, len(changes)):
        bit = bits.pop(5 * number % _OLDEST)
        bits.append(bit)
        changes[number, bit] = 1
    return np.packbits(np.bitwise_xor.accumulate(changes, axis=0), axis=1)
