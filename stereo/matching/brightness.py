"""How bright the right camera shows what the left one shows: exposure, gain, gamma.

Census does not mind, but gradients and planes compare levels. A curve is fitted to the levels
around the same points in both images.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Image
from stereo.matching.tracks import FEWEST, Tracks, median

LEAST_LEVELS = 6.0
"""Root mean square of the difference, gray levels, from which the right image is changed."""

_RIDGE = np.diag([0.01, 0.01, 0.03])  # what nothing supports is no difference; least of all a bend
_ROUNDS = 4
_SPREAD = 0.01  # of the whole range: a track this near to the curve is never doubted
_SLOPES = 0.25, 4.0  # of the curve, at both ends


@dataclass(frozen=True, slots=True)
class Brightness:
    """Left level as a polynomial of the right one, both as shares of the whole range."""

    offset: float
    gain: float
    bend: float
    rms_levels: float
    """Root mean square over the tracks of what it changes, gray levels."""

    def applied(self, image: Image) -> Image:
        """Return a right image, uint8 or uint16, as the left camera would show it."""
        if image.dtype == np.uint8:
            table = np.clip(np.rint(255 * self._of(np.arange(256) / 255)), 0, 255)
            return np.asarray(cv2.LUT(image, table.astype(np.uint8)), np.uint8)
        white = max(float(image[::4, ::4].max()), 1.0)
        return np.clip(np.rint(white * self._of(image / white)), 0, 65535).astype(np.uint16)

    def _of(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.offset + share * (self.gain + share * self.bend))


def brightness(tracks: Tracks | None) -> Brightness | None:
    """Fit the curve by iterated reweighting; None where the views are alike, or little is known."""
    if tracks is None or len(tracks) < FEWEST:
        return None
    left, right = tracks.level_left / 255, tracks.level_right / 255
    design = np.column_stack([np.ones(len(right)), right, right * right])
    same = np.array([0.0, 1.0, 0.0])
    curve = same * median(left) / max(median(right), 1 / 255)
    for _ in range(_ROUNDS):
        off = np.abs(left - design @ curve)
        weight = 1 / (1 + (off / max(2 * median(off), _SPREAD)) ** 2) ** 2
        weighted = (design * weight[:, None]).T
        curve = np.linalg.solve(weighted @ design + _RIDGE, weighted @ left + _RIDGE @ same)
    change = 255 * float(np.sqrt(np.mean((design @ curve - right) ** 2)))
    steep = curve[1], curve[1] + 2 * curve[2]
    if change < LEAST_LEVELS or not _SLOPES[0] < min(steep) <= max(steep) < _SLOPES[1]:
        return None
    offset, gain, bend = (float(value) for value in curve)
    return Brightness(offset, gain, bend, change)
