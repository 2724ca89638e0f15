"""What row errors do to depth, as measured on pairs with ground truth.

``benchmarks/health.py --matching`` moves the right images of known pairs by so many rows, matches
them, and counts. The default matcher, 11 and 21 pairs; the mean of both sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

GOOD_PX = 0.15
"""Up to here what is lost (0 to 3 %) is no more than the measurement scatters."""
FLAG_PX = 0.3
"""From here on right answers get lost (1 %, at 0.5 px 4 %, at 0.75 px 12 %) and disparities get
noisier (by a tenth, at 0.5 px by a quarter): mend the rig."""
UNUSABLE_PX = 1.0
"""From here on a quarter of the right answers is lost, and it gets worse quickly."""
DISTANCES_M = (1.0, 2.0, 5.0, 10.0)
MATCHING_NOISE_PX = 0.25
"""One standard deviation of disparity without row errors."""

# the last column is no measurement: only that it gets worse still
_ROW_PX = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 6.0)
_RIGHT_SHARE = (1.0, 0.99, 0.99, 0.96, 0.88, 0.77, 0.52, 0.34, 0.23, 0.05)
_MATCHED_SHARE = (1.0, 0.995, 0.995, 0.987, 0.957, 0.906, 0.752, 0.628, 0.512, 0.3)
_ADDED_NOISE_PX = (0.0, 0.06, 0.11, 0.18, 0.3, 0.48, 1.03, 2.5, 3.9, 7.0)


@dataclass(frozen=True, slots=True)
class DepthEffect:
    """What to expect at one distance, metres."""

    distance_m: float
    aligned_m: float
    """One standard deviation of depth if all rows agreed."""
    as_is_m: float
    """The same with the rows as they are."""
    unseen_m: float
    """By how much depth may be off, one standard deviation, for a yaw that moves no row: it cannot
    be seen in the images."""
    yaw_m: float
    """By how much depth is off for the yaw that was found; 0: none was."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a pattern of row errors does to matching and to depth."""

    matched_share: float
    """Pixels that get an answer, of those that would get one if all rows agreed."""
    right_share: float
    """The same of right answers, to 1 px."""
    added_noise_px: float
    """Standard deviation that disparities gain."""
    depth: tuple[DepthEffect, ...]


def effect_of(
    row_errors_px: Float,
    *,
    focal_px: float,
    baseline_m: float,
    yaw_sigma_rad: float = float("nan"),
    yaw_rad: float = 0.0,
) -> Effect:
    """Return what the systematic row errors (N,) of a rig cost."""
    size = np.abs(row_errors_px)
    added = float(np.mean(np.interp(size, _ROW_PX, _ADDED_NOISE_PX)))
    depth = []
    for distance in DISTANCES_M:
        per_px = distance**2 / (focal_px * baseline_m)
        per_rad = distance**2 / baseline_m
        depth.append(
            DepthEffect(
                distance,
                per_px * MATCHING_NOISE_PX,
                per_px * float(np.hypot(MATCHING_NOISE_PX, added)),
                per_rad * yaw_sigma_rad,
                per_rad * yaw_rad,
            )
        )
    return Effect(
        float(np.mean(np.interp(size, _ROW_PX, _MATCHED_SHARE))),
        float(np.mean(np.interp(size, _ROW_PX, _RIGHT_SHARE))),
        added,
        tuple(depth),
    )
