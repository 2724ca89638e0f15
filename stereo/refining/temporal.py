"""Steadier disparity of a standing scene: a running mean that starts anew where anything moves.

A pixel goes on averaging only while its disparity and what the camera sees there stay the same, so
nothing smears; what flickers off for a frame or two in a standing place keeps its value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import DisparityMap, Float

Gray = NDArray[np.uint8]

AGREE_PX = 1.0
"""Disparities closer than this belong to one standing surface."""
SAME_LEVELS = 10
"""Gray levels, mean of 5x5: more is movement or light, not noise."""
MEMORY = 6
"""Frames that the mean holds at most: noise falls to about its square root's share."""
KEPT_FRAMES = 2
"""For so many frames a standing pixel keeps its value while the matcher has none."""


@dataclass(frozen=True, eq=False, slots=True)
class _Past:
    px: Float
    confidence: Float
    frames: NDArray[np.uint8]  # in the mean
    missing: NDArray[np.uint8]  # frames since the last match
    seen: Gray


class TemporalFilter:
    """Keeps what one camera saw last; one for each source."""

    def __init__(self) -> None:
        self._past: _Past | None = None
        self.changed_share = 0.0
        """Share of pixels whose value the last ``apply`` changed, 0 to 1."""

    def reset(self) -> None:
        """Forget the past, as when the camera was moved."""
        self._past = None
        self.changed_share = 0.0

    def apply(self, disparity: DisparityMap, gray: Gray) -> DisparityMap:
        """Return the steadied map; ``gray`` is the rectified left image, (H, W) uint8."""
        seen = np.asarray(cv2.blur(gray, (5, 5)), np.uint8)
        past = self._past
        known = np.isfinite(disparity.px)
        if past is None or past.px.shape != disparity.px.shape:
            ones = known.astype(np.uint8)
            self._past = _Past(disparity.px, disparity.confidence, ones, 0 * ones, seen)
            self.changed_share = 0.0
            return disparity
        standing = cv2.absdiff(seen, past.seen) <= SAME_LEVELS
        with np.errstate(invalid="ignore"):
            agrees = standing & (np.abs(disparity.px - past.px) <= AGREE_PX)
        kept = standing & ~known & (past.frames >= 2) & (past.missing < KEPT_FRAMES)
        frames = np.where(agrees, np.minimum(past.frames + 1, MEMORY), known).astype(np.uint8)
        frames = np.where(kept, past.frames, frames)
        share = 1 / np.maximum(frames, 1).astype(np.float32)
        px = np.where(agrees, past.px + share * (disparity.px - past.px), disparity.px)
        px = np.where(kept, past.px, px).astype(np.float32)
        confidence = np.where(kept, np.float32(0.5) * past.confidence, disparity.confidence)
        missing = np.where(kept, past.missing + 1, 0).astype(np.uint8)
        # the picture too is kept where the mean goes on: slow drift must not pass for standing
        seen = np.where(agrees | kept, past.seen, seen).astype(np.uint8)
        self._past = _Past(px, confidence, frames, missing, seen)
        self.changed_share = float(np.mean(agrees | kept))
        return replace(disparity, px=px, confidence=confidence)
