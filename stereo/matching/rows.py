"""How far the rows of a pair are apart, as a plane over the image, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stereo.matching.tracks import FEWEST, Tracks, median

LEAST_PX = 0.15
"""Root mean square of the row error from which the right image is moved: less costs less than
interpolating does, on pairs.json."""
CLEARLY = 3.0
"""A row error is believed beyond so many standard deviations of its own."""
SLOPE_CLEARLY = 2.0
"""The same for a slope of one that is believed; with 3 kitti_000046 loses half a point."""
AGREE_PX = 0.25
"""Median distance of the tracks from the plane, as a share of what a pixel of the bands is, for it
to be believed."""

_RIDGE = np.diag([1e-3, 1.0, 1.0])  # slopes that nothing supports are none
_ROUNDS = 4
_REST = 1.5  # how much more variance than its median tells, for the tracks' heavy tails


@dataclass(frozen=True, slots=True)
class RowError:
    """How far the right image's rows lie below the left one's."""

    middle_px: float
    """In the middle of the image, pixels; positive: the right image's content lies lower."""
    across_px: float
    """Change from the left border to the right one; 0 unless it is clear."""
    down_px: float
    """Change from the top to the bottom; 0 unless it is clear."""
    sigma_px: float
    """Root mean square over the image of its standard deviation, pixels."""

    @property
    def rms_px(self) -> float:
        """Root mean square over the image, pixels."""
        slopes = (self.across_px**2 + self.down_px**2) / 12
        return float(np.sqrt(self.middle_px**2 + slopes))

    @property
    def clear(self) -> bool:
        """Whether it is larger than what moving costs, and than its own uncertainty."""
        return self.rms_px > max(LEAST_PX, CLEARLY * self.sigma_px)

    def plus(self, other: RowError) -> RowError:
        """Return it with what was measured after it had been taken out."""
        return RowError(
            self.middle_px + other.middle_px,
            self.across_px + other.across_px,
            self.down_px + other.down_px,
            other.sigma_px,
        )


def row_error(tracks: Tracks | None) -> RowError | None:
    """Fit a plane to the tracks by iterated reweighting; None where too few agree on one."""
    if tracks is None or len(tracks) < FEWEST:
        return None
    design = np.column_stack([np.ones(len(tracks)), tracks.x, tracks.y])
    below = tracks.below_px
    plane: NDArray[np.float64] = np.array([median(below), 0.0, 0.0])
    spread, normal = 0.0, np.eye(3)
    for _ in range(_ROUNDS):
        off = np.abs(below - design @ plane)
        spread = max(1.4826 * median(off), 0.03)
        weight = 1 / (1 + (off / (1.5 * spread)) ** 2) ** 2
        weighted = (design * weight[:, None]).T
        normal = weighted @ design + _RIDGE
        plane = np.asarray(np.linalg.solve(normal, weighted @ below), np.float64)
    if median(np.abs(below - design @ plane)) > AGREE_PX * tracks.pixel:
        return None
    sigma = spread * np.sqrt(_REST * np.diag(np.linalg.inv(normal)))
    clear = np.abs(plane) > SLOPE_CLEARLY * sigma
    clear[0] = True
    middle, across, down = (float(value) for value in np.where(clear, plane, 0.0))
    of_image = np.sqrt(sigma[0] ** 2 + (clear[1:] * sigma[1:] ** 2).sum() / 12)
    return RowError(middle, across, down, float(of_image))
