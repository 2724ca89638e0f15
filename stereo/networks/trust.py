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
    off = np.asarray(there_of(right, left, float("nan")), np.float32)
    cv2.subtract(off, left, dst=off)
    cv2.multiply(off, off, dst=off)
    off += 1
    cv2.divide(SURE, off, dst=off)
    cv2.patchNaNs(off, UNSEEN)
    _forget(off, left)
    return off


def likeness(left: NDArray[np.uint8], right: NDArray[np.uint8], px: Float) -> Float:
    """Return a confidence (H, W) of ``px`` by how the two gray images agree; 0 where it is NaN.

    Asked at half the size: in a quarter of the time, and by windows twice as wide, which for
    networks' maps, smooth as they are, tell right from wrong better than at full size.
    """
    height, width = left.shape
    size = -(-width // 2), -(-height // 2)

    def halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    likely = match_confidence(halved(left), halved(right), px[::2, ::2] * np.float32(0.5))
    confidence = np.asarray(cv2.resize(likely, (width, height)), np.float32)
    _forget(confidence, px)
    return confidence


def _forget(confidence: Float, px: Float) -> None:
    """Without what is not known; most networks know everything."""
    unknown = np.isnan(px)
    if unknown.any():
        confidence[unknown] = 0


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
