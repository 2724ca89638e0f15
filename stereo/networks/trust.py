"""How sure a network's disparity is, where it does not say so itself.

The network is run again on the mirrored pair, right image first: what it finds there is the right
view's disparity, mirrored. Where the two views agree a pixel is likely right, if the images agree
too (``stereo.confidence``). The last word is that of every matcher, ``stereo.refining.doubt``.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from stereo.frame import Float, Image
from stereo.gray import gray_pair

SURE = 0.97
"""Where both views agree exactly."""
UNSEEN = 0.2
"""Where the partner lies outside of the right image, or is not known: a guess of the network."""
UNCHECKED = 0.5
"""Where nothing was asked: the clues of the images decide."""


def agreement(left: Float, right: Float) -> Float:
    """Return a confidence (H, W) of ``left``, px, by the right view's disparity ``right``.

    Halved where they differ by 1 px; 0 where ``left`` is NaN.
    """
    there = there_of(right, left, float("nan"))
    off = there - left
    off *= off
    off += 1
    confidence = np.float32(SURE) / off
    np.copyto(confidence, np.float32(UNSEEN), where=np.isnan(confidence))
    confidence *= np.isfinite(left)
    return confidence


def there_of(plane: Image | Float, px: Float, outside: float) -> Float:
    """Return what ``plane`` of the right view holds at each left pixel's partner, the nearest."""
    columns = np.arange(px.shape[1], dtype=np.float32) - px
    return cv2.remap(  # type: ignore[return-value]
        plane,
        columns,
        _rows(*px.shape),
        cv2.INTER_NEAREST,  # a mean of two surfaces would agree with neither
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=outside,
    )


@lru_cache(maxsize=2)
def _rows(height: int, width: int) -> Float:
    return np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)


def sign_is_turned(left: Image, right: Image, px: Float) -> bool:
    """Whether ``px``, nearly all negative, would explain the images better the other way."""
    with np.errstate(invalid="ignore"):
        negative = np.count_nonzero(px < -1)
    if negative < 0.1 * px.size:
        return False
    known = np.isfinite(px)
    if negative < 0.9 * np.count_nonzero(known):
        return False
    left, right = gray_pair(left, right)
    known_px = np.where(known, px, np.float32(0))

    def residual(px: Float) -> float:
        off = np.abs(there_of(np.asarray(right, np.float32), px, float("nan")) - left)
        inside = off[np.isfinite(off)]
        return float(inside.mean()) if inside.size else np.inf

    return residual(np.negative(known_px)) < residual(known_px)
