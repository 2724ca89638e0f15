"""How sure a network's disparity is, where it does not say so itself.

The network is run again on the mirrored pair, right image first: what it finds there is the right
view's disparity, mirrored. Where the two views agree a pixel is likely right. The photometric clues
and the last word are those of every matcher, ``stereo.refining.doubt``.
"""

from __future__ import annotations

import cv2
import numpy as np

from stereo.frame import Float, Image

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
    """Return what ``plane`` of the right view holds at each left pixel's partner."""
    height, width = px.shape
    columns = np.arange(width, dtype=np.float32) - px
    rows = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    return cv2.remap(  # type: ignore[return-value]
        plane, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=outside
    )


def sign_is_turned(left: Image, right: Image, px: Float) -> bool:
    """Whether ``px``, nearly all negative, would explain the gray images better the other way."""
    known = np.isfinite(px)
    if np.count_nonzero(px[known] < -1) < 0.9 * int(known.sum()):
        return False
    known_px = np.where(known, px, np.float32(0))

    def residual(px: Float) -> float:
        off = np.abs(there_of(np.asarray(right, np.float32), px, float("nan")) - left)
        inside = off[np.isfinite(off)]
        return float(inside.mean()) if inside.size else np.inf

    return residual(np.negative(known_px)) < residual(known_px)
