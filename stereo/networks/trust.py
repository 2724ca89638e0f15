"""How sure a network's disparity is, where it does not say so itself.

The network is run again on the mirrored pair, right image first: what it finds there is the right
view's disparity, mirrored. Where the two views agree a pixel is likely right, if the images agree
too (``stereo.confidence``). The last word is that of every matcher, ``stereo.refining.doubt``.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.confidence import match_confidence
from stereo.frame import Float, Image
from stereo.gray import gray8_pair, gray_pair

SURE = 0.97
"""Where both views agree exactly."""
UNSEEN = 0.2
"""Where the partner lies outside of the right image, or is not known: a guess of the network."""
UNCHECKED = 0.5
"""Where nothing was asked: the clues of the images decide."""


_COARSER = 3
"""The images are compared at so much smaller a size; see ``likeness``."""
_BAND = 64
"""Rows that are worked on at once: what they need stays in the cache, and in memory that is used
again; fresh memory would cost more than the work."""


def trust(px: Float, mirrored: Float, left: Image, right: Image) -> Float:
    """Return a confidence (H, W) of the left view's disparity ``px``; 0 where it is NaN.

    ``mirrored``: the right view's disparity as the mirrored pair gave it.
    """
    confidence = likeness(*gray8_pair(left, right), px)
    for top in range(0, len(px), _BAND):
        rows = slice(top, top + _BAND)
        back = np.asarray(cv2.flip(mirrored[rows], 1), np.float32)
        cv2.multiply(confidence[rows], agreement(px[rows], back), dst=confidence[rows])
    unknown = np.isnan(px)
    if unknown.any():  # most networks know everything
        confidence[unknown] = 0
    return confidence


def agreement(left: Float, right: Float) -> Float:
    """Return how sure the right view's disparity ``right`` makes of ``left``, (H, W) px.

    Halved where they differ by 1 px.
    """
    off = np.asarray(there_of(right, left, float("nan")), np.float32)
    cv2.subtract(off, left, dst=off)
    cv2.multiply(off, off, dst=off)
    off += 1
    cv2.divide(SURE, off, dst=off)
    cv2.patchNaNs(off, UNSEEN)
    return off


def likeness(left: NDArray[np.uint8], right: NDArray[np.uint8], px: Float) -> Float:
    """Return a confidence (H, W) of ``px`` by how the two gray images agree.

    Two views of one network agree in the same wrong guess: the images must be asked too. Asked at a
    third of the size: in a ninth of the time, and by windows three times as wide, which tell right
    from wrong better in networks' maps, smooth as they are.
    """

    def small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(cv2.blur(image, (_COARSER, _COARSER))[every, every], np.uint8)

    every = slice(None, None, _COARSER)
    coarse = px[every, every] * np.float32(1 / _COARSER)
    likely = match_confidence(small(left), small(right), coarse)
    return np.asarray(cv2.resize(likely, px.shape[::-1]), np.float32)


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


@lru_cache(maxsize=8)
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
